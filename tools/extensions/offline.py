"""A Sphinx extension: MathJax and the icons come with the site, no more of them than it needs.

MathJax is that of the package sphinx-mathjax-offline. The theme brings its icons twice,
as a script of 1.5 MB and as fonts; the site keeps the fonts, with the icons it shows.
"""
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes
from fontTools import subset

MATHJAX = ("startup.js", "core.js", "input/tex.js", "input/tex/extensions", "output/chtml.js",
           "output/chtml/fonts", "a11y/assistive-mml.js")


def mathjax():
    """The folder of MathJax in its package."""
    spec = find_spec("sphinx-mathjax-offline")
    assert spec and spec.origin, "requirements.txt lists it"
    return Path(spec.origin).parent / "static" / "mathjax"


def copy_mathjax(out):
    """Copy MathJax into the site's ``_static/mathjax``."""
    for part in MATHJAX:
        source, target = mathjax() / part, out / "_static" / "mathjax" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy2(source, target)


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
    icons, options = shown_icons(out), subset.Options(flavor="woff2", notdef_outline=True)
    for path in (out / "_static" / "vendor" / "fontawesome" / "webfonts").glob("*.woff2"):
        font, subsetter = subset.load_font(path, options), subset.Subsetter(options)
        subsetter.populate(unicodes=icons)
        subsetter.subset(font)
        subset.save_font(font, path, options)
    script = out / "_static" / "scripts" / "fontawesome.js"
    script.write_text("// The icons are fonts: see offline.py.\n", encoding="utf-8")


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
    """Add MathJax to the finished site, then see to its icons."""
    if not exception and app.builder.format == "html":
        copy_mathjax(Path(app.outdir))
        shrink_icons(Path(app.outdir))


def setup(app):
    """See to every page; the rest waits until the site is built."""
    app.connect("html-page-context", drop_thebe)
    app.connect("doctree-resolved", drop_thebe_settings, priority=900)  # once they are there
    app.connect("html-page-context", forbid_other_hosts)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True}
