"""A Sphinx extension: what the site carries beside its pages.

The picture that is shown where somebody shares a link, the PDF if it was made, and in
the place of the page's own source the notebook that runs anywhere.
"""
import shutil
import sys
from pathlib import Path

from matplotlib import rc_context
from matplotlib.transforms import Bbox

from outputs import CHAPTERS, ROOT
from pdf import PDF

sys.path.insert(0, str(ROOT / "figures"))
import draw  # noqa: E402
import three_ideas  # noqa: E402

SIZE = 1200, 630  # pixels, what sites ask for


def take_pdf(app):
    """Copy the PDF to the site's root, and show what index.md says ``only`` with it."""
    if PDF.exists():
        app.config.html_extra_path.append(str(PDF))
        app.tags.add("pdf")


def draw_card(path):
    """Draw the front page's picture as a PNG on white, with a margin."""
    with rc_context(draw.STYLE):
        figure = three_ideas.draw().figure
        middle, width = figure.bbox_inches, figure.bbox_inches.width * 1.12
        height = width * SIZE[1] / SIZE[0]
        frame = Bbox.from_bounds(middle.width / 2 - width / 2, middle.height / 2 - height / 2,
                                 width, height)
        figure.patch.set_visible(True)
        figure.savefig(path, dpi=SIZE[0] / width, facecolor="white", bbox_inches=frame)


def finish(app, exception):
    """Add the picture and the notebooks to the finished site."""
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    draw_card(out / "_static" / "card.png")
    for notebook in CHAPTERS.glob("*.ipynb"):
        shutil.copy(notebook, out / "_sources" / "chapters")


def setup(app):
    """Look for the PDF first, add the rest last."""
    app.connect("builder-inited", take_pdf)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True}
