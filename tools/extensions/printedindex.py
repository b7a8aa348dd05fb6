"""A Sphinx extension: the lists at the end of the book in print: figures, formulas, terms.

Formulas have their names from ``chapters/index.yml``, and the terms are listed there.
"""
# docutils declares its nodes' children as bare nodes, and that any may be missing.
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false
import re

import yaml
from docutils import nodes
from sphinx import addnodes

from tools.shared.printing import LatexTransform, raw, tex
from tools.shared.source import CHAPTERS, read

SENTENCE = re.compile(r"(.*?[.:;])(?:\s|$)", re.DOTALL)


def listed():
    """What ``index.yml`` says."""
    return yaml.safe_load(read(CHAPTERS / "index.yml"))


def ancestor(node, kind):
    """The nearest node of this kind around a node, with a title where it is a section."""
    while not isinstance(node, kind) or (
            kind is nodes.section and not isinstance(node[0], nodes.title)):
        node = node.parent
    return node


class Terms(LatexTransform):
    """Index a term where a section first uses it; bold, where the text explains it."""

    default_priority = 90  # before the solutions move

    def run(self):
        """Look at all paragraphs."""
        terms = {term: re.compile(rf"\b{re.escape(term)}", re.IGNORECASE)
                 for term in listed()["terms"]}
        used, met = set(), set()
        for paragraph in list(self.document.findall(nodes.paragraph)):
            if isinstance(paragraph.parent, nodes.entry):  # of a table
                continue
            section = ancestor(paragraph, nodes.section)
            strong = " ".join(word.astext() for word in paragraph.findall(nodes.strong))
            words = " ".join(text.astext() for text in paragraph.findall(nodes.Text)
                             if not isinstance(text.parent, (nodes.literal, nodes.math)))
            if id(section) not in met:  # its title's page is that of its first paragraph
                met.add(id(section))
                words += " " + section[0].astext()
            words = re.sub(r"\s+", " ", words)
            for term, pattern in terms.items():
                explained = bool(pattern.search(strong))
                if pattern.search(words) and (explained or (term, id(section)) not in used):
                    used.add((term, id(section)))
                    entry = "single", term, "", "main" if explained else "", None
                    paragraph.append(addnodes.index(entries=[entry]))


def chapter(title, *lines):
    """A chapter of lines of LaTeX."""
    return nodes.section("", nodes.title("", title), raw("\n".join(lines)),
                         ids=[title.lower().replace(" ", "-")])


def by_page(pages, kind, entry):
    """Lines of LaTeX for all nodes of a kind that ``entry`` has a line for, under their pages."""
    for page in pages:
        lines = [entry(node) for node in page.findall(kind)]
        if any(lines):
            yield rf"\listedchapter{{{tex(page.next_node(nodes.title).astext())}}}"
            yield from filter(None, lines)


def figure(node):
    """A figure's line: the first sentence of its caption."""
    caption = node.next_node(nodes.caption)
    if caption is None or not node["ids"]:
        return None
    words = "".join(rf"\({part.astext()}\)" if isinstance(part, nodes.math)
                    else tex(part.astext()) for part in caption)
    first = SENTENCE.match(words)
    label = f"{ancestor(node, addnodes.start_of_file)['docname']}:{node['ids'][0]}"
    return rf"\listedfigure{{{label}}}{{{(first[1] if first else words).rstrip('.:;')}}}"


def formula(node):
    """A numbered formula's line: its name, or its section's where it has none, and itself."""
    if not node.get("label"):
        return None
    name = (listed()["formulas"].get(node["label"])
            or ancestor(node, nodes.section)[0].astext())
    label, signs = f"equation:{node['docname']}:{node['label']}", node.astext().strip(" .,\n")
    return rf"\listedformula{{{label}}}{{{tex(name)}}}{{{signs}}}"


def lists(pages):
    """The lists of figures and formulas, as chapters."""
    return [chapter("List of figures", *by_page(pages, nodes.figure, figure)),
            chapter("Index of formulas", *by_page(pages, nodes.math_block, formula))]


def setup(app):
    """Register the index of terms, for LaTeX only."""
    app.add_post_transform(Terms)
    return {"parallel_read_safe": True}
