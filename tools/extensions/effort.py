"""A Sphinx extension: each chapter says at its head how long it takes to read and to run."""
from docutils import nodes

from tools.shared.reading import effort
from tools.shared.source import CHAPTERS, chapter_names, read_chapter
from tools.shared.store import shown_run


def tell(app, doctree):
    """Add the line below the title of a chapter."""
    folder, _, name = app.env.docname.rpartition("/")
    if folder != CHAPTERS.name or name not in chapter_names():
        return
    nb = read_chapter(name)
    if run := shown_run(name, nb):
        title = doctree.next_node(nodes.title)
        title.parent.insert(1, nodes.paragraph("", effort(nb, run), classes=["effort"]))


def setup(app):
    """See to every chapter when it has been read."""
    app.connect("doctree-read", tell)
    return {"parallel_read_safe": True}
