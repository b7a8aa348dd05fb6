"""A Sphinx extension: citations say authors and year, as they do in the notebooks.

``_config.yml`` chooses the two styles by the name ``book``.
"""
from dataclasses import dataclass, field

import pybtex.plugin
import sphinxcontrib.bibtex.plugin
from pybtex.style.formatting.unsrt import Style
from pybtex.style.labels import BaseLabelStyle
from sphinxcontrib.bibtex.style.referencing import BracketStyle
from sphinxcontrib.bibtex.style.referencing.label import LabelReferenceStyle

from tools.shared.citations import labels


class Labels(BaseLabelStyle):
    """Authors and year before each entry of the bibliography."""

    def format_labels(self, sorted_entries):
        """The entries' labels."""
        return [labels()[entry.key] for entry in sorted_entries]


class Bibliography(Style):
    """Entries in the order of their authors."""

    default_sorting_style = "author_year_title"
    default_label_style = Labels


@dataclass
class References(LabelReferenceStyle):
    """Labels in round brackets."""

    bracket_parenthetical: BracketStyle = field(
        default_factory=lambda: BracketStyle("(", ")", "; "))


def setup(_app):
    """Make the styles known."""
    pybtex.plugin.register_plugin("pybtex.style.formatting", "book", Bibliography)
    sphinxcontrib.bibtex.plugin.register_plugin("sphinxcontrib.bibtex.style.referencing", "book",
                                                References)
    return {"parallel_read_safe": True}
