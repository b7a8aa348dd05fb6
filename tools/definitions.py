"""What the chapters define, for the tests and the races: their ``definition`` cells."""
import functools

from run import read_chapter


def definitions(chapter):
    """The names that a chapter's ``definition`` cells define, as a dict."""
    return run_cells(chapter, {}, "definition")


def run_cells(chapter, names, *tags):
    """Execute the chapter's cells that carry one of the tags, in order, in ``names``."""
    for cell in _code_cells(chapter):
        if set(tags) & set(cell.metadata.get("tags", [])):
            exec(compile(cell.source, f"{chapter}.md", "exec"), names)
    return names


@functools.cache
def _code_cells(chapter):
    return [cell for cell in read_chapter(chapter).cells if cell.cell_type == "code"]
