"""A Sphinx extension: a page brings no more than it uses, and is soon at rest on a phone.

Jupyter Book's libraries are left out where this folder does their work: code has its copy
buttons (``_static/copies.js``), boxes fold by themselves, menus open (``_static/menus.js``).
What is left of scripts runs once the page is there, each in a task of its own.
"""
import re
from pathlib import Path

from docutils import nodes

# Thebe needs a server; tabs are not used; clipboard, copybutton and togglebutton (whose settings
# are the toggle...) are replaced.
LEFT_OUT = re.compile("thebe|clipboard|copybutton|togglebutton|toggleHint|toggleOpen|design-tabs")
# Signs of code that have the colour of all of it; of a dot nobody sees the colour.
PLAIN = re.compile(r'<span class="(?:(?:n|nn|nx|p|pm|w)">([^<]*)|o">(\.))</span>')
SAME = re.compile(r'(<span class="(\w+)">[^<]*)</span><span class="\2">')
CODE = re.compile(r'<div class="highlight"><pre>.*?</pre>', re.DOTALL)
CELL = re.compile(r'<div class="cell |(<div class="cell_input .*?<div class="highlight"><pre>.*?'
                  r'</pre>)', re.DOTALL)
FOLDED = re.compile(r'<div (class="(?:[\w-]+ )*dropdown admonition"[^>]*>\s*)'
                    r'<p class="admonition-title">(.*?)</p>', re.DOTALL)
DIV = re.compile(r"<(/?)div\b")
SCRIPT = re.compile(r'<script (?=src="(?:[^"]*/)?([\w.-]+)\.js)')
# The icons are fonts (offline.py), and nothing else of Bootstrap's script is used.
UNUSED = "bootstrap", "fontawesome"
UNUSED_TAG = re.compile(rf"<(?:link|script)[^>]*scripts/(?:{'|'.join(UNUSED)})\.js[^>]*>"
                        r"(?:</script>)?\s*")
# A first visit: a theme that comes later has a phone colour the whole page twice.
FIRST = ('localStorage.getItem("theme") || "auto"', 'localStorage.getItem("theme") || '
         '(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")')
# Sphinx's search stands on its page alone, and what it needs runs there in its order.
SEARCHES = "searchtools", "language_data", "searchindex"
SEARCH = re.compile(rf'<script src="[^"]*(?:{"|".join(SEARCHES)})\.js"></script>\s*')
SEARCHING = "doctools", "sphinx_highlight", *SEARCHES, "search"
# Style sheets for whatever pages there are.
SHEETS = ("styles/pydata-sphinx-theme.css", "styles/sphinx-book-theme.css", "mystnb.*.css",
          "sphinx-design.min.css")
NOTE = re.compile(r"/\*.*?\*/", re.DOTALL)
RULE = re.compile(r"([^{};]*)\{([^{}]*)\}")
EMPTY = re.compile(r"@[^{};]*\{\s*\}")
# In the theme's scripts: what it asks for its width when a page is loaded, to let the keyboard
# scroll it (on a long page that takes a phone seconds; _static/formulas.js asks when it comes into
# view), how it begins all that it does, in one task, and how far below in the window a margin
# note may stand before the contents make room for it.
THEME = {
    "pydata-sphinx-theme.js": {
        '["pre",".nboutput > .output_area",".cell_output > .output",".jp-RenderedHTMLCommon",'
        '".pst-scrollable-table-container"]': '[":not(*)"]',
        '"loading"!=document.readyState?e():document.addEventListener("DOMContentLoaded",e)':
        "setTimeout(e)"},
    "sphinx-book-theme.js": {'rootMargin:"0px 0px -33% 0px"': 'rootMargin:"0px"'}}


def simplify(code):
    """A piece of code as HTML with elements only where the colour changes."""
    html, before = PLAIN.sub(r"\1\2", code[0]), ""
    while html != before:
        html, before = SAME.sub(r"\1", html), html
    return html


def add_copy_buttons(body):
    """Give each cell's code a button that names the cell by its number."""
    number = 0

    def button(found):
        nonlocal number
        if not found[1]:
            number += 1
            return found[0]
        return (f'{found[1]}<button type="button" class="copybtn pst-js-only" '
                f'aria-label="Copy the code of cell {number}">Copy</button>')

    return CELL.sub(button, body)


def fold(body):
    """Make a ``<details>`` of each box that folds: it needs no script, and a search opens it."""
    for box in reversed(list(FOLDED.finditer(body))):
        depth = 0
        for tag in DIV.finditer(body, box.start()):
            depth += -1 if tag[1] else 1
            if not depth:
                break
        else:
            raise ValueError(f"this box does not end: {box[0]}")
        inside, rest = body[box.end():tag.start()], body[tag.end() + 1:]
        body = (f'{body[:box.start()]}<details {box[1]}<summary class="admonition-title">{box[2]}'
                f"</summary>{inside}</details>{rest}")
    return body


def see(_app, _page, _template, context, _doctree):
    """See to a page's libraries and its text."""
    for kind in "script_files", "css_files":
        context[kind] = [file for file in context[kind] if not LEFT_OUT.search(
            f"{file.filename} {file.attributes.get('body')}")]
    if "body" in context:
        context["body"] = fold(CODE.sub(simplify, add_copy_buttons(context["body"])))


def drop_thebe_settings(_app, doctree, _page):
    """Leave out what Thebe writes at a page's end."""
    for node in [one for one in doctree.findall(nodes.raw) if "thebe" in one.astext()]:
        node.parent.remove(node)


def lighten(html, searches=False):
    """A finished page whose scripts wait until it is there, without those that it does not use."""
    html = UNUSED_TAG.sub("", html).replace(*FIRST)
    if not searches:
        html = SEARCH.sub("", html)
    # Inline scripts want the first; the search's run in their order, before the page is there.
    at_once = {"documentation_options", *(SEARCHING if searches else ())}
    return SCRIPT.sub(
        lambda found: found[0] if found[1] in at_once else "<script defer ", html)


def mend_theme(scripts):
    """Change what ``THEME`` lists in the theme's scripts, which lie in that folder."""
    for name, changes in THEME.items():
        text = (scripts / name).read_text(encoding="utf-8")
        for old, new in changes.items():
            if old not in text and new not in text:
                print(f"{name} is another one than lean.py knows: {old} is not in it.")
            text = text.replace(old, new)
        (scripts / name).write_text(text, encoding="utf-8")


def needed_rules(css, words):
    """The rules of a style sheet but those of classes and places that no page or script names."""
    def used(selector):
        asked = re.sub(r"\[[^]]*\]", "", selector)
        while (inner := re.sub(r"\([^()]*\)", "", asked)) != asked:  # of :not(...) and the like
            asked = inner
        return "\\" in asked or set(re.findall(r"[.#]([A-Za-z_-][\w-]*)", asked)) <= words

    def rule(found):
        selectors = [one for one in re.split(r",(?![^(]*\))", found[1]) if used(one)]
        return f"{','.join(selectors)}{{{found[2]}}}" if selectors else ""

    licences = "".join(note for note in NOTE.findall(css) if note.startswith("/*!"))
    return licences + EMPTY.sub("", RULE.sub(rule, NOTE.sub("", css)))


def mend_styles(out):
    """Keep the rules that the site can need."""
    words = set()
    for path in [*out.rglob("*.html"), *out.rglob("*.js")]:
        words.update(re.findall(r"[\w-]+", path.read_text(encoding="utf-8")))
    for sheet in [path for name in SHEETS for path in (out / "_static").glob(name)]:
        sheet.write_text(needed_rules(sheet.read_text(encoding="utf-8"), words), encoding="utf-8")


def finish(app, exception):
    """See to the finished pages, the theme's scripts and style sheets."""
    if exception or app.builder.format != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        page.write_text(lighten(html, page.name == "search.html"), encoding="utf-8")
    scripts = Path(app.outdir, "_static", "scripts")
    mend_theme(scripts)
    for script in [path for name in UNUSED for path in scripts.glob(f"{name}.js*")]:
        script.unlink()
    mend_styles(Path(app.outdir))


def setup(app):
    """See to every page, last."""
    app.connect("html-page-context", see, priority=900)
    app.connect("doctree-resolved", drop_thebe_settings, priority=900)  # once they are there
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True}
