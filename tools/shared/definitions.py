"""What the chapters define, for the tests, the races and one's own scripts."""
import functools
import linecache

from tools.shared.source import chapter_path, code_cells, code_lines, read_chapter


def definitions(chapter):
    """The names that a chapter's ``definition`` cells define, as a dict."""
    return run_cells(chapter, {}, "definition")


def run_cells(chapter, names, *tags):
    """Execute the chapter's cells that carry one of the tags, in order, in ``names``.

    A traceback leads to the line of the chapter's ``.md``.
    """
    path = str(chapter_path(chapter))
    linecache.checkcache(path)
    for cell, line in _code_cells(chapter):
        if set(tags) & set(cell.metadata.get("tags", [])):
            exec(compile("\n" * (line - 1) + cell.source, path, "exec"), names)
    return names


@functools.cache
def _code_cells(chapter):
    nb = read_chapter(chapter)
    return list(zip(code_cells(nb), code_lines(chapter, nb), strict=True))
