"""A Sphinx extension: what ``{margin}`` makes is a plain box, on the site and in print.

The theme's own node is a landmark to screen readers, and has a frame in print.
"""
from docutils import nodes

from tools.shared.printing import LatexTransform, raw


def unframe(_app, doctree):
    """Put a container in the place of each margin note's side bar."""
    for note in list(doctree.findall(nodes.sidebar)):
        if "margin" in note["classes"]:
            words = [child for child in note if not isinstance(child, nodes.title)]
            note.replace_self(nodes.container("", *words, classes=["margin"]))


class Printed(LatexTransform):
    """In print a note is small and indented, where it stands in the text."""

    default_priority = 100

    def run(self):
        """Go through the notes."""
        for box in self.document.findall(nodes.container):
            if box["classes"] == ["margin"]:
                box.insert(0, raw(r"\begin{quote}\small"))
                box.append(raw("\n\\end{quote}"))


def setup(app):
    """Look at every page when it has been read."""
    app.connect("doctree-read", unframe)
    app.add_post_transform(Printed)
    return {"parallel_read_safe": True}
