"""Turn a chapter's MyST Markdown into plain Markdown that any notebook program shows.

Roles become words and links, directives become paragraphs, labelled equations and
figures get the numbers that they have in the book, drawings are embedded.
"""
import base64
import functools
import io
import re
from pathlib import Path

from PIL import Image

from tools.shared import colours
from tools.shared.citations import labels, sources

LABEL = re.compile(r"^\(([\w-]+)\)=\n", re.MULTILINE)
EQUATION = re.compile(r"\$\$\n(.*?)\n\$\$ \((eq-[\w-]+)\)", re.DOTALL)
FENCE = re.compile(r"^(`{3,}|:{3,})\{([\w-]+)\} *([^\n]*)\n(.*?)^\1 *$\n?",
                   re.MULTILINE | re.DOTALL)
OPTION = re.compile(r"^:([\w-]+): *(.*)\n", re.MULTILINE)
ROLE = re.compile(r"\{([\w:-]+)\}`([^`]+)`")


@functools.cache
def drawing(path):
    """A drawing as a data URI: Colab and GitHub show no attachments of Markdown cells."""
    from figures.draw import render  # slow to load

    png = small_png(render(Path(path.strip()).stem, "png", dpi=130))
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def small_png(png):
    """A PNG with at most 256 colours: a third of its bytes, the same to the eye."""
    data = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256).save(data, "png", optimize=True)
    return data.getvalue()


def source(key):
    """A source as a link: authors and year."""
    key = key.strip()
    arxiv = sources()[key].fields.get("eprint")
    return f"[{labels()[key]}](https://arxiv.org/abs/{arxiv})" if arxiv else labels()[key]


class Chapter:
    """One chapter's numbers: equations, figures and exercises, in the book's order.

    A page without a number, 0, has figures without one.
    """

    def __init__(self, number, cells, pages):
        self.number, self.pages = number, pages
        self.names = {}  # label: what a reference to it says
        counts = {"eq": 0, "fig": 0, "ex": 0}
        for cell in cells:
            for label in self._labels(cell):
                kind = label.split("-")[0]
                counts[kind] += 1
                counted = f" {number}.{counts[kind]}" if number else ""
                self.names[label] = {"eq": f"({counted.strip()})", "fig": f"Figure{counted}",
                                     "ex": f"Exercise{counted}"}[kind]

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
        text = colours.inline(text)
        text = EQUATION.sub(lambda m: f"$$\n{m[1]}\n\\tag{{{self.names[m[2]][1:-1]}}}\n$$", text)
        return ROLE.sub(self._role, text).strip()

    def caption(self, cell):
        """The caption of a code cell's picture, or nothing."""
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        if not figure:
            return ""
        text = colours.inline(ROLE.sub(self._role, figure["caption"]))
        return f"**{self.names[figure['name']]}.** {text}".strip()

    def _role(self, match):
        """A role in words."""
        role, target = match.groups()
        if role == "cite":
            return f"({'; '.join(map(source, target.split(',')))})"
        if role in ("eq", "numref", "ref", "prf:ref"):
            words, _, label = target.rpartition("<")
            label = label.rstrip("> ")
            return self.names.get(label) or f"[{words.strip() or label}]({self.pages[label]})"
        raise ValueError(f"the role {{{role}}} has no plain Markdown: teach it to "
                         "tools/shared/markdown.py")

    def _directive(self, match):
        """A directive in plain Markdown."""
        _, kind, argument, body = match.groups()
        options = dict(OPTION.findall(body))
        body = self.markdown(OPTION.sub("", body))
        if kind == "figure":
            name = self.names[options["name"]]
            return (f"![{options['alt'].strip(chr(34))}]({drawing(argument)})\n\n"
                    f"**{name}.** {body}\n")
        if kind == "exercise":
            stop = "" if argument.endswith("?") else "."
            return f"**{self.names[options['label']]}: {argument}{stop}** {body}\n"
        if kind == "solution-start":
            return f"<details><summary>Solution of {self.names[argument]}</summary>\n"
        if kind == "margin":
            return "".join(f"> {line}\n" for line in body.splitlines())
        if kind == "solution-end":
            return "</details>\n"
        if kind in ("note", "tip", "warning", "important", "caution", "admonition"):
            title = argument or kind.capitalize()
            if "dropdown" in options.get("class", ""):
                return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>\n"
            return "".join(f"> {line}\n" for line in [f"**{title}.**", *body.splitlines()])
        raise ValueError(f"the directive {{{kind}}} has no plain Markdown: teach it to "
                         "tools/shared/markdown.py")


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
