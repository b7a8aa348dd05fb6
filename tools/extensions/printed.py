"""A Sphinx extension: the book in print.

Turns the pages into the chapters of one document for LaTeX: solutions follow at the end of
their chapter, drawings are vectors, lists come last. ``printedcells.py``, ``printedcover.py``
and ``printedindex.py`` do the rest; the look is in ``bookprint.sty``.
"""
# docutils declares its nodes' children as bare nodes, and that any may be missing.
# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false
# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false
from pathlib import Path

import sphinx_exercise.nodes as exercises
from docutils import nodes
from sphinx.transforms.post_transforms.images import ImageConverter

from figures.draw import render
from tools.extensions.printedindex import lists
from tools.shared.printing import LatexTransform, pages, raw

FRONT = "About this book"


def top(page):
    """A page's outermost section."""
    return page.next_node(nodes.section)


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
    """The root page as a chapter of its own, the lists as the last ones."""

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
        root.extend([raw(r"\unnumberedchapters"), *lists(chapters)])


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


def setup(app):
    """Register the changes, for LaTeX only."""
    for transform in (Drawings, Solutions, Structure, AltTexts):
        app.add_post_transform(transform)
    for node in (exercises.exercise_node, exercises.exercise_enumerable_node):
        app.add_node(node, override=True, latex=(visit_exercise, depart_exercise))
    app.add_node(exercises.solution_node, override=True, latex=(visit_solution, depart_solution))
    return {"parallel_read_safe": True}
