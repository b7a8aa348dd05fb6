"""A Sphinx extension: what ``make bench`` measured, as pictures and tables.

``{race} NAME`` shows a race's picture, with the directive's content as its caption, and its
tables, folded where there is a picture; ``{race-reach}`` how far each loop gets in time,
``{race-devices}`` where and when all was measured, ``{published}`` our accuracies among the
published ones. A device that has results in ``benchmarks/results`` has pictures and tables of
its own.
"""
import json
import re
import statistics

import matplotlib as mpl
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from figures.draw import METADATA, STYLE
from tools.extensions import raceplots, racetables
from tools.shared.building import shown_runs
from tools.shared.source import ROOT

RESULTS = ROOT / "benchmarks" / "results"
PUBLISHED = ROOT / "benchmarks" / "published.json"
PICTURES = ROOT / "_build" / "races"
WORD = re.compile(r"(?!of\b)[A-Za-z]{2}")  # "3 of 3" is a number
NUMBERS = r">{\raggedleft\arraybackslash}p"  # a column of them in print
FOLDED = ":::{{admonition}} The numbers\n:class: dropdown\n\n{}\n:::"


def number(value, like=None):
    """A number with three digits that count, an accuracy with four; as ``like`` would be."""
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value if like is None else like)
    if size < 1:
        return f"{value:.4f}"
    return f"{value:,.0f}" if size >= 100 else f"{value:#.3g}".rstrip(".")


def cell(value):
    """A value of the table in words."""
    if isinstance(value, dict):
        middle, low, high = (number(value[key], value["median"])
                             for key in ("median", "low", "high"))
        return middle if low == high else f"{middle} ({low} to {high})"
    return number(value) if isinstance(value, (int, float)) else value or "–"


def table(rows):
    """Rows as a Markdown table: words to the left, numbers to the right."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    words = [any(isinstance(row.get(column), str) and WORD.search(row[column]) for row in rows)
             for column in columns]
    lines = [columns, ["---" if left else "---:" for left in words],
             *([cell(row.get(column)) for column in columns] for row in rows)]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return widths(text.splitlines(), words) + text


def widths(lines, left_ones, total=15.9, gap=0.28, letter=0.175):
    """The columns' widths for print in cm, as ``tabularcolumns``: room for the longest word,
    and what is left by the longest cell."""
    columns = [[cell.strip() for cell in column]
               for column in zip(*(line.strip("|").split("|") for line in lines))]
    words = [letter * max(len(word) for cell in column for word in cell.split())
             for column in columns]
    longest = [min(max(map(len, column)), 24) for column in columns]
    left = (total - gap * len(columns) - sum(words)) / sum(longest)
    spec = "".join(f"{'R' if to_left else NUMBERS}{{{word + left * length:.2f}cm}}"
                   for to_left, word, length in zip(left_ones, words, longest))
    return f"```{{tabularcolumns}} {spec}\n```\n\n"


def kept(folder=None):
    """The results of each device: the name of its file, and race to result."""
    paths = sorted((folder or RESULTS).glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def told(result):
    """How a race was run, in words."""
    rounds = ("one run" if result["rounds"] == 1 else f"{result['rounds']} rounds")
    return f"{rounds}, {result['date']}, {result['seconds'] / 60:.1f} min"


def picture(name, drawn):
    """A Figure as SVG (site) and PDF (print); returns the path for a directive.

    Beside them is its SVG for a phone, if it has one panel.
    """
    PICTURES.mkdir(parents=True, exist_ok=True)

    def save(end, kind):
        with mpl.rc_context(STYLE):
            drawn.savefig(PICTURES / f"{name}{end}.{kind}", transparent=True,
                          metadata=METADATA[kind])

    save("", "svg")
    save("", "pdf")
    if raceplots.for_phone(drawn):
        save("-narrow", "svg")
    return f"/{PICTURES.relative_to(ROOT).as_posix()}/{name}.*"


def figure(name, drawn, alt, caption):
    """A picture with its alt text and caption, as Markdown."""
    return (f"```{{figure}} {picture(name, drawn)}\n:name: fig-{name}\n"
            f":alt: {json.dumps(alt, ensure_ascii=False)}\n\n{caption}\n```")


def race(name, caption="", folder=None):
    """The picture and the tables of a race, by device, as Markdown."""
    parts = []
    for device, results in kept(folder).items():
        if name not in results:
            continue
        result = results[name]
        rows = result["tables"][0]
        if name in raceplots.PLOTS:
            with mpl.rc_context(STYLE):
                drawn, alt = raceplots.PLOTS[name](rows)
            parts.append(figure(f"race-{name}-{device}", drawn, alt, caption))
        tables = racetables.TABLES[name](rows) if name in racetables.TABLES else result["tables"]
        text = "\n\n".join([*map(table, tables), f"*{told(result)}.*"])
        parts.append(FOLDED.format(text) if name in raceplots.PLOTS else text)
    return "\n\n".join(parts) or "*Not measured yet: `make bench` does it.*"


def reach(folder=None):
    """How far each loop gets in time, by device, as Markdown."""
    tables = [table(racetables.reach(results["epochs"]["tables"][0],
                                     results["learning"]["tables"][0])[0])
              for results in kept(folder).values() if {"epochs", "learning"} <= results.keys()]
    return "\n\n".join(tables) or "*Not measured yet: `make bench` does it.*"


def devices(folder=None):
    """Each device, the versions and the days of its races, in a sentence."""
    lines = []
    for results in kept(folder).values():
        last = max(results.values(), key=lambda result: result["date"])
        days = sorted({result["date"] for result in results.values()})
        lines.append(f"Measured on {last['device']}, {' to '.join({days[0]: 0, days[-1]: 0})}; "
                     f"Python {last['python']}, torch {last['torch']}.")
    return "\n\n".join(lines)


class Race(SphinxDirective):
    """A race's picture and tables; the content is the picture's caption."""
    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Parse them as Markdown of the page."""
        for path in [*RESULTS.glob("*.json"), PUBLISHED]:
            self.env.note_dependency(str(path))
        return self.parse_text_to_nodes(self.markdown())

    def markdown(self):
        """What the directive stands for."""
        return race(self.arguments[0], "\n".join(self.content))


class Reach(Race):
    """How far each loop gets in time."""
    required_arguments = 0

    def markdown(self):
        """A table."""
        return reach()


class Devices(Race):
    """Where and when the races were run."""
    required_arguments = 0

    def markdown(self):
        """A paragraph a device."""
        return devices()


class Published(Race):
    """Our accuracies among the published ones; the content is the caption."""
    required_arguments = 0

    def markdown(self):
        """The picture and its table."""
        rows = json.loads(PUBLISHED.read_text(encoding="utf-8"))
        ours = {run.facts["network"]: run.facts["test_accuracy"] for run in shown_runs()
                if "network" in run.facts}
        for results in kept().values():
            if "best" in results:
                ours["ResNet, six minutes"] = [row["by ten views"] for row in
                                               results["best"]["tables"][0]]
        with mpl.rc_context(STYLE):
            drawn, alt = raceplots.published(rows, ours)
        lines = [{"source": row["source"], "network": row["network"], "budget": row["budget"],
                  "test accuracy": spoken(row["accuracy"])} for row in rows]
        return "\n\n".join([figure("published", drawn, alt, "\n".join(self.content)),
                            FOLDED.format(table(lines))])


def spoken(values):
    """One accuracy, two, or the median of runs with their range."""
    if len(values) == 3:
        return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"
    return ", ".join(f"{value:.3f}" for value in values)


def setup(app):
    """Make the directives known."""
    for name, directive in (("race", Race), ("race-reach", Reach), ("race-devices", Devices),
                            ("published", Published)):
        app.add_directive(name, directive)
    return {"parallel_read_safe": True}
