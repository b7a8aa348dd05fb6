"""A Sphinx extension: the site needs no other host, and loads no more than it shows.

The theme brings its icons twice, as a script of 1.5 MB and as fonts; the site keeps the fonts,
with the icons it shows.
"""
import re
from pathlib import Path

from docutils import nodes
from fontTools import subset


def shrink_font(path, target, codes):
    """Write a font as WOFF 2, with the characters of these codes alone."""
    options = subset.Options(flavor="woff2", notdef_outline=True)
    options.drop_tables += ["FFTM"]  # when the font was made
    font, subsetter = subset.load_font(path, options), subset.Subsetter(options)
    subsetter.populate(unicodes=codes)
    subsetter.subset(font)
    subset.save_font(font, target, options)


def shown_icons(out):
    """The characters of the icons that the pages name or a style sheet puts somewhere."""
    css = "".join(path.read_text(encoding="utf-8") for path in out.rglob("*.css"))
    pages = "".join(path.read_text(encoding="utf-8") for path in out.rglob("*.html"))
    named, codes = set(re.findall(r"\bfa-[\w-]+", pages)), set()
    for rule in css.split("}"):
        selectors, _, body = rule.partition("{")
        names = set(re.findall(r"\.(fa-[\w-]+):", selectors))
        if not names or named & names:
            codes.update(int(code, 16) for code in re.findall(r'"\\([0-9a-f]{2,4})"', body))
    return codes | set(map(ord, re.findall("[\ue000-\uf8ff]", css)))


def shrink_icons(out):
    """Keep the icons that are shown, as fonts alone."""
    icons = shown_icons(out)
    for path in (out / "_static" / "vendor" / "fontawesome" / "webfonts").glob("*.woff2"):
        shrink_font(path, path, icons)
    script = out / "_static" / "scripts" / "fontawesome.js"
    script.write_text("// The icons are fonts: see offline.py.\n", encoding="utf-8")


# What the theme asks for its width when a page is loaded, to let the keyboard scroll it: on a
# long page that takes a phone seconds. _static/formulas.js asks when it comes into view.
MEASURED = ('["pre",".nboutput > .output_area",".cell_output > .output",".jp-RenderedHTMLCommon",'
            '".pst-scrollable-table-container"]')


def measure_later(out):
    """Let the theme's script ask for no widths."""
    script = out / "_static" / "scripts" / "pydata-sphinx-theme.js"
    text = script.read_text(encoding="utf-8")
    if MEASURED not in text:
        print(f"{script.name} is another one than offline.py knows: pages open more slowly.")
    script.write_text(text.replace(MEASURED, '[":not(*)"]'), encoding="utf-8")


def drop_thebe(_app, _page, _template, context, _doctree):
    """Leave out Thebe, which Jupyter Book always brings and which needs a server."""
    for kind in "script_files", "css_files":
        context[kind] = [file for file in context[kind]
                         if "thebe" not in f"{file.filename} {file.attributes.get('body')}"]


def drop_thebe_settings(_app, doctree, _page):
    """Leave out what Thebe writes at a page's end."""
    for node in [one for one in doctree.findall(nodes.raw) if "thebe" in one.astext()]:
        node.parent.remove(node)


# The pages load from their own folder alone, opened as a file or from a server. Their inline
# scripts and styles are the theme's, Sphinx's and the pictures that a reader moves.
POLICY = ("default-src 'self' file: data: blob: 'unsafe-inline'; object-src 'none'; "
          "base-uri 'none'; form-action 'self' file:")


def forbid_other_hosts(_app, _page, _template, context, _doctree):
    """Tell the browser to load nothing from another host, whatever a page asks for."""
    context["metatags"] = (f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
                           + context.get("metatags", ""))


def finish(app, exception):
    """See to the finished site's icons, and to the theme's script."""
    if not exception and app.builder.format == "html":
        shrink_icons(Path(app.outdir))
        measure_later(Path(app.outdir))


def setup(app):
    """See to every page; the rest waits until the site is built."""
    app.connect("html-page-context", drop_thebe)
    app.connect("doctree-resolved", drop_thebe_settings, priority=900)  # once they are there
    app.connect("html-page-context", forbid_other_hosts)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True}
