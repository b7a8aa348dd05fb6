"""What the tests share: a small data set, and the whole book, executed and built."""
import os
import re
import shutil
import subprocess
import sys
import time
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError

import hypothesis
import pytest
from playwright.sync_api import sync_playwright
from xdist.scheduler import LoadScopeScheduling

from tools.shared.execution import THREADS
from tools.shared.source import ROOT
from tools.shared.web import BROWSERS, FLAGS, browser_path

os.environ.update({**THREADS, **os.environ})  # before torch loads
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0)):
    # Threads that wait for each other while another process has their core cost most of the time.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))
# Machines are busy; the same draws everywhere, so that a test that passed passes again.
hypothesis.settings.register_profile("book", deadline=None, derandomize=True)
hypothesis.settings.load_profile("book")
FOURTH = Path(__file__).with_name("fourth_chapter.md")
TREE = ("_config.yml", "_toc.yml", "CITATION.cff", "index.md", "results.md", "references.md",
        "references.bib", "requirements.txt", "pyproject.toml", "_static", "_templates",
        "benchmarks", "chapters", "figures", "published", "tools")
OF_THE_BOOK = {path.name for path in FOURTH.parent.glob("test_*.py") if re.search(
    r"^def test_\w+\([^)]*\bbook\b", path.read_text(encoding="utf-8"), re.MULTILINE)}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Where the variable NO_SKIPS is set, as in CI, a skipped test has failed."""
    report = (yield).get_result()
    if report.skipped and os.environ.get("NO_SKIPS") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and NO_SKIPS is set: {report.longrepr}"


class Scheduling(LoadScopeScheduling):
    """Tests of one file run in one process; so do all files with tests of the whole ``book``."""

    def _split_scope(self, nodeid):
        file = Path(nodeid.partition("::")[0]).name
        return "book" if file in OF_THE_BOOK else file


def pytest_xdist_make_scheduler(config, log):
    """Which process runs which tests."""
    return Scheduling(config, log)


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory):
    """A folder with a small stand-in data set, as FASHION_MNIST_ROOT wants it."""
    from tools import standin

    return standin.make(tmp_path_factory.mktemp("stand-in"), num_train=8000, num_test=1000,
                        progress=False)


@pytest.fixture(scope="session")
def few_images(tmp_path_factory):
    """A folder with half as many: 1,030 to train on are left, for what only has to run."""
    from tools import standin

    return standin.make(tmp_path_factory.mktemp("few"), num_train=6030, num_test=520,
                        progress=False)


def copy_tree(root):
    """Copy what the book is made of into an empty folder."""
    for name in TREE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name,
                            ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, root / name)


def tool(root, name, *args, **environment):
    """What a command of the book does in that copy of it, and says."""
    return subprocess.run([sys.executable, "-m", f"tools.{name}", *args], cwd=root, text=True,
                          env={**os.environ, **environment}, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)


def executed_at(root):
    """The runs that a copy of the book has kept, and when."""
    return {path: path.stat().st_mtime_ns
            for path in (root / "_build" / "outputs").rglob("run.json")}


@pytest.fixture(scope="session")
def executed(tmp_path_factory, few_images):
    """A copy of the book with a fourth chapter, executed: once, see ``Scheduling``."""
    root = tmp_path_factory.mktemp("book")
    copy_tree(root)
    shutil.copy(FOURTH, root / "chapters" / "scaling.md")
    toc = (root / "_toc.yml").read_text(encoding="utf-8")
    (root / "_toc.yml").write_text(toc.replace("  - caption: Epilogue",
                                               "      - file: chapters/scaling\n"
                                               "  - caption: Epilogue"), encoding="utf-8")
    done = tool(root, "run", BUDGET="smoke", FASHION_MNIST_ROOT=str(few_images))
    assert done.returncode == 0, done.stdout[-5000:]
    assert len(executed_at(root)) == len(list((root / "chapters").glob("*.md")))
    return root


@pytest.fixture(scope="session")
def typeset(executed):
    """How its PDF was made; without TeX it was not."""
    return tool(executed, "pdf", "--own")


@pytest.fixture(scope="session")
def book(executed, typeset):
    """The copy with its site; the PDF was there before, so that the site leads to it."""
    kept = executed_at(executed)
    built = tool(executed, "book", "--own", BUDGET="smoke")
    assert built.returncode == 0, built.stdout[-5000:]
    assert executed_at(executed) == kept, "the build executed a chapter"
    assert "on a drawn stand-in" in built.stdout and "smoke budget" in built.stdout
    return executed


@pytest.fixture(scope="module")
def browser():
    """A Chromium of this machine."""
    if not browser_path():
        pytest.skip(f"no browser: install one of {', '.join(BROWSERS)}")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=browser_path(), args=FLAGS)


def wait_for(condition, seconds=240):
    """Ask until it holds; a server that does not listen yet, or whose page is just being written,
    is asked again."""
    end = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except (URLError, HTTPException):
            pass
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.2)
