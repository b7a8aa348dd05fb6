"""Turn a chapter's MyST Markdown into plain Markdown that any notebook program shows.

Roles become words and links, directives become paragraphs, labelled equations and
figures get the numbers that they have in the book, drawings are embedded.
"""
import base64
import importlib
import io
import re

import matplotlib as mpl
import yaml
from pybtex.database import parse_file

from outputs import ROOT

LABEL = re.compile(r"^\(([\w-]+)\)=\n", re.MULTILINE)
EQUATION = re.compile(r"\$\$\n(.*?)\n\$\$ \((eq-[\w-]+)\)", re.DOTALL)
FENCE = re.compile(r"^(`{3,}|:{3,})\{([\w-]+)\} *([^\n]*)\n(.*?)^\1 *$\n?",
                   re.MULTILINE | re.DOTALL)
OPTION = re.compile(r"^:([\w-]+): *(.*)\n", re.MULTILINE)
ROLE = re.compile(r"\{([\w:-]+)\}`([^`]+)`")


class Chapter:
    """One chapter's numbers: equations, figures and exercises, in the book's order."""

    def __init__(self, number, cells, pages):
        self.number, self.pages = number, pages
        self.sources = parse_file(ROOT / "references.bib").entries
        self.names = {}  # label: what a reference to it says
        counts = {"eq": 0, "fig": 0, "ex": 0}
        for cell in cells:
            for label in self._labels(cell):
                kind = label.split("-")[0]
                counts[kind] += 1
                self.names[label] = {"eq": f"({number}.{counts[kind]})",
                                     "fig": f"Figure {number}.{counts[kind]}",
                                     "ex": f"Exercise {number}.{counts[kind]}"}[kind]

    @staticmethod
    def _labels(cell):
        """The numbered labels of a cell, in order."""
        if cell.cell_type == "code":
            name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
            return [name] if name else []
        return re.findall(r"^(?:\$\$ \(|:name: |:label: )((?:eq|fig|ex)-[\w-]+)\)?$", cell.source,
                          re.MULTILINE)

    def markdown(self, text):
        """A Markdown cell as plain Markdown."""
        text = re.sub(r"^\+\+\+.*\n", "", LABEL.sub("", text), flags=re.MULTILINE)
        text = FENCE.sub(self._directive, text)
        text = EQUATION.sub(lambda m: f"$$\n{m[1]}\n\\tag{{{self.names[m[2]][1:-1]}}}\n$$", text)
        return ROLE.sub(self._role, text).strip()

    def caption(self, cell):
        """The caption of a code cell's picture, or nothing."""
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        if not figure:
            return ""
        text = ROLE.sub(self._role, figure["caption"])
        return f"**{self.names[figure['name']]}.** {text}".strip()

    def _role(self, match):
        """A role in words."""
        role, target = match.groups()
        if role == "cite":
            return "[" + "; ".join(self._source(key) for key in target.split(",")) + "]"
        if role in ("eq", "numref", "ref", "prf:ref"):
            words, _, label = target.rpartition("<")
            label = label.rstrip("> ")
            return self.names.get(label) or f"[{words.strip() or label}]({self.pages[label]})"
        raise ValueError(f"the role {{{role}}} has no plain Markdown: teach it to "
                         "tools/portable.py")

    def _source(self, key):
        """A source as a link: first author and year."""
        entry = self.sources[key.strip()]
        authors = [str(author.last_names[0]) for author in entry.persons["author"]]
        who = authors[0] if len(authors) == 1 else (
            " and ".join(authors) if len(authors) == 2 else f"{authors[0]} et al.")
        words = f"{who}, {entry.fields['year']}"
        arxiv = entry.fields.get("eprint")
        return f"[{words}](https://arxiv.org/abs/{arxiv})" if arxiv else words

    def _directive(self, match):
        """A directive in plain Markdown."""
        _, kind, argument, body = match.groups()
        options = dict(OPTION.findall(body))
        body = self.markdown(OPTION.sub("", body))
        if kind == "figure":
            name = self.names[options["name"]]
            return (f"![{options['alt'].strip(chr(34))}](attachment:{drawing_name(argument)})\n\n"
                    f"**{name}.** {body}\n")
        if kind == "exercise":
            stop = "" if argument.endswith("?") else "."
            return f"**{self.names[options['label']]}: {argument}{stop}** {body}\n"
        if kind == "solution-start":
            return f"<details><summary>Solution of {self.names[argument]}</summary>\n"
        if kind == "solution-end":
            return "</details>\n"
        if kind in ("note", "tip", "warning", "important", "caution", "admonition"):
            title = argument or kind.capitalize()
            return "".join(f"> {line}\n" for line in [f"**{title}.**", *body.splitlines()])
        raise ValueError(f"the directive {{{kind}}} has no plain Markdown: teach it to "
                         "tools/portable.py")


def fold(text, inside):
    """Close a solution's ``<details>`` at the end of its cell and open it in the next.

    inside: whether the cell before ended within a solution. Returns the text, and whether
    this one does.
    """
    ends_inside = (text.rfind("<details>") > text.rfind("</details>") if "details>" in text
                   else inside)
    if inside:
        text = f"<details><summary>Solution, continued</summary>\n\n{text}"
    if ends_inside:
        text += "\n\n</details>"
    text = re.sub(r"<details><summary>Solution, continued</summary>\s*</details>\s*", "", text)
    return re.sub(r"<details><summary>(Solution of .*?)</summary>\s*</details>",
                  r"**\1**: the folded code below.", text), ends_inside


def drawing_name(path):
    """The attachment's name for a drawing's path."""
    return path.strip().rsplit("/", 1)[1].replace(".svg", ".png")


def attachments(text):
    """The drawings that a Markdown cell shows, as a notebook's attachments."""
    names = re.findall(r"^`{3,}\{figure\} *\S*/(\w+)\.svg", text, re.MULTILINE)
    return {f"{name}.png": {"image/png": _png(name)} for name in names}


def drawing(name, format, **options):
    """A drawing of ``figures/`` as bytes in a format of matplotlib's."""
    draw, data = importlib.import_module("figures.draw"), io.BytesIO()
    with mpl.rc_context(draw.STYLE):
        figure = importlib.import_module(f"figures.{name}").draw().figure
        figure.savefig(data, format=format, **options)
    return data.getvalue()


def _png(name):
    """A drawing as PNG, in base64."""
    data = drawing(name, "png", dpi=130, facecolor="white", metadata={"Software": None})
    return base64.b64encode(data).decode()


def config():
    """The book's configuration."""
    return yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
