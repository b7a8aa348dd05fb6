"""A Sphinx extension: the directive ``{race} NAME``, the tables of one race of ``make bench``.

There is a table for each device that has results in ``benchmarks/results``.
"""
import json

from sphinx.util.docutils import SphinxDirective

from tools.shared.source import ROOT

RESULTS = ROOT / "benchmarks" / "results"


def number(value, like=None):
    """A number with three digits that count, an accuracy with four; as ``like`` would be."""
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value if like is None else like)
    if size < 1:
        return f"{value:.4f}"
    return f"{value:,.0f}" if size >= 100 else f"{value:.3g}"


def cell(value):
    """A value of the table in words."""
    if isinstance(value, bool):
        return "✓" if value else "✗"
    if isinstance(value, dict):
        middle, low, high = (number(value[key], value["median"])
                             for key in ("median", "low", "high"))
        return middle if low == high else f"{middle} ({low} to {high})"
    return number(value) if isinstance(value, (int, float)) else value or "–"


def table(rows):
    """Rows as a Markdown table; a row may lack columns."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [columns, ["---"] * len(columns),
             *([cell(row.get(column)) for column in columns] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def widths(lines, total=15.9, gap=0.28, letter=0.175):
    """The columns' widths for print in cm, as ``tabularcolumns``: room for the longest word,
    and what is left by the longest cell."""
    columns = [[cell.strip() for cell in column]
               for column in zip(*(line.strip("|").split("|") for line in lines))]
    words = [letter * max(len(word) for cell in column for word in cell.split())
             for column in columns]
    longest = [min(max(map(len, column)), 24) for column in columns]
    left = (total - gap * len(columns) - sum(words)) / sum(longest)
    spec = "".join(f"R{{{word + left * length:.2f}cm}}" for word, length in zip(words, longest))
    return f"```{{tabularcolumns}} {spec}\n```\n\n"


def told(result):
    """Where and when a race was run, in words."""
    rounds = ("one run" if result["rounds"] == 1 else
              f"{result['rounds']} rounds, median (lowest to highest)")
    return (f"{result['device']}; Python {result['python']}, torch {result['torch']}, torchvision "
            f"{result['torchvision']}; {result['date']}; {rounds}; "
            f"{result['seconds']} s")


def race(name, folder=RESULTS):
    """The tables of a race, a device each, as Markdown."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    parts = []
    for result in (results[name] for results in found if name in results):
        for text in map(table, result["tables"]):
            parts.append(widths(text.splitlines()) + text)
        parts.append(f"*{told(result)}.*")
    return "\n\n".join(parts) or "*Not measured yet: `make bench` does it.*"


class Race(SphinxDirective):
    """The tables of the race that the argument names."""
    required_arguments = 1

    def run(self):
        """Parse the tables as Markdown of the page."""
        for path in RESULTS.glob("*.json"):
            self.env.note_dependency(str(path))
        return self.parse_text_to_nodes(race(self.arguments[0]))


def setup(app):
    """Make the directive known."""
    app.add_directive("race", Race)
    return {"parallel_read_safe": True}
