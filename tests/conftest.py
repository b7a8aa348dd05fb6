"""What the tests share: the book's folders on the path, chapters' definitions, the data."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "chapters"), str(ROOT / "benchmarks")]
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # see chapters/lab.py


def pytest_configure(config):
    """Register the mark by which ``tools/formulas.py`` finds an equation's tests."""
    config.addinivalue_line("markers", "formula(*labels): tests these equations' code")


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory):
    """A folder with a small stand-in data set, as FASHION_MNIST_ROOT wants it."""
    import standin

    return standin.make(tmp_path_factory.mktemp("stand-in"), num_train=8000, num_test=1000,
                        progress=False)


@pytest.fixture(scope="session")
def book(tmp_path_factory, stand_in):
    """A clean copy of the book, executed and built, and what the build printed."""
    root = tmp_path_factory.mktemp("book")
    for name in ("_config.yml", "_toc.yml", "index.md", "results.md", "references.md",
                 "references.bib", "_static", "_templates", "benchmarks", "chapters", "figures",
                 "tools"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, root / name)
    env = {**os.environ, "BUDGET": "smoke", "FASHION_MNIST_ROOT": str(stand_in)}

    def tool(name, *args):
        return subprocess.run([sys.executable, f"tools/{name}.py", *args], cwd=root, env=env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    executed = tool("run")
    assert executed.returncode == 0, executed.stdout[-5000:]
    outputs = sorted((root / "_build" / "outputs").rglob("base.ipynb"))
    times = [path.stat().st_mtime_ns for path in outputs]
    built = tool("book", "--own")
    assert built.returncode == 0, built.stdout[-5000:]
    assert len(outputs) == len(list((root / "chapters").glob("*.md")))
    assert [path.stat().st_mtime_ns for path in outputs] == times, "the build executed a chapter"
    kept = (root / "_build" / "outputs").rglob("base.ipynb")
    assert sorted(path for path in kept if "published-" not in str(path)) == outputs
    assert "drawn stand-in data" in built.stdout
    return root
