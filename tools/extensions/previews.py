"""A Sphinx extension: a page brings what its links to other pages lead to.

``_static/preview.js`` shows it beside the link; from a folder no script may read another page.
"""
# Beautiful Soup declares that whatever is looked for may be missing; nitpicky links are not.
# pyright: reportOptionalMemberAccess=false
import functools
import re
from pathlib import Path

from bs4 import BeautifulSoup

LINK = re.compile(r'<a class="reference internal" href="(([^":#]+\.html)#([^"]+))"')
ADDED = re.compile(r"<template data-of=.*?</template>\n", re.DOTALL)
END = "</article>"


@functools.cache
def parsed(path):
    """A page's article."""
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser").article


def preview(path, place):
    """What stands at a place of a page: of a section its title and the first paragraphs."""
    node = parsed(path).find(id=place)
    if node.name == "span":  # a section's further name stands in it
        node = node.parent
    section = node.name == "section"
    blocks = node.find_all(["h1", "h2", "h3", "p"], recursive=False)[:3] if section else [node]
    part = BeautifulSoup("".join(map(str, blocks)), "html.parser")
    for link in part.select("a.reference.internal"):  # it leads on from that page, not from this
        link.unwrap()
    for one in part.select("[id]"):
        del one["id"]
    return f"<section>{part}</section>" if section else str(part)


def finish(app, exception):
    """Add the templates to the finished pages."""
    if exception or app.builder.format != "html":
        return
    parsed.cache_clear()
    for name in app.env.all_docs:
        page = Path(app.builder.get_outfilename(name))
        html = ADDED.sub("", page.read_text(encoding="utf-8"))
        links = sorted(set(LINK.findall(html)))
        templates = [f'<template data-of="{link}">{preview(page.parent / file, place)}</template>\n'
                     for link, file, place in links]
        head, end, foot = html.rpartition(END)
        page.write_text(head + "".join(templates) + end + foot, encoding="utf-8")


def setup(app):
    """Wait until all pages are written."""
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True}
