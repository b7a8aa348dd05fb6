"""The runner and the store: progress, failures, interruption, what is executed again."""
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from conftest import tool

from tools.shared import store
from tools.shared.source import ROOT

CHAPTER = """\
---
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# Title

```{{code-cell}} ipython3
{tags}import lab
print("{name}")
```

A sentence.

```{{code-cell}} ipython3
{second}
```
"""


@pytest.fixture
def small(tmp_path, stand_in, monkeypatch):
    """A small checkout with two chapters and the book's shared modules."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools",
                    ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "chapters").mkdir()
    for module in (ROOT / "chapters").glob("*.py"):
        shutil.copy(module, tmp_path / "chapters")
    (tmp_path / "_toc.yml").write_text(
        "parts:\n- chapters:\n  - file: chapters/one\n  - file: chapters/two\n")
    write(tmp_path, "one")
    write(tmp_path, "two")
    monkeypatch.setenv("BUDGET", "smoke")
    monkeypatch.setenv("FASHION_MNIST_ROOT", str(stand_in))
    return tmp_path


def write(book, name, second="print('second')", tags="", sentence="A sentence."):
    """Write a chapter; ``tags`` is a line of cell options."""
    text = CHAPTER.format(name=name, second=second, tags=tags)
    (book / "chapters" / f"{name}.md").write_text(text.replace("A sentence.", sentence))


def run(book, *args, status=0):
    """What ``tools.run`` prints, once it has ended with that status."""
    done = tool(book, "run", *args)
    assert done.returncode == status, done.stdout
    return done.stdout


def test_runs_and_reuses(small):
    write(small, "one", second="import time; time.sleep(1.1)")
    told = run(small)
    assert re.search(r"^one \d+:\d\d cell 2/2 \[ *[\d.]+ s\] import time; time.sleep\(1.1\)$", told,
                     re.MULTILINE)
    # A file needs no line for each short cell; the first one imports lab.
    assert not re.search(r"^two \d+:\d\d cell 2/2", told, re.MULTILINE)
    assert "two: done in" in told and "stand-in" in told and "budget smoke; device" in told
    told = run(small)
    assert "one: unchanged" in told and "two: unchanged" in told
    told = run(small, "--force", "one")
    assert re.search(r"^one \d+:\d\d of about 0:0\d cell 2/2", told, re.MULTILINE)
    assert "one: done" in told and "two: " not in told


def test_what_executes_nothing_and_what_executes_again(small, monkeypatch):
    run(small, "one")
    # Prose, comments, docstrings.
    write(small, "one", sentence="Another sentence.", second="print('second')  # a comment",
          tags="---\nmystnb:\n  figure:\n    caption: New.\n---\n")
    for name in "lab", "animation":
        path = small / "chapters" / f"{name}.py"
        path.write_text(path.read_text() + "\n# A new comment.\n")
    path.write_text('"""Another docstring."""\n' + path.read_text().split('"""', 2)[2])
    assert "one: unchanged" in run(small, "one")
    # Code, a tag, a module, the budget.
    write(small, "one", second="print('changed')")
    assert "one: done" in run(small, "one")
    write(small, "one", second="print('changed')", tags=":tags: [definition]\n")
    assert "one: done" in run(small, "one")
    path = small / "chapters" / "lab.py"
    path.write_text(path.read_text() + "\nCHANGED = 1\n")
    assert "one: done" in run(small, "one")
    monkeypatch.setenv("BUDGET", "cpu")
    assert "one: done" in run(small, "one")


def test_failing_cell_loses_no_other_chapter(small):
    write(small, "one", second="value = 1\nvalue / 0")
    told = run(small, status=1)
    line = (small / "chapters" / "one.md").read_text().splitlines().index("value / 0") + 1
    assert f"chapters/one.md:{line}: cell 2/2 failed with ZeroDivisionError" in told
    assert "two: done" in told and "\x1b" not in told and "Failed: one." in told
    write(small, "one")
    told = run(small)
    assert "one: done" in told and "two: unchanged" in told


def test_dead_kernel(small):
    write(small, "one", second="import os\nos._exit(1)")
    told = run(small, "one", status=1)
    assert "kernel died in cell 2/2" in told and "BUDGET=smoke" in told


def test_interrupt_and_resume(small):
    marker = small / "started"
    write(small, "two", second=f"import time\nopen({str(marker)!r}, 'w')\ntime.sleep(600)")
    process = subprocess.Popen([sys.executable, "-m", "tools.run"], cwd=small, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while not marker.exists():
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate()
    assert process.returncode == 130
    assert "Interrupted. What was finished is kept" in told and "Traceback" not in told
    write(small, "two")
    told = run(small)
    assert "one: unchanged" in told and "two: done" in told


@pytest.mark.parametrize("name, value, words", [
    ("FASHION_MNIST_ROOT", os.path.abspath("nowhere"), "nowhere"),
    ("BUDGET", "typo", "BUDGET=typo is unknown. Use smoke, slow, cpu, t4 or gpu.")])
def test_what_is_wrong_stops_the_run_at_once(small, monkeypatch, name, value, words):
    monkeypatch.setenv(name, value)
    told = run(small, status=1)
    assert words in told and "Traceback" not in told and "cell" not in told


def test_unknown_chapter_and_help(small):
    assert "no chapter three; there are one, two" in run(small, "three", status=2)
    told = run(small, "--help")
    assert "--force" in told and "FASHION_MNIST_ROOT" in told


@pytest.fixture
def kept(tmp_path):
    """A run of one cell with a picture, kept, and its notebook."""
    cell = nbformat.v4.new_code_cell("1 + 1", outputs=[
        nbformat.v4.new_output("stream", text="2"),
        nbformat.v4.new_output("display_data", data={
            "image/svg+xml": "<svg/>", "image/png": "iVBORw0KGgo=", "text/plain": "p",
            store.FACTS: {"budget": "cpu"}})])
    nb = nbformat.v4.new_notebook(cells=[cell])
    store.write(nb, store.code_key(nb), store.Place("cpu", "cpu", "drawn"), 1.0, tmp_path / "run")
    return store.Run(tmp_path / "run"), nb


def test_outputs_come_back_with_the_newest_metadata(kept):
    run, nb = kept
    new = nbformat.v4.new_code_cell("1 + 1", metadata={"caption": "new"})
    filled = run.fill(nbformat.v4.new_notebook(cells=[new]))
    assert filled.cells[0].metadata.caption == "new"
    assert filled.cells[0].outputs == nb.cells[0].outputs
    assert run.facts == {"budget": "cpu"}
    assert {path.suffix for path in run.folder.iterdir()} == {".json", ".svg", ".png"}


@pytest.mark.parametrize("damage", ["cut", "number", "picture", "gone", "conflict"])
def test_damaged_outputs_are_named_with_the_cure(kept, damage):
    run, nb = kept
    path = run.folder / "run.json"
    text = path.read_text()
    if damage in ("picture", "gone"):
        path = next(run.folder.glob("*.svg"))
        path.write_text("<svg>1</svg>") if damage == "picture" else path.unlink()
    else:
        path.write_text({"cut": text[:100], "number": text.replace('"2"', '"3"'),
                         "conflict": text.replace('"cells"', '<<<<<<< HEAD\n"cells"')}[damage])
    with pytest.raises(store.DamagedError, match=rf"{path.name}.*Delete that folder"):
        store.Run(run.folder).fill(nb)


def test_a_full_disk_leaves_the_run_of_before(kept, monkeypatch):
    run, nb = kept
    nb.cells[0].outputs[0].text = "another"

    def full(path, content):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(store.Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        store.write(nb, run.key, run.place, 1.0, run.folder)
    monkeypatch.undo()
    assert store.Run(run.folder).record == run.record
    assert [path.name for path in run.folder.parent.iterdir()] == ["run"]


@pytest.mark.parametrize("one, other, equal", [
    ("x = 1", "x = 1  # one", True), ("x = 1", "x  =  1\n\n", True), ("x = 1", "x = 2", False),
    ('def f():\n    "a"\n    return 1', 'def f():\n    """b"""\n    return 1', True),
    ('def f():\n    return "a"', 'def f():\n    return "b"', False),
    ('"""a"""\nx = 1', "x = 1", True), ('x = "a"', "x = 'a'", True), ("%time x", "%time y", False),
    ("f(1)", "f(True)", False), ("x = 1", "x = 1.0", False), ("a.b", "a.c", False)])
def test_what_runs_is_the_syntax_tree(one, other, equal):
    assert (store.code_hash(one) == store.code_hash(other)) == equal


def test_only_imported_modules_count(tmp_path):
    (tmp_path / "a.py").write_text("def f():\n    from b import g\n")
    (tmp_path / "b.py").write_text("import math\n")
    (tmp_path / "c.py").write_text("")
    found = store.modules(["%matplotlib inline", "import a as one"], tmp_path)
    assert list(found) == ["a.py", "b.py"]
