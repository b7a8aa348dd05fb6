"""What the tests share: the book's folders on the path, chapters' definitions, the data."""
import functools
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "chapters")]
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # see chapters/lab.py


def pytest_configure(config):
    """Register the mark by which ``tools/formulas.py`` finds an equation's tests."""
    config.addinivalue_line("markers", "formula(*labels): tests these equations' code")


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
    from run import read_chapter

    return [cell for cell in read_chapter(chapter).cells if cell.cell_type == "code"]


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory):
    """A folder with a small stand-in data set, as FASHION_MNIST_ROOT wants it."""
    import standin

    return standin.make(tmp_path_factory.mktemp("stand-in"), num_train=8000, num_test=1000,
                        progress=False)
