"""A Sphinx extension: exercises and solutions lead to each other, and a bar only folds.

sphinx-exercise links a solution's title to the exercise: who clicked to unfold was led away.
It also gives the text of all exercises of a page one id.
"""
# docutils declares its nodes' children as bare nodes.
# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false
import sphinx_exercise.nodes as exercises
from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform


def line(words, place, kind):
    """A line that is a link within the page."""
    link = nodes.reference("", words, refid=place, internal=True)
    return nodes.paragraph("", "", link, classes=[kind])


class Solutions(SphinxPostTransform):
    """Links at the ends, plain words in the bars, ids that are one node's."""

    default_priority = 100  # when their titles are known
    formats = ("html",)

    def run(self, **kwargs):
        """Go through the page's solutions, then its exercises."""
        solved = {}
        for solution in self.document.findall(exercises.solution_node):
            label = solution["target_label"]
            solution["ids"] = [f"solution-{label}"]
            solved[label] = solution["ids"][0]
            for title in solution.findall(nodes.title):
                title[:] = [nodes.Text(title.astext())]
            solution.append(line("Back to the exercise", label, "to-exercise"))
        for exercise in self.document.findall(exercises.is_exercise_node):
            if exercise["label"] in solved:
                exercise.append(line("To the solution", solved[exercise["label"]], "to-solution"))
        for unit in self.document.findall(exercises.is_extension_node):
            for section in unit.findall(nodes.section):
                section["ids"] = []


def setup(app):
    """Go through every page of the site."""
    app.add_post_transform(Solutions)
    return {"parallel_read_safe": True}
