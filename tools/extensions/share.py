"""A Sphinx extension: what the site carries beside its pages.

The picture that is shown where somebody shares a link, the PDF if it was made, and in
the place of the page's own source the notebook that runs anywhere.
"""
import shutil
from pathlib import Path

from figures import draw
from tools.shared.building import MADE_OF, PDF, state
from tools.shared.source import CHAPTERS


def take_pdf(app):
    """Copy the PDF to the site's root, and show what index.md says ``only`` with it.

    A PDF of another text is left out, and that is said.
    """
    if not PDF.exists():
        return
    if not MADE_OF.exists() or MADE_OF.read_text(encoding="utf-8") != state():
        print(f"{PDF.name} is older than this text and is left out: `make pdf` makes it anew.")
    else:
        app.config.html_extra_path.append(str(PDF))
        app.tags.add("pdf")


def finish(app, exception):
    """Add the picture and the notebooks to the finished site."""
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    (out / "_static" / "card.png").write_bytes(draw.card("three_ideas"))
    for notebook in CHAPTERS.glob("*.ipynb"):
        shutil.copy(notebook, out / "_sources" / "chapters")


def setup(app):
    """Look for the PDF first, add the rest last."""
    app.connect("builder-inited", take_pdf)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True}
