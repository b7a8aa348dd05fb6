"""A Sphinx extension: put MathJax beside the site, so that it needs no network.

The files come from the package sphinx-mathjax-offline, the parts that
``tex-mml-chtml.js`` loads and no more.
"""
import shutil
from importlib.util import find_spec
from pathlib import Path

PARTS = ("tex-mml-chtml.js", "input/tex/extensions", "output/chtml/fonts/woff-v2")


def copy_mathjax(app, exception):
    """Copy MathJax into the finished site's ``_static/mathjax``."""
    if exception or app.builder.format != "html":
        return
    package = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
    for part in PARTS:
        source, target = package / part, Path(app.outdir, "_static", "mathjax", part)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy2(source, target)


def setup(app):
    """Copy once the site is built."""
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True}
