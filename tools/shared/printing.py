"""What the extensions for the book in print share."""
# pyright: reportOptionalMemberAccess=false
from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.texescape import escape


class LatexTransform(SphinxPostTransform):
    """A change to the whole book for LaTeX."""

    formats = ("latex",)


def raw(text):
    """A piece of LaTeX as a node."""
    return nodes.raw("", text + "\n", format="latex")


def tex(text):
    """Plain text as LaTeX."""
    return escape(text, "xelatex")


def pages(document):
    """The pages that the document is made of, but the first."""
    found = list(document.findall(addnodes.start_of_file))
    for page in found:  # Sphinx leaves their children with the parents of old
        for child in page:
            child.parent = page
    return found
