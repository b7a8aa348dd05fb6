"""A Sphinx extension: cells in print, and the places where a page may begin.

Folded code is left out. What a cell printed is set line by line, its checks and claims as
sentences. A cell's parts carry named destinations, by which the tests find them in the PDF.
"""
# docutils declares its nodes' children as bare nodes, and that any may be missing.
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false
# pyright: reportOptionalSubscript=false
import re
import textwrap

import sphinx_exercise.nodes as exercises
from docutils import nodes
from sphinx import addnodes

from tools.extensions.claims import CLAIM, KINDS
from tools.shared.printing import LatexTransform, pages, raw, tex

COLUMNS = 84  # of a printed line
WHOLE = 5  # lines of an output that stay together at its begin and its end
ROWS = 40  # of a table that a page holds
SHORT = 160  # characters that do not stand alone with their heading
DIFFERENCE = re.compile(r"(.*) (\(largest difference .*\))")
INVISIBLE = nodes.Invisible, nodes.raw, nodes.title, addnodes.index, addnodes.tabular_col_spec
GROUPS = nodes.section, nodes.bullet_list, nodes.enumerated_list, exercises.solution_node


class Stills(LatexTransform):
    """Say below the still of a moving picture what it shows, and where it moves."""

    default_priority = 3  # while the picture's HTML and text are still there

    def run(self):
        """Look at every output that is both a picture and HTML."""
        for page in pages(self.document):
            address = f"{self.config.html_baseurl}{page['docname']}.html"
            for bundle in page.findall(nodes.container):
                kinds = {child.get("mime_type"): child for child in bundle
                         if isinstance(child, nodes.container)}
                if {"application/pdf", "text/html"} <= kinds.keys():
                    still, words = kinds["application/pdf"], kinds["text/plain"].astext()
                    part = re.search(r'id="([\w-]+)"', kinds["text/html"].astext())
                    here = address + (rf"\#{part[1]}" if part else "")
                    still.next_node(nodes.image)["alt"] = words
                    says = re.sub(r" \([^()]*\)$", "", words)
                    still.append(raw(rf"\movesat{{{here}}}{{{tex(says)}}}"))


class Cells(LatexTransform):
    """Leave folded code out; set and mark what is left."""

    default_priority = 100

    def run(self):
        """Go through the cells."""
        cells = [node for node in self.document.findall(nodes.container)
                 if node.get("nb_element") == "cell_code"]
        for number, cell in enumerate(cells, start=1):
            for part in list(cell):
                if part.get("nb_element") == "cell_code_output":
                    outputs(part)
                    kind = "output"
                elif "tag_hide-input" in cell["classes"]:
                    cell.remove(part)
                    continue
                else:
                    kind = "code"
                part.insert(0, raw(rf"\begin{{cell{kind}}}\cellmark{{{number}-{kind}-begin}}"))
                part.append(raw(rf"\cellmark{{{number}-{kind}-end}}\end{{cell{kind}}}"))


def outputs(part):
    """Set the texts of a cell's outputs, and let long tables go on on the next page."""
    for first, second in zip(list(part), list(part)[1:], strict=False):
        if isinstance(first, nodes.literal_block) and isinstance(second, nodes.literal_block):
            second.children = [nodes.Text(first.astext().rstrip("\n") + "\n" + second.astext())]
            part.remove(first)
    for child in list(part):
        if isinstance(child, nodes.literal_block):
            part.replace(child, raw(printed(child.astext())))
        elif isinstance(child, nodes.raw) and child.astext().count(r"\\") > ROWS:
            part.replace(child, raw(child.astext().replace("{tabular}", "{longtable}")))


def printed(text):
    """What a cell printed, as LaTeX."""
    parts, at = [], 0
    for claim in CLAIM.finditer(text):
        parts += [*lines(text[at:claim.start()]), sentence(claim[0])]
        at = claim.end()
    parts += lines(text[at:])
    for place in range(len(parts) - WHOLE, WHOLE - 1, -1):
        if not parts[place].startswith(r"\printedline{\ "):  # those belong to the line above
            parts.insert(place, r"\place{split}")
    return "\n".join(parts)


def lines(text):
    """Lines as they were printed; long ones in several."""
    found = [piece for line in text.strip("\n").splitlines()
             for piece in textwrap.wrap(line, COLUMNS, subsequent_indent="    ",
                                        replace_whitespace=False) or [""]]
    return [rf"\printedline{{{tex(line).replace(' ', chr(92) + ' ')}}}" for line in found]


def sentence(claim):
    """A check or claim, without its mark and line breaks; the mark's kind sets it."""
    words = " ".join(claim[1:].split())
    what, difference = found.groups() if (found := DIFFERENCE.fullmatch(words)) else (words, "")
    return rf"\claim{KINDS[claim[0]]}{{{tex(what)}}}{{{tex(difference)}}}"


class Unfolded(LatexTransform):
    """Tables that are folded on the site stand in the text."""

    default_priority = 100

    def run(self):
        """Go through the boxes."""
        for box in list(self.document.findall(nodes.admonition)):
            if box.next_node(nodes.table):
                box.replace_self(box[1:])


class Places(LatexTransform):
    """Note where a page may begin (``tools/shared/pages.py``)."""

    default_priority = 950  # when all is in place

    def run(self):
        """Go through the book."""
        put_places(self.document.next_node(nodes.section), chapters=True)


def put_places(group, chapters=False, headed=False):
    """Put a place before each part of a group that need not follow what is before it.

    chapters: whether the group's sections are chapters; headed: whether it is below a heading.
    """
    before, first = group, False
    for part in list(group):
        if isinstance(part, INVISIBLE):
            before = part if isinstance(part, nodes.title) else before
            continue
        if isinstance(part, addnodes.start_of_file):
            put_places(part, chapters=True)
            continue
        if chapters and isinstance(part, nodes.section):
            put_place(group, group.index(part), "chapter")
        elif before is not group and not follows(before, part) and not (
                first and len(before.astext()) < SHORT):
            put_place(group, group.index(part), "free")
        if isinstance(part, GROUPS):
            put_places(part, headed=isinstance(before, nodes.title))
        # Nothing else is below the heading yet.
        first = isinstance(before, nodes.title) or before is group and headed
        before = part


def put_place(group, at, kind):
    """Put a place before a group's part, and before the targets of links to that part."""
    while at and isinstance(group[at - 1], nodes.target):
        at -= 1
    before = group[at - 1] if at else None
    if isinstance(before, nodes.section) and isinstance(before[-1], nodes.target):
        put_place(before, len(before), kind)
    else:
        group.insert(at, raw(rf"\place{{{kind}}}"))


def follows(before, part):
    """Whether something must stand on one page with what is before it."""
    words = part.astext()
    return (isinstance(before, nodes.title)
            or isinstance(part, nodes.math_block)
            or before.astext().rstrip().endswith(":")
            or isinstance(before, nodes.math_block) and words[:1].islower()
            or isinstance(before, nodes.table) and isinstance(part, nodes.paragraph)
            and any(isinstance(child, nodes.emphasis) for child in part[:1]))


def setup(app):
    """Register the changes, for LaTeX only."""
    for transform in (Stills, Cells, Unfolded, Places):
        app.add_post_transform(transform)
    return {"parallel_read_safe": True}
