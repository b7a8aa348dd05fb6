"""Draw the book's figures: what the scripts in this folder share.

    python figures/draw.py              # redraw every figure
    python figures/draw.py bn_axes      # redraw one

A figure is a script `NAME.py` with a function `draw()` that returns its axes;
it becomes `NAME.svg`. The script's docstring is the figure's title (first
line) and its description (the rest). Lengths are points, y grows upwards.

The site turns the figures dark with a filter (invert, then rotate the hue
back), so: dark lines, light fills, nothing behind them.
"""
import hashlib
import importlib
import inspect
import io
import re
import sys
from pathlib import Path
from xml.sax.saxutils import escape

import matplotlib as mpl
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import (Circle, FancyArrowPatch, FancyBboxPatch,
                                PathPatch, Polygon)
from matplotlib.path import Path as Outline

HERE = Path(__file__).parent
WIDTH = 453.6          # 16 cm, the width of the text in print
FONT, LINE, THIN = 13, 1.3, 0.7
STYLE = {"svg.fonttype": "path", "svg.hashsalt": "figures",
         "font.family": "DejaVu Sans", "mathtext.fontset": "dejavusans",
         "hatch.linewidth": THIN}
# In matplotlib's SVG: indents, comments, the numbers of groups.
DISPENSABLE = re.compile(r'^ +| +$|^ *<!--.*-->\n| id="\w+_\d+"', re.MULTILINE)

# Okabe and Ito's palette: told apart by the colour-blind.
BLUE, SKY, GREEN, ORANGE = "#0072b2", "#56b4e9", "#009e73", "#e69f00"
YELLOW, RED, PURPLE = "#f0e442", "#d55e00", "#cc79a7"
INK, GREY = "#1a1a1a", "#8c8c8c"
PEN = {"edgecolor": INK, "linewidth": LINE, "joinstyle": "round"}


def tint(colour, strength=0.4):
    """The colour mixed with white: light enough to write on."""
    return to_hex([1 - strength * (1 - c) for c in to_rgb(colour)])


# One fill per kind of step, the same in every figure.
LINEAR, NORM, RELU = tint(GREY, 0.35), tint(BLUE), tint(YELLOW, 0.6)
ADD, CONCAT, POOL = tint(ORANGE, 0.6), tint(GREEN), tint(PURPLE, 0.5)
PLAIN = "none"


def canvas(height, width=WIDTH):
    """Empty axes of this size."""
    fig = Figure(figsize=(width / 72, height / 72))
    ax = fig.add_axes([0, 0, 1, 1])
    ax.set(xlim=(0, width), ylim=(0, height))
    ax.axis("off")
    fig.patch.set_visible(False)
    return ax


def text(ax, x, y, label, **options):
    """A label, centred on a point unless `ha` or `va` say otherwise."""
    options = {"ha": "center", "va": "center", "color": INK,
               "fontsize": FONT, "linespacing": 1.15, **options}
    ax.text(x, y, label, **options)


def box(ax, x, y, width, height, label="", fill=PLAIN, **options):
    """A box around the point (x, y), with a label inside."""
    corner = "round,pad=0,rounding_size=4"
    ax.add_patch(FancyBboxPatch((x - width / 2, y - height / 2), width, height,
                                boxstyle=corner, facecolor=fill,
                                **PEN | options))
    text(ax, x, y, label)


def shape(ax, corners, fill=PLAIN, **options):
    """A filled polygon."""
    ax.add_patch(Polygon(corners, facecolor=fill, **PEN | options))


def bar(ax, x, y, width, height, fill=PLAIN, **options):
    """A rectangle from its lower left corner."""
    shape(ax, [(x, y), (x + width, y), (x + width, y + height),
               (x, y + height)], fill, **options)


def line(ax, *points, **options):
    """A line through the points."""
    ax.add_patch(PathPatch(Outline(points), facecolor=PLAIN, **PEN | options))


def arrow(ax, *points, style="-|>", **options):
    """A line through the points, with a head on its last end."""
    options = {"mutation_scale": 11, "capstyle": "butt", **PEN, **options}
    ax.add_patch(FancyArrowPatch(path=Outline(points), arrowstyle=style,
                                 facecolor=INK, **options))


def span(ax, start, end):
    """A thin line with two heads, for the length of an axis."""
    arrow(ax, start, end, style="<|-|>", linewidth=THIN, mutation_scale=7)


def plus(ax, x, y, radius=9):
    """The sign of the element-wise sum."""
    ax.add_patch(Circle((x, y), radius, facecolor=ADD, **PEN))
    line(ax, (x - radius / 2, y), (x + radius / 2, y))
    line(ax, (x, y - radius / 2), (x, y + radius / 2))


def size(channels, divisor):
    """The size of an output: its channels, and below them height and width."""
    return f"{channels}\n" + rf"$h/{divisor} \times w/{divisor}$"


def digest(name):
    """What the figure is drawn from: the hash of its script and this file."""
    files = [HERE / f"{name}.py", HERE / "draw.py"]
    source = b"".join(file.read_bytes() for file in files)
    return hashlib.sha256(source).hexdigest()


def names():
    """The names of all figures."""
    return sorted(f.stem for f in HERE.glob("*.py") if f.stem != "draw")


def svg(name):
    """The figure as the text of an SVG file."""
    script = importlib.import_module(name)
    title, _, description = inspect.getdoc(script).partition("\n\n")
    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        ax = script.draw()
        for artist in ax.get_children():
            artist.set_clip_on(False)
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        ax.figure.savefig(buffer, format="svg", metadata=nothing)
    head, start, rest = buffer.getvalue().partition("<svg ")
    attributes, _, body = rest.partition(">\n")
    body = DISPENSABLE.sub("", body)
    return "\n".join([
        head.splitlines()[0], f'{start}role="img" {attributes}>',
        f" <title>{escape(title.rstrip('.'))}</title>",
        f" <desc>{escape(' '.join(description.split()))}</desc>",
        f" <metadata>Generated by figures/{name}.py with matplotlib "
        f"{mpl.__version__}, do not edit. sha256 of the source: "
        f"{digest(name)}</metadata>", body])


def main(wanted):
    """Write the wanted figures, or all of them."""
    for name in wanted or names():
        (HERE / f"{name}.svg").write_text(svg(name), encoding="utf-8")
        print(f"figures/{name}.svg")


if __name__ == "__main__":
    main(sys.argv[1:])
