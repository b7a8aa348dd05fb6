"""A Sphinx extension: ``3 × 3`` and ``k-th`` do not break over lines of the site."""
import re

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

TIMES = re.compile(r"(?<=\w) × (?=\w)")


class Unbroken(SphinxPostTransform):
    """No-break spaces around a times sign; a formula and its ``-th`` in one box."""

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs):
        """Go through the page's prose."""
        for text in list(self.document.findall(nodes.Text)):
            parent = text.parent
            if isinstance(parent, nodes.FixedTextElement | nodes.literal | nodes.math):
                continue
            before = parent[parent.index(text) - 1] if parent.index(text) else None
            if isinstance(before, nodes.math) and (found := re.match(r"-th\b", text)):
                box = nodes.inline("", "", before.deepcopy(), nodes.Text(found[0]),
                                   classes=["unbroken"])
                parent[parent.index(text) - 1:parent.index(text) + 1] = [
                    box, nodes.Text(text[found.end():])]
            elif TIMES.search(text):
                parent.replace(text, nodes.Text(TIMES.sub("\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}",
                                                          text)))


def setup(app):
    """Go through every page of the site."""
    app.add_post_transform(Unbroken)
    return {"parallel_read_safe": True}
