"""A Sphinx extension: what the site carries beside its pages.

The picture that is shown where somebody shares a link, the PDF if it was made, and in
the place of the page's own source the notebook that runs anywhere.
"""
import shutil
from pathlib import Path

from docutils import nodes

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


def describe(app, page, _template, context, doctree):
    """Have a shared link say what search engines show, not the page's first words; the front
    page says the book's title once."""
    if page == app.config.root_doc:
        context["docstitle"] = ""
    told = [node["content"] for node in (doctree.findall(nodes.meta) if doctree else ())
            if node.get("name") == "description"]
    if told:
        context["meta"] = {**(context["meta"] or {}), "og:description": told[0]}


def lead_to_pdf(app, _page, _template, context, _doctree):
    """Have the theme's button lead to the book's PDF; without one it prints the page."""
    for group in context.get("header_buttons", []):
        for button in group.get("buttons", []):
            if button.get("label") == "download-pdf-button":
                if "pdf" in app.tags:
                    button.pop("javascript", None)  # it is a link now
                    button |= {"type": "link", "text": ".pdf", "tooltip": "The whole book as a PDF",
                               "url": context["pathto"](PDF.name, 1)}
                else:
                    button |= {"text": "Print", "tooltip": "Print"}


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
    app.connect("html-page-context", describe, priority=400)  # before the tags are written
    app.connect("html-page-context", lead_to_pdf, priority=900)  # once the theme's are there
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True}
