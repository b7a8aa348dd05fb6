"""The runner and the store: progress, failures, interruption, what is executed again."""
import os
import re
import signal
import threading
import time

import nbformat
import outputs
import pytest
import run

CHAPTER = """\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# Title

```{{code-cell}} ipython3
{tags}print("{name}")
```

A sentence.

```{{code-cell}} ipython3
{second}
```
"""


@pytest.fixture
def book(tmp_path, stand_in, monkeypatch):
    """A small checkout with two chapters, which ``run.main`` works on."""
    (tmp_path / "chapters").mkdir()
    (tmp_path / "chapters" / "lab.py").write_text("")
    (tmp_path / "_toc.yml").write_text(
        "parts:\n- chapters:\n  - file: chapters/one\n  - file: chapters/two\n")
    write(tmp_path, "one")
    write(tmp_path, "two")
    for module in (run, outputs):
        monkeypatch.setattr(module, "ROOT", tmp_path)
        monkeypatch.setattr(module, "CHAPTERS", tmp_path / "chapters")
    monkeypatch.setenv("BUDGET", "smoke")
    monkeypatch.setenv("FASHION_MNIST_ROOT", str(stand_in))
    return tmp_path


def write(book, name, second="print('second')", tags=""):
    """Write a chapter; ``tags`` is a line of cell options."""
    (book / "chapters" / f"{name}.md").write_text(CHAPTER.format(name=name, second=second, tags=tags))


def test_runs_and_reuses(book, capfd):
    assert run.main([]) == 0
    out, err = capfd.readouterr()
    assert re.search(r"^one \d+:\d\d cell 2/2 \[ *[\d.]+ s\] print\('second'\)$", out, re.MULTILINE)
    assert "two: done in" in out and "stand-in" in out and not err
    assert run.main([]) == 0
    out, _ = capfd.readouterr()
    assert "one: unchanged" in out and "two: unchanged" in out
    assert run.main(["--force", "two"]) == 0
    out, _ = capfd.readouterr()
    assert "two: done" in out and "one 0:" not in out and "one: " not in out


@pytest.mark.parametrize("change", ["code", "tag", "module", "budget", "data"])
def test_what_executes_again(book, monkeypatch, capfd, change):
    run.main(["one"])
    if change == "code":
        write(book, "one", second="print('changed')")
    elif change == "tag":
        write(book, "one", tags=":tags: [definition]\n")
    elif change == "module":
        (book / "chapters" / "lab.py").write_text("# changed")
    elif change == "budget":
        monkeypatch.setenv("BUDGET", "cpu")
    else:
        monkeypatch.setattr(outputs.fashion, "source", lambda: outputs.fashion.REAL)
    run.main(["one"])
    assert "one: unchanged" not in capfd.readouterr().out


def test_text_and_caption_execute_nothing(book, capfd):
    run.main(["one"])
    write(book, "one", tags="---\nmystnb:\n  figure:\n    caption: New.\n---\n")
    path = book / "chapters" / "one.md"
    path.write_text(path.read_text().replace("A sentence.", "Another sentence."))
    run.main(["one"])
    assert "one: unchanged" in capfd.readouterr().out


def test_failing_cell_loses_no_other_chapter(book, capfd):
    write(book, "one", second="value = 1\nvalue / 0")
    assert run.main([]) == 1
    out, err = capfd.readouterr()
    assert "two: done" in out
    line = (book / "chapters" / "one.md").read_text().splitlines().index("value = 1")
    assert f"chapters/one.md:{line + 1}: cell 2/2 failed with ZeroDivisionError" in err
    assert "value / 0" in err and "\x1b" not in err and "Failed: one." in err
    write(book, "one")
    assert run.main([]) == 0
    out, _ = capfd.readouterr()
    assert "one: done" in out and "two: unchanged" in out


def test_dead_kernel(book, capfd):
    write(book, "one", second="import os\nos._exit(1)")
    assert run.main(["one"]) == 1
    err = capfd.readouterr().err
    assert "kernel died in cell 2/2" in err and "BUDGET=smoke" in err


def test_interrupt_and_resume(book, capfd):
    marker = book / "started"
    write(book, "two", second=f"import time\nopen({str(marker)!r}, 'w')\ntime.sleep(60)")

    def interrupt():
        while not marker.exists():
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    assert run.main([]) == 130
    err = capfd.readouterr().err
    assert "Interrupted. What was finished is kept" in err and "Traceback" not in err
    write(book, "two")
    assert run.main([]) == 0
    out, _ = capfd.readouterr()
    assert "one: unchanged" in out and "two: done" in out


def test_bad_data_stop_the_run_at_once(book, monkeypatch, capfd):
    monkeypatch.setenv("FASHION_MNIST_ROOT", str(book / "nowhere"))
    assert run.main([]) == 1
    out, err = capfd.readouterr()
    assert "nowhere" in err and "Traceback" not in err and "cell" not in out


def test_unknown_chapter_and_help(book, capfd):
    with pytest.raises(SystemExit, match="2"):
        run.main(["three"])
    assert "no chapter three; there are one, two" in capfd.readouterr().err
    with pytest.raises(SystemExit, match="0"):
        run.main(["--help"])
    out, _ = capfd.readouterr()
    assert "--force" in out and "FASHION_MNIST_ROOT" in out


def test_outputs_come_back_with_the_newest_metadata(tmp_path):
    store = outputs.Store(tmp_path)
    cell = nbformat.v4.new_code_cell("1 + 1", metadata={"caption": "old"}, outputs=[
        nbformat.v4.new_output("stream", text="2")])
    store.keep(nbformat.v4.new_notebook(cells=[cell]), "x", 1.0)
    new = nbformat.v4.new_code_cell("1 + 1", metadata={"caption": "new"})
    _, merged = store.merge_match_into_notebook(nbformat.v4.new_notebook(cells=[new]))
    assert merged.cells[0].metadata.caption == "new"
    assert merged.cells[0].outputs[0].text == "2"
