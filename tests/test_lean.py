"""What pages leave out changes nothing of what they show."""
import re

from pygments.formatters import HtmlFormatter

from tools.extensions import lean


def test_code_keeps_its_text_and_its_colours():
    code = ('<div class="highlight"><pre><span></span><span class="n">x</span>'
            '<span class="o">.</span><span class="n">y</span> <span class="o">=</span> '
            '<span class="s2">&quot;</span>'
            '<span class="s2">a</span><span class="s2">&quot;</span>\n</pre>')
    assert lean.CODE.sub(lean.simplify, code) == (
        '<div class="highlight"><pre><span></span>x.y <span class="o">=</span> '
        '<span class="s2">&quot;a&quot;</span>\n</pre>')


def test_signs_without_elements_have_the_colour_of_code():
    css = "\n".join(HtmlFormatter(style=f"a11y-high-contrast-{kind}").get_style_defs(".code")
                    for kind in ("light", "dark"))
    grounds = re.findall(r"^\.code \{.*?; color: (#\w+)", css, re.MULTILINE)
    assert len(grounds) == 2
    for kind in "n", "nn", "nx", "p", "pm", "w":
        assert re.findall(rf"^\.code \.{kind} \{{ color: (#\w+)", css, re.MULTILINE) == grounds


def test_a_box_folds_with_all_that_it_holds():
    head, inside = '<div class="dropdown admonition" id="a">\n', '\n<div>x<div>y</div></div>'
    box = f'{head}<p class="admonition-title">T</p>{inside}</div>'
    folded = (f'{head.replace("div", "details")}<summary class="admonition-title">T</summary>'
              f"{inside}</details>")
    assert lean.fold(f"<div>{box}</div>{box}") == f"<div>{folded}</div>{folded}"


def test_only_rules_that_no_page_can_need_go():
    css = ("/*! Licence, of (c) */@charset \"UTF-8\";.a,.b:not(.c),p{x:1}.b{x:2}"
           "@media print{.b{x:3}}@media screen{#a[href='.b']{x:4}}@keyframes k{0%{x:5}}")
    assert lean.needed_rules(css, {"a"}) == (
        "/*! Licence, of (c) */@charset \"UTF-8\";.a,p{x:1}"
        "@media screen{#a[href='.b']{x:4}}@keyframes k{0%{x:5}}")
