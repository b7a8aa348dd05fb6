"""Draw the book's figures: what the scripts in this folder share.

A figure is a script ``NAME.py`` with a function ``draw()`` that returns its axes; it becomes
``NAME.svg`` (``python -m figures``). The script's docstring is the figure's title (first line)
and its description (the rest). Lengths are points, y grows upwards.

The site turns the figures dark with a filter (invert, then rotate the hue back), so: dark
lines, light fills, nothing behind them.
"""
import hashlib
import importlib
import io
import re
from pathlib import Path
from xml.sax.saxutils import escape

import matplotlib as mpl
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path as Outline
from matplotlib.transforms import Bbox

HERE = Path(__file__).resolve().parent
WIDTH = 453.6  # 16 cm, the width of the text in print
CARD = 1200, 630  # pixels, what sites ask for where a link is shared
FONT, LINE, THIN, CELL = 13, 1.3, 0.7, 18
STYLE: dict = {"svg.fonttype": "path", "svg.hashsalt": "figures", "pdf.fonttype": 42,
               "font.family": "DejaVu Sans", "mathtext.fontset": "stix",
               "hatch.linewidth": THIN, "savefig.facecolor": "white"}
# What would change from day to day or with matplotlib's version.
METADATA = {"svg": dict.fromkeys(("Date", "Creator", "Format", "Type")),
            "png": {"Software": None}, "pdf": {"CreationDate": None}}
# In matplotlib's SVG: indents, comments, the numbers of groups.
DISPENSABLE = re.compile(r'^ +| +$|^ *<!--.*-->\n| id="\w+_\d+"', re.MULTILINE)

# Okabe and Ito's palette: told apart by the colour-blind.
BLUE, GREEN, ORANGE, YELLOW, PURPLE = "#0072b2", "#009e73", "#e69f00", "#f0e442", "#cc79a7"
INK, GREY = "#1a1a1a", "#8c8c8c"
PEN = {"edgecolor": INK, "linewidth": LINE, "joinstyle": "round"}


def tint(colour, strength=0.4):
    """The colour mixed with white: light enough to write on."""
    r, g, b = (1 - strength * (1 - c) for c in to_rgb(colour))
    return to_hex((r, g, b))


# One fill for each kind of step, the same in every figure: grey is plain, blue normalizes,
# orange adds, green concatenates.
LINEAR, NORM, RELU = tint(GREY, 0.35), tint(BLUE), tint(YELLOW, 0.6)
ADD, CONCAT, POOL = tint(ORANGE, 0.6), tint(GREEN), tint(PURPLE, 0.5)
PLAIN = "none"
# Channels: what came in, what was computed of it, and what that became.
OLD, NEW, ADDED, JOINED = ({"fill": LINEAR},
                           *({"fill": fill, "hatch": "////"} for fill in ("white", ADD, CONCAT)))


def canvas(height, width=WIDTH):
    """Empty axes of this size."""
    ax = Figure(figsize=(width / 72, height / 72)).add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(0, height))
    ax.axis("off")
    return ax


def text(ax, x, y, label, **options):
    """A label, centred on a point unless ``ha`` or ``va`` say otherwise."""
    options = {"ha": "center", "va": "center", "color": INK, "fontsize": FONT,
               "linespacing": 1.15, **options}
    ax.text(x, y, label, **options)


def box(ax, x, y, width, height, label="", fill=PLAIN, **options):
    """A box around the point (x, y), with a label inside."""
    ax.add_patch(FancyBboxPatch((x - width / 2, y - height / 2), width, height,
                                boxstyle="round,pad=0,rounding_size=4", facecolor=fill,
                                **PEN | options))
    text(ax, x, y, label)


def shape(ax, corners, fill=PLAIN, **options):
    """A filled polygon."""
    ax.add_patch(Polygon(corners, facecolor=fill, **PEN | options))


def bar(ax, x, y, width, height, fill=PLAIN, **options):
    """A rectangle from its lower left corner."""
    shape(ax, [(x, y), (x + width, y), (x + width, y + height), (x, y + height)], fill, **options)


def line(ax, *points, **options):
    """A line through the points."""
    ax.add_patch(PathPatch(Outline(points), facecolor=PLAIN, **PEN | options))


def arrow(ax, *points, style="-|>", **options):
    """A line through the points, with a head on its last end."""
    options = {"mutation_scale": 11, "capstyle": "butt", **PEN, **options}
    ax.add_patch(FancyArrowPatch(path=Outline(points), arrowstyle=style, facecolor=INK, **options))


def span(ax, start, end):
    """A thin line with two heads, for the length of an axis."""
    arrow(ax, start, end, style="<|-|>", linewidth=THIN, mutation_scale=7)


def plus(ax, x, y, radius=9):
    """The sign of the element-wise sum."""
    ax.add_patch(Circle((x, y), radius, facecolor=ADD, **PEN))
    line(ax, (x - radius / 2, y), (x + radius / 2, y))
    line(ax, (x, y - radius / 2), (x, y + radius / 2))


def join(ax, x, y):
    """The sign of the concatenation."""
    box(ax, x, y, 36, 20, "[ , ]", CONCAT)


def strip(ax, x, y, cells, label=""):
    """Channels side by side around (x, y), each OLD, NEW, ADDED or JOINED; a label on the left."""
    left = x - len(cells) * CELL / 2
    for i, cell in enumerate(cells):
        bar(ax, left + i * CELL, y - CELL / 2, CELL, CELL, **cell)
    text(ax, left - 8, y, label, ha="right")


def size(channels, divisor):
    """The size of an output: its channels, and below them height and width."""
    return f"{channels}\n" + rf"$h/{divisor} \times w/{divisor}$"


def names():
    """The names of all figures: the other scripts here, without those of the package."""
    return sorted(file.stem for file in HERE.glob("*.py")
                  if file.stem != "draw" and not file.stem.startswith("_"))


def digest(name):
    """What the figure is drawn from: the hash of its script and this file."""
    source = "".join((HERE / f"{part}.py").read_text(encoding="utf-8") for part in (name, "draw"))
    return hashlib.sha256(source.encode()).hexdigest()


def _script(name):
    return importlib.import_module(f"figures.{name}")


def render(name, format, **options):
    """The figure as bytes in the format "svg", "pdf" or "png"; only a PNG has a ground, white.

    ``options`` go to matplotlib's ``savefig``. Raises ModuleNotFoundError for an unknown name.
    """
    data = io.BytesIO()
    with mpl.rc_context(STYLE):
        ax = _script(name).draw()
        for artist in ax.get_children():
            artist.set_clip_on(False)
        ax.figure.set_frameon(format == "png")
        ax.figure.savefig(data, format=format, **{"metadata": METADATA[format]} | options)
    return data.getvalue()


def card(name):
    """The figure as a PNG of the size CARD, with a margin around it."""
    width, height = _script(name).draw().figure.get_size_inches()
    wide = 1.12 * width
    high = wide * CARD[1] / CARD[0]
    frame = Bbox.from_bounds((width - wide) / 2, (height - high) / 2, wide, high)
    return render(name, "png", dpi=CARD[0] / wide, bbox_inches=frame)


def svg(name):
    """The figure as the text of an SVG file."""
    title, _, description = (_script(name).__doc__ or "").partition("\n\n")
    head, start, rest = render(name, "svg").decode().partition("<svg ")
    attributes, _, body = rest.partition(">\n")
    return "\n".join([
        head.splitlines()[0], f'{start}role="img" {attributes}>',
        f" <title>{escape(title.rstrip('.'))}</title>",
        f" <desc>{escape(' '.join(description.split()))}</desc>",
        f" <metadata>Generated by figures/{name}.py with matplotlib {mpl.__version__}, do not "
        f"edit. sha256 of the source: {digest(name)}</metadata>", DISPENSABLE.sub("", body)])
