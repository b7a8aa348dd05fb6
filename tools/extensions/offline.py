"""A Sphinx extension: the site needs no other host, and loads no more than it shows.

The theme brings its icons twice, as a script of 1.5 MB and as fonts; the site keeps the fonts
(lean.py drops the script), with the icons it shows.
"""
import re
from pathlib import Path

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
    """Keep the icons that are shown."""
    icons = shown_icons(out)
    for path in (out / "_static" / "vendor" / "fontawesome" / "webfonts").glob("*.woff2"):
        shrink_font(path, path, icons)


# The pages load from their own folder alone, opened as a file or from a server. Their inline
# scripts and styles are the theme's, Sphinx's and the pictures that a reader moves.
POLICY = ("default-src 'self' file: data: blob: 'unsafe-inline'; object-src 'none'; "
          "base-uri 'none'; form-action 'self' file:")


def forbid_other_hosts(_app, _page, _template, context, _doctree):
    """Tell the browser to load nothing from another host, whatever a page asks for."""
    context["metatags"] = (f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
                           + context.get("metatags", ""))


def finish(app, exception):
    """See to the finished site's icons."""
    if not exception and app.builder.format == "html":
        shrink_icons(Path(app.outdir))


def setup(app):
    """See to every page; the icons wait until the site is built."""
    app.connect("html-page-context", forbid_other_hosts)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True}
