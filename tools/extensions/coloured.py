"""A Sphinx extension: where code computes an equation, names have the colours of its symbols."""
import re

from tools.shared import colours

CELL = re.compile(r'<div class="cell [^"]*tag_eq-[^"]*">\s*<div class="cell_input.*?</pre>',
                  re.DOTALL)
# A method is no such name.
NAME = re.compile(r'(?<!<span class="o">\.</span>)<span class="n">'
                  rf"({'|'.join(colours.NAMES)})</span>")


def colour(cell):
    """A cell's code with its names coloured."""
    return NAME.sub(
        lambda name: f'<span class="n tex-{colours.NAMES[name[1]]}">{name[1]}</span>', cell[0])


def see(_app, _page, _template, context, _doctree):
    """See to the cells of a page that carry an equation's label."""
    if "body" in context:
        context["body"] = CELL.sub(colour, context["body"])


def setup(app):
    """See to every page."""
    app.connect("html-page-context", see)
    return {"parallel_read_safe": True}
