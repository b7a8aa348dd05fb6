"""Portable notebooks: plain Markdown, honest, up to date, and able to stand alone."""
import json
import os
import re
import subprocess
import sys

import nbformat
import pytest
from conftest import copy_tree, tool

from tools import publish
from tools.shared import building, citations, markdown, notebook, source, store
from tools.shared.command import WordsError
from tools.shared.source import CHAPTERS, ROOT, chapter_names, code_cells, number, read_chapter

NAMES = chapter_names()
FACTS = {"data": "Fashion-MNIST", "device": "a CPU", "budget": "cpu", "date": "2026-01-01",
         "run_seconds": 62, "versions": {"torch": "2"}}
HERE = store.Place("cpu", "cpu", "Fashion-MNIST")
RAW_MYST = re.compile(r"^(`{3,}|:{3,})\{|\{[a-z:-]+\}`|^\([\w-]+\)=$|\$\$ \(eq-|^\+\+\+",
                      re.MULTILINE)


def kept(folder, nb, outputs=(), place=HERE):
    """A run of a notebook whose last cell handed over FACTS, and put out these."""
    facts = nbformat.v4.new_output("display_data", data={"text/plain": "", store.FACTS: FACTS})
    code_cells(nb)[-1].outputs = [*outputs, facts]
    nb.metadata["language_info"] = {"name": "python", "file_extension": ".py"}
    store.write(nb, store.code_key(nb), place, 62, folder / "run")
    return store.Run(folder / "run")


@pytest.fixture
def made(request, tmp_path):
    """A chapter's notebook as it would be published, without outputs but FACTS."""
    nb = read_chapter(request.param)
    return request.param, notebook.portable(request.param, nb, kept(tmp_path, nb))


@pytest.mark.parametrize("made", NAMES, indirect=True)
def test_no_raw_myst_is_left(made):
    name, made = made
    for cell in made.cells:
        if cell.cell_type == "markdown":
            assert not RAW_MYST.search(cell.source), cell.source
            for link in re.findall(r"\]\(([^)]*)\)", cell.source):
                assert link.startswith(("https://", "data:image/png;base64,iVBOR"))
    text = (CHAPTERS / f"{name}.md").read_text(encoding="utf-8")
    joined = "\n".join(cell.source for cell in made.cells)
    assert joined.count("\\tag{") == text.count("$$ (eq-")
    assert joined.count("**Exercise ") == text.count("{exercise}")
    assert "?.**" not in joined
    for cell in made.cells:
        assert cell.source.count("<details>") == cell.source.count("</details>")
        assert not re.search(r"</details>\s*\S", cell.source)
    assert joined.count("Solution of Exercise ") == text.count("{solution-start}")


def test_a_page_without_a_number_has_figures_without_one():
    chapter = markdown.Chapter(number("epilogue"), read_chapter("epilogue").cells, {})
    assert set(chapter.names.values()) == {"Figure"}


def test_code_is_untouched_and_ids_are_stable(tmp_path):
    nb = read_chapter("batch_norm")
    made = notebook.portable("batch_norm", nb, kept(tmp_path, nb))
    first, *others = [cell.source for cell in code_cells(made)][2:]
    wanted, *same = [cell.source for cell in code_cells(nb)]
    assert others == same
    unguarded = re.sub(r"try:\n    (.*)\nexcept ModuleNotFoundError:\n.*", r"\1", first)
    assert unguarded == wanted != first
    ids = [cell["id"] for cell in made.cells]
    assert len(set(ids)) == len(ids)
    code_cells(nb)[3].outputs = [nbformat.v4.new_output("stream", text="another run")]
    again = notebook.portable("batch_norm", nb, kept(tmp_path, nb))
    assert [cell["id"] for cell in again.cells] == ids
    assert json.loads(notebook.text_of(made))["metadata"]["accelerator"] == "GPU"


@pytest.mark.parametrize("change, reason", [
    ({"place": store.Place("cpu", "cpu", "a drawn stand-in")}, "data are a drawn stand-in"),
    ({"place": store.Place("smoke", "cpu", "Fashion-MNIST")}, "budget is smoke"),
    ({"outputs": [nbformat.v4.new_output("stream", text="✗ not in this run: it learns\n  much\n")]},
     "does not show that it learns much"),
    ({"outputs": [nbformat.v4.new_output("error", ename="ValueError", evalue="no")]},
     "failed with ValueError")])
def test_refuses(change, reason, tmp_path):
    nb = read_chapter("batch_norm")
    run = kept(tmp_path, nb, **change)
    [objection] = publish.objections(run.fill(nb), run)
    assert reason in objection


def test_refuses_a_run_without_facts_and_accepts_a_good_one(tmp_path):
    nb = read_chapter("batch_norm")
    assert publish.objections(nb, kept(tmp_path, nb)) == []
    code_cells(nb)[-1].outputs = []
    store.write(nb, store.code_key(nb), HERE, 1, tmp_path / "other")
    assert "no facts" in publish.objections(nb, store.Run(tmp_path / "other"))[0]


@pytest.mark.parametrize("file, old, new, told", [
    ("_toc.yml", "chapters/resnet", "chapters/nowhere", "_toc.yml names the chapter nowhere"),
    ("_toc.yml", "root: index", "root: [index", "_toc.yml:3: this is not YAML"),
    ("chapters/resnet.md", "# ResNet: add", "# ResNet: add \udcff", "resnet.md:17: this is not")])
def test_damaged_sources_are_told_in_words(tmp_path, file, old, new, told):
    copy_tree(tmp_path)
    path = tmp_path / file
    text = path.read_text(encoding="utf-8").replace(old, new, 1)
    path.write_bytes(text.encode(errors="surrogateescape"))
    done = tool(tmp_path, "publish")
    assert done.returncode == 1 and told in done.stdout and "Traceback" not in done.stdout


def test_a_damaged_configuration_and_list_of_sources_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "ROOT", tmp_path)
    monkeypatch.setattr(citations, "ROOT", tmp_path)
    (tmp_path / "_config.yml").write_text("title: A\nauthor: [B\ncopyright: 2026\n")
    with pytest.raises(WordsError, match="_config.yml:3: this is not YAML.*git diff _config.yml"):
        source.config()
    (tmp_path / "references.bib").write_text("@article{x, title={A\n")
    citations.sources.cache_clear()
    with pytest.raises(WordsError, match="references.bib: syntax error.*git diff references.bib"):
        citations.sources()
    citations.sources.cache_clear()


def test_an_answer_is_folded():
    chapter = markdown.Chapter(1, [], {})
    text = chapter.markdown(":::{admonition} Answer\n:class: dropdown\nNo: $1 \\ne 2$.\n:::\n")
    assert text == "<details><summary>Answer</summary>\n\nNo: $1 \\ne 2$.\n\n</details>"
    assert markdown.fold(text, False) == (text, False)


def test_a_note_in_the_margin_is_set_off():
    chapter = markdown.Chapter(1, [], {})
    text = chapter.markdown("A.\n\n:::{margin}\nSee {cite}`lecun1998`,\nand more.\n:::\n")
    assert text == "A.\n\n> See (LeCun et al., 1998),\n> and more."


def test_unknown_role_is_an_error():
    chapter = markdown.Chapter(1, [], {})
    with pytest.raises(ValueError, match="doc"):
        chapter.markdown("see {doc}`other`")
    with pytest.raises(ValueError, match="mystery"):
        chapter.markdown("```{mystery}\nx\n```")


def without_pictures(made):
    """A notebook without its pictures, which depend on matplotlib's version, and without the
    addresses of its site, which in a fork are the original's until it publishes."""
    text = notebook.DATA_URI.sub("", json.dumps(made))
    text = re.sub(r'"image/png": "[\w+/=]+"', "", text)
    return re.sub(r"https://[\w.-]+github[\w./-]*", "", text)


@pytest.mark.parametrize("name", NAMES)
def test_published_notebook_is_not_stale(name):
    nb = read_chapter(name)
    run, path = store.published_run(name, nb), CHAPTERS / f"{name}.ipynb"
    assert run, f"chapters/{name}.md is not published: {building.why_unpublished(name, nb)}"
    assert publish.objections(run.fill(nb), run) == []
    fresh = json.loads(notebook.text_of(notebook.portable(name, nb, run)))
    stale = json.loads(path.read_text(encoding="utf-8"))
    assert without_pictures(fresh) == without_pictures(stale), "it is stale: make publish"
    assert path.stat().st_size < 1.5e6


@pytest.mark.parametrize("name", NAMES)
def test_published_notebook_shows_its_plots_anywhere(name):
    """GitHub cleans SVG of its labels; what a reader cannot see must be said."""
    made = nbformat.read(CHAPTERS / f"{name}.ipynb", as_version=4)
    pictures = [output for cell in code_cells(made) for output in cell.outputs
                if any(kind.startswith("image/") for kind in output.get("data", {}))]
    assert pictures
    for output in pictures:
        assert "image/svg+xml" not in output["data"] and "application/pdf" not in output["data"]
        assert len(output["metadata"]["image/png"]["alt"]) > 20


def test_setup_cell_writes_only_what_is_missing(tmp_path):
    source = "\n".join(cell.source for cell in notebook.setup_cells(read_chapter("batch_norm")))
    (tmp_path / "lab.py").write_text("mine = 1\n")
    done = subprocess.run([sys.executable, "-c", source], cwd=tmp_path, capture_output=True,
                          text=True, check=True)
    assert (tmp_path / "lab.py").read_text() == "mine = 1\n" and "lab.py differs" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("Ready: ") and len(source) < 50_000
    for name in ("fashion.py", "animation.py"):
        assert (tmp_path / name).read_text() == (CHAPTERS / name).read_text()


@pytest.fixture
def clone(tmp_path):
    """A copy of the checkout, committed in a repository of its own."""
    copy_tree(tmp_path)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in ["init", "-q"], ["add", "."], ["commit", "-qm", "all"]:
        subprocess.run([*git, *command], cwd=tmp_path, check=True)
    return tmp_path


def test_a_changed_sentence_is_published_without_executing(clone):
    name = NAMES[0]
    path = clone / "chapters" / f"{name}.md"
    text = path.read_text(encoding="utf-8")
    assert "\n## Summary" in text
    path.write_text(text.replace("\n## Summary", "\nA new sentence.\n\n## Summary", 1),
                    encoding="utf-8")
    module = clone / "chapters" / "animation.py"
    module.write_text(module.read_text(encoding="utf-8") + "\n# A comment.\n", encoding="utf-8")
    before = {one: one.stat().st_mtime_ns for one in (clone / "published").rglob("*")}
    done = tool(clone, "publish")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("outputs of the published run") == len(NAMES)
    made = (clone / "chapters" / f"{name}.ipynb").read_text(encoding="utf-8")
    assert "A new sentence." in made
    assert {one: one.stat().st_mtime_ns for one in (clone / "published").rglob("*")} == before
    listed = tool(clone, "outputs").stdout
    assert all(f"{one}: published\n" in listed for one in NAMES), listed
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "stale or anywhere",
         ROOT / "tests" / "test_publish.py", "--rootdir", clone, "-c", clone / "pyproject.toml"],
        cwd=clone, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(clone)})
    assert done.returncode == 0 and f"{2 * len(NAMES)} passed" in done.stdout, done.stdout[-3000:]


def test_changed_code_names_its_lines_and_is_not_published(clone):
    name = NAMES[0]
    path = clone / "chapters" / f"{name}.md"
    lines = path.read_text(encoding="utf-8").splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("lab.setup("))
    lines[at] = f"print(), {lines[at]}"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = tool(clone, "publish", name)
    assert done.returncode == 1 and "run `make run` first" in done.stdout
    done = tool(clone, "book")
    assert done.returncode == 1 and "Traceback" not in done.stdout
    assert f"lines differ from the published ones: {at + 1}. `make run`" in done.stdout


def test_changed_module_is_told(clone):
    module = clone / "chapters" / "lab.py"
    module.write_text(module.read_text(encoding="utf-8") + "\nCHANGED = 1\n", encoding="utf-8")
    done = tool(clone, "book")
    assert done.returncode == 1 and "modules that it imports differ" in done.stdout


@pytest.mark.parametrize("damage", ["number", "cut"])
def test_edited_outputs_are_not_built(clone, damage):
    path = clone / "published" / NAMES[0] / "run.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"0\.8(\d\d)", r"0.9\1", text, count=1) if damage == "number"
                    else text[:-100], encoding="utf-8")
    for command in "book", "publish":
        done = tool(clone, command)
        assert done.returncode == 1 and "Traceback" not in done.stdout
        assert f"git checkout -- published/{NAMES[0]}" in done.stdout


def test_without_git(clone, monkeypatch, tmp_path_factory):
    """A copy without the program git can be published."""
    empty = tmp_path_factory.mktemp("bin")
    done = tool(clone, "publish", PATH=str(empty))
    assert done.returncode == 0, done.stdout
