"""A Sphinx extension: the search finds sections, exercises and solutions, not whole pages.

In the place of Sphinx's index of words stands the text of each section; ``search.js`` beside
this file looks through it. Both are scripts, so that it works from a folder, too.
"""
import re
from pathlib import Path

import sphinx.search
import sphinx_exercise.nodes as exercises
from docutils import nodes
from sphinx.search import IndexBuilder

from tools.shared import colours

SCRIPT = Path(__file__).with_suffix(".js")
# Who looks for one of them is shown what has another.
SYNONYMS = (
    ("skip connection", "identity shortcut", "shortcut", "residual connection", "identity mapping"),
    ("moving mean", "running mean", "moving average", "exponential average"),
    ("moving variance", "running variance", "moving statistics", "running statistics"),
    ("batch normalization", "batch norm", "batchnorm"),
    ("internal covariate shift", "covariate shift"),
    ("evaluation mode", "inference", "test time", "eval mode", "prediction mode"),
    ("mini-batch", "minibatch"),
    ("learning rate", "step size"),
    ("backward pass", "backpropagation", "backprop"),
    ("fully connected", "linear layer", "nn.linear"),
    ("1 × 1 convolution", "1x1 convolution", "pointwise convolution", "one by one convolution"),
    ("checkpoint", "gradient checkpointing", "rematerialization", "recompute"),
    ("concatenate", "torch.cat"),
    ("stochastic depth", "drop path", "droppath"),
    ("pre-activation", "preactivation", "preact"),
    ("mixed precision", "half precision", "bfloat16", "autocast"),
)
TEX = re.compile(r"\\[,;!]?|[{}]")
HEADS = (nodes.title, nodes.label)
LEFT_OUT = (*HEADS, nodes.raw, nodes.comment, nodes.math_block, nodes.image)


def is_unit(node):
    """Whether a reader can be led to the node: it has a title and a place."""
    return exercises.is_extension_node(node) or isinstance(node, nodes.citation) or (
        isinstance(node, nodes.section) and isinstance(node.next_node(), nodes.title))


def texts(node):
    """The pieces of text of a unit, without those of the units in it and of what cells print."""
    for child in node.children:
        if is_unit(child) or isinstance(child, LEFT_OUT) or (
                child.get("nb_element") == "cell_code_output"):
            continue
        if isinstance(child, nodes.TextElement):
            yield child
        else:
            yield from texts(child)


def words(unit):
    """The words of a unit, prose before code: it makes the better excerpts."""
    found = sorted(texts(unit), key=lambda node: isinstance(node, nodes.literal_block))
    return " ".join(TEX.sub("", colours.plain(" ".join(node.astext() for node in found))).split())


def units(env, name, document):
    """Each unit of a page: its place, number, title and text."""
    sections, others = env.toc_secnumbers.get(name, {}), env.toc_fignumbers.get(name, {})
    numbers = {place.lstrip("#"): number for place, number in sections.items()}
    for unit in document.findall(is_unit):
        place = "" if unit.parent is document else unit["ids"][0]
        title = next(unit.findall(lambda node: isinstance(node, HEADS))).astext()
        number = ".".join(map(str, numbers.get(place, ())))
        if exercises.is_exercise_node(unit):
            counted = others.get("exercise", {}).get(place, ())
            title = f"Exercise {'.'.join(map(str, counted))} {title}"
        yield [place, " ".join(f"{number} {title}".split()), words(unit)]


class Sections(IndexBuilder):
    """The units of all pages, in the place of Sphinx's index of their words."""

    def __init__(self, env, lang, options, scoring):
        super().__init__(env, lang, options, scoring)
        self.pages = {}

    def feed(self, docname, filename, title, doctree):
        """Take a page in."""
        self.pages[docname] = list(units(self.env, docname, doctree))

    def prune(self, docnames):
        """Forget all other pages."""
        self.pages = {name: self.pages[name] for name in docnames if name in self.pages}

    def load(self, stream, format):
        """Take over what an earlier build has written."""
        kind = self.formats[format] if isinstance(format, str) else format
        self.pages = kind.load(stream).get("pages", {})  # Sphinx's own index has none

    def freeze(self):
        """What ``search.js`` reads."""
        return {"pages": self.pages, "synonyms": SYNONYMS}


def give_script(app):
    """Copy the script, which ``_templates/search.html`` loads."""
    app.config.html_static_path.append(str(SCRIPT))


def setup(app):
    """Put it in the place of Sphinx's index."""
    sphinx.search.IndexBuilder = Sections
    app.connect("builder-inited", give_script)
    return {"parallel_read_safe": True}
