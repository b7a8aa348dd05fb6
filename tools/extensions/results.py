"""A Sphinx extension: the directive ``{results}``, a table of the chapters' final numbers.

The numbers are the data that the chapters' last cells handed over; nobody types them.
"""
import statistics

from sphinx.util.docutils import SphinxDirective

from tools.shared.building import shown_runs

COLUMNS = ("network", "test accuracy", "epochs", "training (s)", "images/s", "whole chapter",
           "data, budget", "device", "date")


def row(facts):
    """A chapter's line of the table, as Markdown; None where it has no network to show."""
    if "network" not in facts:
        return None
    seeds = len(facts["test_accuracy"])
    cells = (facts["network"] + (f", median of {seeds} seeds" if seeds > 1 else ", one seed"),
             f"{statistics.median(facts['test_accuracy']):.4f}", facts["num_epochs"],
             f"{statistics.median(facts['train_seconds']):.1f}",
             f"{statistics.median(facts['images_per_second']):,.0f}",
             f"{facts['run_seconds'] // 60} min {facts['run_seconds'] % 60} s",
             f"{facts['data']}, {facts['budget']}", facts["device"], facts["date"])
    return "| " + " | ".join(map(str, cells)) + " |"


def versions(facts):
    """The versions that a chapter ran with, in words."""
    return f"Versions: {', '.join(map(' '.join, facts['versions'].items()))}."


class Results(SphinxDirective):
    """The table, and the versions below it."""

    def run(self):
        """Parse the table as Markdown of the page."""
        told = [run.facts for run in shown_runs() if run.facts]
        lines = ["| " + " | ".join(COLUMNS) + " |", "| --- " * len(COLUMNS) + "|",
                 *filter(None, map(row, told)), "", *sorted(set(map(versions, told)))]
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app):
    """Make the directive known."""
    app.add_directive("results", Results)
    return {"parallel_read_safe": True}
