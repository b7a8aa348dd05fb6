"""A Sphinx extension: the directive ``{results}``, a table of the chapters' final numbers.

The numbers are the data that the chapters' last cells handed over; nobody types them.
"""
import statistics

from sphinx.util.docutils import SphinxDirective

from tools.shared.building import shown_runs

COLUMNS = "network", "test accuracy", "epochs", "training, s", "images/s"


def row(facts):
    """A chapter's line of the table, as Markdown; None where it has no network to show."""
    if "network" not in facts:
        return None
    accuracies = facts["test_accuracy"]
    seeds = (f" ({min(accuracies):.4f} to {max(accuracies):.4f})" if len(accuracies) > 1 else "")
    cells = (facts["network"], f"{statistics.median(accuracies):.4f}{seeds}",
             facts["num_epochs"], f"{statistics.median(facts['train_seconds']):.1f}",
             f"{statistics.median(facts['images_per_second']):,.0f}")
    return "| " + " | ".join(map(str, cells)) + " |"


def place(facts):
    """What a chapter ran on, with what and when, in words."""
    versions = ", ".join(map(" ".join, facts["versions"].items()))
    return (f"Run on {facts['data']}, budget {facts['budget']}, {facts['device']}, "
            f"{facts['date']}; {versions}.")


class Results(SphinxDirective):
    """The table, and what it was measured on below it."""

    def run(self):
        """Parse the table as Markdown of the page."""
        told = [run.facts for run in shown_runs() if run.facts]
        lines = ["| " + " | ".join(COLUMNS) + " |",
                 "| --- |" + " ---: |" * (len(COLUMNS) - 1),
                 *filter(None, map(row, told)), "", *sorted(set(map(place, told)))]
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app):
    """Make the directive known."""
    app.add_directive("results", Results)
    return {"parallel_read_safe": True}
