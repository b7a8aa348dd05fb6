"""A Sphinx extension: what ``{margin}`` makes is a plain box, on the site and in print.

The theme's own node is a landmark to screen readers, and has a frame in print.
"""
from docutils import nodes


def unframe(_app, doctree):
    """Put a container in the place of each margin note's side bar."""
    for note in list(doctree.findall(nodes.sidebar)):
        if "margin" in note["classes"]:
            words = [child for child in note if not isinstance(child, nodes.title)]
            note.replace_self(nodes.container("", *words, classes=["margin"]))


def setup(app):
    """Look at every page when it has been read."""
    app.connect("doctree-read", unframe)
    return {"parallel_read_safe": True}
