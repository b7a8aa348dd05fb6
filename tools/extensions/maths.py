"""A Sphinx extension: a broken formula is a warning with its line in the ``.md``.

MathJax would show it only in the reader's browser, and LaTeX would name a line of its own
file. Looked at: braces, environments, ``\\left`` and ``\\right``, and whether MathJax knows
each command.
"""
import functools
import re

from docutils import nodes
from sphinx.util import logging

from tools.extensions.offline import mathjax

COMMAND = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL)
PAIRS = re.compile(r"\\(begin|end)\{(\w+\*?)\}|\\(left|right)(?![A-Za-z])|(?<!\\)((?:\\\\)*)([{}])")
OPENS = {"begin": "end", "left": "right", "{": "}"}
LOG = logging.getLogger(__name__)


@functools.cache
def known():
    """The names of MathJax's commands: keys and strings of its sources, and some more words."""
    sources = (mathjax() / "input").rglob("*.js")
    return set(re.findall(r"[A-Za-z]+", " ".join(path.read_text(encoding="utf-8")
                                                 for path in sources)))


def fault(formula):
    """What is wrong with a formula of TeX, in words; None if nothing is."""
    for name in COMMAND.findall(formula):
        if name.isalpha() and name not in known():
            return rf"\{name} is no command that MathJax knows"
    waiting = []
    for kind, environment, side, _, brace in PAIRS.findall(formula):
        word = kind or side or brace
        if word in OPENS:
            waiting.append((OPENS[word], environment))
        elif not waiting or waiting.pop() != (word, environment):
            return f"{word} {environment}".strip() + " closes nothing that is open"
    return f"{waiting[-1][0]} {waiting[-1][1]}".strip() + " is missing" if waiting else None


def look(app, doctree):
    """Warn of each broken formula of a page."""
    for node in doctree.findall(lambda one: isinstance(one, nodes.math | nodes.math_block)):
        if wrong := fault(node.astext()):
            LOG.warning("broken formula: %s in %s", wrong, " ".join(node.astext().split()),
                        location=node, type="maths")


def setup(app):
    """Look at every page when it has been read."""
    app.connect("doctree-read", look)
    return {"parallel_read_safe": True}
