"""Portable notebooks: plain Markdown, honest, up to date, and able to stand alone."""
import json
import re
import subprocess
import sys

import book as book_tool
import nbformat
import outputs
import portable
import publish
import pytest
import run
from conftest import ROOT
from nbclient import NotebookClient

CHAPTERS = run.chapter_names()
FACTS = ("Data:     Fashion-MNIST\nDevice:   a CPU\nBudget:   cpu\nVersions: torch 2\n"
         "Date:     2026-01-01\nRun time: 1 min 2 s\n")
RAW_MYST = re.compile(r"^(`{3,}|:{3,})\{|\{[a-z:-]+\}`|^\([\w-]+\)=$|\$\$ \(eq-|^\+\+\+", re.MULTILINE)


def with_facts(name, text=FACTS):
    """A chapter whose last cell printed these facts."""
    nb = run.read_chapter(name)
    codes = [cell for cell in nb.cells if cell.cell_type == "code"]
    codes[-1].outputs = [nbformat.v4.new_output("stream", text=text)]
    return nb, codes


@pytest.mark.parametrize("name", CHAPTERS)
def test_no_raw_myst_is_left(name):
    nb, _ = with_facts(name)
    made = publish.portable(name, nb)
    for cell in made.cells:
        if cell.cell_type == "markdown":
            assert not RAW_MYST.search(cell.source), cell.source
            for link in re.findall(r"\]\(([^)]*)\)", cell.source):
                assert link.startswith(("https://", "attachment:"))
            for picture in re.findall(r"\(attachment:([^)]*)\)", cell.source):
                assert cell["attachments"][picture]["image/png"].startswith("iVBOR")
    text = (ROOT / "chapters" / f"{name}.md").read_text(encoding="utf-8")
    joined = "\n".join(cell.source for cell in made.cells)
    assert joined.count("\\tag{") == text.count("$$ (eq-") > 5
    assert joined.count("**Exercise ") == text.count("{exercise}") >= 6
    assert "?.**" not in joined
    for cell in made.cells:
        assert cell.source.count("<details>") == cell.source.count("</details>")
        assert not re.search(r"</details>\s*\S", cell.source)
    assert joined.count("Solution of Exercise ") == text.count("{solution-start}") >= 6


@pytest.mark.parametrize("name", CHAPTERS)
def test_numbers_are_the_books(name, book):
    html = (book / "_build" / "html" / "chapters" / f"{name}.html").read_text(encoding="utf-8")
    nb, _ = with_facts(name)
    chapter = portable.Chapter(CHAPTERS.index(name) + 1, nb.cells, {})
    for label, words in chapter.names.items():
        if label.startswith("eq-"):
            assert re.search(rf'id="equation-{label}">\s*<span class="eqno">{re.escape(words)}', html)
        if label.startswith("fig-"):
            number = words.split()[1]
            assert re.search(rf'id="{label}".*?<span class="caption-number">Fig. {number} </span>',
                             html, re.DOTALL)


def test_code_is_untouched_and_ids_are_stable():
    nb, codes = with_facts("batch_norm")
    made = publish.portable("batch_norm", nb)
    assert [c.source for c in made.cells if c.cell_type == "code"][1:] == [c.source for c in codes]
    ids = [cell["id"] for cell in made.cells]
    assert len(set(ids)) == len(ids)
    codes[3].outputs = [nbformat.v4.new_output("stream", text="another run")]
    again = publish.portable("batch_norm", nb)
    assert [cell["id"] for cell in again.cells] == ids
    assert json.loads(publish.text_of(made))["metadata"]["accelerator"] == "GPU"


@pytest.mark.parametrize("text, reason", [
    (FACTS.replace("Fashion-MNIST", "a drawn stand-in"), "data are a drawn stand-in"),
    (FACTS.replace("Budget:   cpu", "Budget:   smoke"), "budget is smoke"),
    (FACTS + "✗ not in this run: it learns\n", "does not show that it learns"),
    ("", "data are unknown")])
def test_refuses(text, reason):
    nb, _ = with_facts("batch_norm", text)
    assert any(reason in objection for objection in publish.objections(nb))


def test_refuses_a_failed_cell_and_accepts_a_good_run():
    nb, codes = with_facts("batch_norm")
    assert publish.objections(nb) == []
    codes[0].outputs = [nbformat.v4.new_output("error", ename="ValueError", evalue="no")]
    assert publish.objections(nb) == ["cell 1 failed with ValueError"]


def test_unknown_role_is_an_error():
    chapter = portable.Chapter(1, [], {})
    with pytest.raises(ValueError, match="doc"):
        chapter.markdown("see {doc}`other`")
    with pytest.raises(ValueError, match="mystery"):
        chapter.markdown("```{mystery}\nx\n```")


@pytest.mark.parametrize("name", CHAPTERS)
def test_published_notebook_is_not_stale(name):
    path = ROOT / "chapters" / f"{name}.ipynb"
    if not path.exists():
        pytest.skip(f"{path.name} is not published yet: make publish writes it")
    nb, made = run.read_chapter(name), nbformat.read(path, as_version=4)
    codes = [cell for cell in nb.cells if cell.cell_type == "code"]
    known = [cell for cell in made.cells if cell.cell_type == "code"][1:]
    assert [book_tool.identity(c) for c in codes] == [book_tool.identity(c) for c in known], (
        f"chapters/{name}.md has changed since it was published: make run, make publish")
    for cell, with_outputs in zip(codes, known):
        cell.outputs, cell.execution_count = with_outputs.outputs, with_outputs.execution_count
        for output in with_outputs.outputs:  # JupyterLab shows SVG only in a trusted notebook
            if "image/svg+xml" in output.get("data", {}):
                assert "image/png" in output["data"]
    assert publish.objections(nb) == []
    fresh, stale = json.loads(publish.text_of(publish.portable(name, nb))), json.loads(path.read_text())
    for one in (fresh, stale):  # pictures depend on matplotlib's version
        for cell in one["cells"]:
            cell.pop("attachments", None)
    assert fresh == stale
    assert path.stat().st_size < 3e6


def test_setup_cell_writes_only_what_is_missing(tmp_path):
    nb, _ = with_facts("batch_norm")
    source = publish.setup_cell(nb).source
    (tmp_path / "lab.py").write_text("mine = 1\n")
    done = subprocess.run([sys.executable, "-c", source], cwd=tmp_path, capture_output=True,
                          text=True, check=True)
    assert (tmp_path / "lab.py").read_text() == "mine = 1\n" and "lab.py differs" in done.stdout
    for name in ("fashion.py", "animation.py"):
        assert (tmp_path / name).read_text() == (ROOT / "chapters" / name).read_text()


def test_notebook_runs_in_an_empty_folder(tmp_path, stand_in, monkeypatch):
    """With no file of the book at hand: the notebook brings what it needs."""
    monkeypatch.setenv("FASHION_MNIST_ROOT", str(stand_in))
    monkeypatch.setenv("BUDGET", "smoke")
    nb, _ = with_facts("batch_norm")
    made = publish.portable("batch_norm", nb)
    NotebookClient(made, timeout=300, kernel_name="python3",
                   resources={"metadata": {"path": str(tmp_path)}}).execute()
    told = publish.facts(made)
    assert told["budget"] == "smoke" and told["data"] == "a drawn stand-in"
    assert {path.name for path in tmp_path.glob("*.py")} == {"lab.py", "fashion.py", "animation.py"}


def test_changed_chapter_names_its_cells(tmp_path, monkeypatch):
    nb, codes = with_facts("batch_norm")
    for module in (book_tool, outputs, run, publish):
        monkeypatch.setattr(module, "CHAPTERS", tmp_path)
        monkeypatch.setattr(module, "ROOT", tmp_path, raising=False)
    text = (ROOT / "chapters" / "batch_norm.md").read_text(encoding="utf-8")
    (tmp_path / "batch_norm.md").write_text(text, encoding="utf-8")
    made = nbformat.v4.new_notebook(cells=codes, metadata={"book": {"modules": outputs.modules_hash()}})
    nbformat.write(made, tmp_path / "batch_norm.ipynb")
    assert book_tool.take_published("batch_norm") == []
    stored = outputs.published_store().merge_match_into_notebook(run.read_chapter("batch_norm"))[1]
    assert [c for c in stored.cells if c.cell_type == "code"][-1].outputs[0].text == FACTS
    (tmp_path / "batch_norm.md").write_text(text.replace("x = u @ W.T + b\nprint", "x = 1\nprint"),
                                            encoding="utf-8")
    line = text.splitlines().index("x = u @ W.T + b") + 1
    [changed] = book_tool.take_published("batch_norm")
    assert abs(changed - line) <= 3
    assert f"lines differ from the published ones: {changed}" in book_tool.missing("batch_norm")
    (tmp_path / "lab.py").write_text("changed = True")
    assert book_tool.take_published("batch_norm") is None
