"""A Sphinx extension: the directive ``{cards}``, a card for each chapter of the book.

A card has the chapter's verb, the description of its front matter, and a link to Colab.
"""
from sphinx.util.docutils import SphinxDirective

from tools.shared.source import chapter_names, heading

CARD = """\
:::{{grid-item-card}} {number}. {verb}
:link: {label}
:link-type: ref
{description}

{{colab}}`{name}`
:::
"""


class Cards(SphinxDirective):
    """The cards in a row."""

    def run(self):
        """Parse them as Markdown of the page."""
        names = chapter_names(numbered=True)
        cards = "\n".join(CARD.format(number=number, **vars(heading(name)))
                          for number, name in enumerate(names, start=1))
        columns = min(len(names), 3)
        return self.parse_text_to_nodes(
            f"::::{{grid}} 1 1 {columns} {columns}\n:gutter: 3\n\n{cards}::::")


def setup(app):
    """Make the directive known."""
    app.add_directive("cards", Cards)
    return {"parallel_read_safe": True}
