"""A Sphinx extension: the directive ``{results}``, a table of the chapters' final numbers.

The numbers are read from the outputs that the site shows; nobody types them.
"""
import re

from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from outputs import site_store
from publish import facts
from run import chapter_names, read_chapter

# In a chapter's output: the line of a final test accuracy, and what the network is called.
FINAL = {"batch_norm": (r"^(LeNet \+ BN) +median (?P<accuracy>[\d.]+)", "median of 3 seeds"),
         "resnet": (r"^([\w -]+): test accuracy (?P<accuracy>[\d.]+)", "one seed"),
         "densenet": (r"^(DenseNet) +test accuracy (?P<accuracy>[\d.]+)", "one seed")}
TRAINED = r"^{}(?:, seed 1)?: epochs (?P<epochs>\d+), (?P<seconds>[\d.]+) s, (?P<speed>[\d,]+) images/s"


def printed(nb):
    """All that a chapter's cells printed, progress lines included."""
    texts = []
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            texts.append(output.get("text") or output.get("data", {}).get("text/plain", ""))
    return "\n".join(texts)


def find(pattern, text, name):
    """The match of a line; an error that names the chapter where there is none."""
    match = re.search(pattern, text, re.MULTILINE)
    if not match:
        raise ExtensionError(f"chapters/{name}.md printed no line like {pattern!r}: "
                             "tools/results.py cannot find its final number")
    return match


def row(name, nb):
    """A chapter's line of the table, as Markdown."""
    text, told = printed(nb), facts(nb)
    pattern, seeds = FINAL[name]
    final = find(pattern, text, name)
    run = find(TRAINED.format(re.escape(final[1])), text, name)
    cells = (f"{final[1]}, {seeds}", final["accuracy"], run["epochs"], run["seconds"],
             run["speed"], told["run_time"], told["data"], told["device"], told["date"])
    return "| " + " | ".join(cells) + " |"


def versions(nb):
    """The versions that a chapter ran with."""
    return facts(nb)["versions"]


class Results(SphinxDirective):
    """The table, and the versions below it."""

    def run(self):
        """Parse the table as Markdown of the page."""
        names = [name for name in chapter_names() if name in FINAL]
        runs = {name: site_store().merge_match_into_notebook(read_chapter(name))[1]
                for name in names}
        lines = ["| network | test accuracy | epochs | training (s) | images/s | whole chapter "
                 "| data | device | date |", "| --- " * 9 + "|", *(row(name, nb) for name, nb in runs.items()), ""]
        lines += sorted({f"Versions: {versions(nb)}." for nb in runs.values()})
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app):
    """Make the directive known."""
    app.add_directive("results", Results)
    return {"parallel_read_safe": True}
