"""A Sphinx extension: the book in print.

Turns the pages into the chapters of one document for LaTeX: folded code is left out,
solutions follow at the end of their chapter, drawings are vectors, the last chapter is an
index of formulas. The look is in ``tools/extensions/bookprint.sty``.
"""
# docutils declares its nodes' children as bare nodes, and that any may be missing.
# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false
# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false
from datetime import date
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import sphinx_exercise.nodes as exercises
from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.transforms.post_transforms.images import ImageConverter
from sphinx.util.texescape import escape

from figures.draw import render
from tools.shared import colours
from tools.shared.building import remarks
from tools.shared.source import git

FRONT = "About this book"
SUBTITLE = ("Batch normalization, ResNet and DenseNet: every formula is code, and the code is "
            "checked")
COVER = "add_concat"
FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"


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


def top(page):
    """A page's outermost section."""
    return page.next_node(nodes.section)


def version():
    """Which state of the book this is, and its date."""
    day = date.fromisoformat(git("log", "-1", "--format=%cs") or date.today().isoformat())
    words = f"{day.day} {day:%B %Y}"
    state = git("describe", "--tags", "--always", "--dirty=, changed")
    return f"Version {state}, {words}" if state else words


class Drawings(ImageConverter):
    """Draw the figures as PDF for LaTeX, which takes no SVG."""

    conversion_rules = [("image/svg+xml", "application/pdf")]

    def is_available(self):
        """Matplotlib is always there."""
        return True

    def convert(self, source, target):
        """Write the drawing that made the SVG file as PDF."""
        Path(target).write_bytes(render(Path(source).stem, "pdf"))
        return True


class LatexTransform(SphinxPostTransform):
    """A change to the whole book for LaTeX."""

    formats = ("latex",)


class Stills(LatexTransform):
    """Say below the still of a moving picture where it moves, and what it shows."""

    default_priority = 3  # while the picture's HTML and text are still there

    def run(self):
        """Look at every output that is both a picture and HTML."""
        for page in pages(self.document):
            address = f"{self.config.html_baseurl}{page['docname']}.html"
            for bundle in page.findall(nodes.container):
                kinds = {child.get("mime_type"): child for child in bundle
                         if isinstance(child, nodes.container)}
                if {"application/pdf", "text/html"} <= kinds.keys():
                    still = kinds["application/pdf"]
                    still.next_node(nodes.image)["alt"] = kinds["text/plain"].astext()
                    still.append(raw(rf"\movesat{{{address}}}"))


def _ancestors(node):
    while node.parent is not None:
        node = node.parent
        yield node


class Cells(LatexTransform):
    """Leave folded code out, mark what a cell printed."""

    default_priority = 100

    def run(self):
        """Go through the cells."""
        for cell in list(self.document.findall(nodes.container)):
            if "tag_hide-input" in cell["classes"]:
                for part in list(cell):
                    if part.get("nb_element") == "cell_code_source":
                        cell.remove(part)
            if cell.get("nb_element") == "cell_code_output":
                join_texts(cell)
                cell.insert(0, raw(r"\begin{celloutput}"))
                cell.append(raw(r"\end{celloutput}"))


def join_texts(cell):
    """Make one text of those that a cell printed one after the other."""
    for first, second in pairwise(list(cell)):
        if isinstance(first, nodes.literal_block) and isinstance(second, nodes.literal_block):
            second.rawsource = first.astext().rstrip("\n") + "\n" + second.astext()
            second.children = [nodes.Text(second.rawsource)]
            cell.remove(first)


class Solutions(LatexTransform):
    """Gather a chapter's solutions at its end."""

    default_priority = 100  # when their titles are known

    def run(self):
        """Move them, and point at them from their exercises."""
        for page in pages(self.document):
            found = list(page.findall(exercises.solution_node))
            solved = {solution["target_label"] for solution in found}
            for exercise in page.findall(exercises.is_exercise_node):
                if exercise["label"] in solved:
                    exercise.append(raw(rf"\solutionat{{solution:{exercise['label']}}}"))
            if not found:
                continue
            for solution in found:
                solution.parent.remove(solution)
            section = nodes.section("", nodes.title("", "Solutions"), *found,
                                    ids=[f"solutions-{page['docname'].replace('/', '-')}"])
            top(page).extend([raw(r"\unnumberedsections"), section])


class Structure(LatexTransform):
    """The root page as a chapter of its own, the index of formulas as the last one."""

    default_priority = 110

    def run(self):
        """Arrange the chapters."""
        root = self.document.next_node(nodes.section)
        chapters = pages(root)
        for page in chapters:
            wrapper = page.parent
            wrapper.remove(page)
            if not wrapper.children:
                wrapper.parent.remove(wrapper)
        front = nodes.section("", nodes.title("", FRONT), *root[1:], ids=["about"])
        del root[1:]
        root.extend([raw(r"\unnumberedchapters"), front])
        for page in chapters:
            # The bibliography has a heading of its own.
            if page["docname"] == "references":
                top(page).remove(top(page)[0])
            numbered = self.env.toc_secnumbers.get(page["docname"])
            root.extend([raw(r"\numbered" if numbered else r"\unnumberedchapters"), page])
        root.append(raw(r"\unnumberedchapters"))
        root.append(nodes.section("", nodes.title("", "Index of formulas"),
                                  raw(formula_index(chapters)), ids=["index-of-formulas"]))


def formula_index(chapters):
    """The entries of all numbered formulas, by chapter."""
    lines = []
    for page in chapters:
        found = [block for block in page.findall(nodes.math_block) if block.get("label")]
        if found:
            lines.append(rf"\formulachapter{{{tex(page.next_node(nodes.title).astext())}}}")
        for block in found:
            # The text of a solution is a section without a title.
            title = next(n[0].astext() for n in _ancestors(block) if isinstance(n, nodes.section)
                         and n.children and isinstance(n[0], nodes.title))
            lines.append(rf"\formulaentry{{equation:{block['docname']}:{block['label']}}}"
                         rf"{{{tex(title)}}}{{{block['label']}}}")
    return "\n".join(lines)


class AltTexts(LatexTransform):
    """Put the alt texts of pictures into the PDF."""

    default_priority = 900  # when all pictures are in place

    def run(self):
        """Write it before each picture."""
        for picture in list(self.document.findall(nodes.image)):
            words = picture.get("alt", "").encode("utf-16-be").hex().upper()
            if words:
                picture.parent.insert(picture.parent.index(picture),
                                      raw(rf"\alttext{{FEFF{words}}}%"))


def visit_exercise(self, node):
    """Open an exercise; its title follows."""
    self.body.append(rf"\phantomsection\label{{exercise:{node['label']}}}")
    self.body.append(rf"\label{{{self.curfilestack[-1]}:{node['label']}}}" "\n" r"\begin{exercise}")


def depart_exercise(self, _node):
    """Close it."""
    self.body.append("\\end{exercise}\n")


def visit_solution(self, node):
    """Open a solution; its title follows."""
    self.body.append(rf"\phantomsection\label{{solution:{node['target_label']}}}" "\n"
                     r"\begin{solution}")


def depart_solution(self, _node):
    """Close it."""
    self.body.append("\\end{solution}\n")


def prepare(app):
    """Draw the cover, take matplotlib's fonts, tell LaTeX the version."""
    if app.builder.format != "latex":
        return
    folder = Path(app.outdir)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cover.pdf").write_bytes(render(COVER, "pdf"))
    config = app.config
    config.latex_additional_files += [str(path) for path in sorted(FONTS.glob("DejaVuSans*.ttf"))]
    told = [version(), *remarks()]
    facts = {"booksubtitle": tex(SUBTITLE), "bookversion": r"\\".join(map(tex, told)),
             "bookpicture": "cover.pdf", "bookaddress": config.html_baseurl}
    app.builder.context["preamble"] += "".join(
        f"\\newcommand{{\\{name}}}{{{text}}}\n" for name, text in facts.items())
    app.builder.context["preamble"] += colours.latex() + (
        rf"\hypersetup{{pdftitle={{{tex(config.html_title)}}}, pdfsubject={{\booksubtitle}}, "
        rf"pdflang={{{config.language}}}}}")


def setup(app):
    """Register the changes, for LaTeX only."""
    for transform in (Drawings, Stills, Cells, Solutions, Structure, AltTexts):
        app.add_post_transform(transform)
    for node in (exercises.exercise_node, exercises.exercise_enumerable_node):
        app.add_node(node, override=True, latex=(visit_exercise, depart_exercise))
    app.add_node(exercises.solution_node, override=True, latex=(visit_solution, depart_solution))
    app.connect("builder-inited", prepare)
    return {"parallel_read_safe": True}
