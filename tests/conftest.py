"""What the tests share: the book's folders on the path, chapters' definitions, the data."""
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
    from run import read_chapter

    names = {}
    for cell in read_chapter(chapter).cells:
        if cell.cell_type == "code" and "definition" in cell.metadata.get("tags", []):
            exec(compile(cell.source, f"{chapter}.md", "exec"), names)
    return names


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory):
    """A folder with a small stand-in data set, as FASHION_MNIST_ROOT wants it."""
    import standin

    return standin.make(tmp_path_factory.mktemp("stand-in"), num_train=6000, num_test=1000,
                        progress=False)
