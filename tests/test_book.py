"""The whole book at the smoke budget on the stand-in: it runs, it builds, nothing is missing."""
import functools
import json
import re
import statistics
import subprocess
import sys
from urllib.parse import unquote

import pytest
from bs4 import BeautifulSoup
from conftest import tool

from tools import formulas
from tools.extensions import results
from tools.shared import markdown, source
from tools.shared.command import WordsError
from tools.shared.store import FACTS

CHAPTERS = source.chapter_names()
NUMBERED = source.chapter_names(numbered=True)


@functools.cache  # a chapter is long; no test changes what it gets
def page(book, name):
    """A built page, parsed."""
    html = (book / "_build" / "html" / f"{name}.html").read_text(encoding="utf-8")
    return BeautifulSoup(html, "html.parser")


@pytest.mark.parametrize("name", NUMBERED)
def test_every_equation_is_on_its_page(book, name):
    text = source.chapter_path(name).read_text(encoding="utf-8")
    labels = formulas.EQUATION.findall(text)
    assert labels and len(set(labels)) == len(labels)
    soup = page(book, f"chapters/{name}")
    assert {f"equation-{label}" for label in labels} == {
        tag["id"] for tag in soup.select(".math[id^=equation-eq-]")}
    numbers = [tag.get_text() for tag in soup.select(".eqno")]
    assert len(set(numbers)) == len(labels)


@pytest.mark.parametrize("name", NUMBERED)
def test_numbers_are_those_of_the_notebook(book, name):
    html = (book / "_build" / "html" / "chapters" / f"{name}.html").read_text(encoding="utf-8")
    chapter = markdown.Chapter(source.number(name), source.read_chapter(name).cells, {})
    for label, words in chapter.names.items():
        if label.startswith("eq-"):
            assert re.search(rf'id="equation-{label}">\s*<span class="eqno">{re.escape(words)}',
                             html)
        if label.startswith("fig-"):
            shown = words.split()[1]
            assert re.search(rf'id="{label}".*?<span class="caption-number">Fig. {shown} </span>',
                             html, re.DOTALL)


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_figure_is_on_its_page_with_alt_text(book, name):
    text = source.chapter_path(name).read_text(encoding="utf-8")
    labels = re.findall(r"name: (fig-[\w-]+)", text)
    soup = page(book, f"chapters/{name}")
    assert labels and set(labels) == {tag["id"] for tag in soup.select("figure[id^=fig-]")}
    images = soup.select("article img")
    assert len(images) >= len(labels)
    for image in images:
        assert len(image.get("alt", "")) > 20, image
        if not image["src"].startswith("data:"):
            path = book / "_build" / "html" / "chapters" / unquote(image["src"])
            assert path.resolve().is_file(), image["src"]


@pytest.mark.parametrize("name", CHAPTERS)
def test_no_cell_printed_what_no_reader_can_use(book, name):
    outputs = page(book, f"chapters/{name}").select(".cell_output")
    text = "\n".join(tag.get_text() for tag in outputs)
    assert "NOT Fashion-MNIST" in text
    for junk in ("<IPython", "Figure(", "<matplotlib", "Traceback", "\r", "Warning"):
        assert junk not in text, junk


@pytest.mark.parametrize("name", CHAPTERS)
def test_checks_and_claims_are_seen(book, name):
    soup = page(book, f"chapters/{name}")
    marked = [tag.get_text() for tag in soup.select(".cell_output .claim")]
    outputs = soup.select(".cell_output .stream pre")
    lines = re.findall(r"^[✓✗–○] .*(?:\n  .*)*", "\n".join(tag.get_text() for tag in outputs),
                       re.MULTILINE)
    assert len(marked) > 3 and marked == lines


def facts(book, name):
    """What a chapter's run handed over, as it was kept."""
    [path] = (book / "_build" / "outputs" / name).glob("*/run.json")
    outputs = json.loads(path.read_text(encoding="utf-8"))["cells"][-1]["outputs"]
    return outputs[-1]["data"][FACTS]


@pytest.mark.parametrize("name", [*NUMBERED, "scaling"])
def test_results_are_the_chapters_own(book, name):
    soup = page(book, "results")
    table = soup.select_one("table").get_text(" ", strip=True)
    told = facts(book, name)
    assert told["data"] == "a drawn stand-in" and told["data"] in soup.get_text()
    assert told["network"] in table
    assert f"{statistics.median(told['test_accuracy']):.4f}" in table


def test_a_chapter_without_a_network_has_no_row():
    assert results.row({"data": "Fashion-MNIST"}) is None


@pytest.mark.parametrize("name", NUMBERED)
def test_every_formula_has_a_cell_a_check_and_a_test(name):
    rows = formulas.coverage(name, formulas.tested_labels())
    assert rows and not [row for row in rows if None in row]


def test_coverage_finds_the_holes(tmp_path, monkeypatch):
    text = source.chapter_path("batch_norm").read_text(encoding="utf-8")
    bad = text.replace(":tags: [eq-bn-mean]", ":tags: []").replace(
        'lab.check_equal("y = x', 'print("y = x')
    (tmp_path / "bad.md").write_text(bad, encoding="utf-8")
    monkeypatch.setattr(source, "CHAPTERS", tmp_path)
    rows = formulas.coverage("bad", formulas.tested_labels())
    holes = {row[0]: row for row in rows if None in row}
    assert holes["eq-bn-mean"][1] is None and holes["eq-bn-undo"][2] is None
    assert len(holes) == 2
    assert all(row[3] is None for row in formulas.coverage("bad", {}))


@pytest.mark.parametrize("name", CHAPTERS)
def test_cells_are_short_and_narrow(name):
    sources = [cell.source for cell in source.code_cells(source.read_chapter(name))]
    lengths = sorted(source.count("\n") + 1 for source in sources)
    assert lengths[-1] <= 25
    assert max(len(line) for source in sources for line in source.splitlines()) <= 78


@pytest.mark.parametrize("name", NUMBERED)
def test_a_chapter_has_what_every_chapter_must_have(name):
    """The rules of CONTRIBUTING.md that no other test looks at."""
    heading, text = source.heading(name), source.chapter_path(name).read_text(encoding="utf-8")
    assert heading.label.startswith("ch-") and len(heading.description) > 40
    exercises = set(re.findall(r"^:label: (ex-[\w-]+)$", text, re.MULTILINE))
    assert exercises and exercises == set(re.findall(r"\{solution-start\} (ex-[\w-]+)", text))
    assert "lab.run_facts(data" in source.code_cells(source.read_chapter(name))[-1].source


def test_a_chapter_that_breaks_the_rules_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "CHAPTERS", tmp_path)
    (tmp_path / "bad.md").write_text("---\na: 1\n---\n(ch-bad)=\n# Bad\n")
    with pytest.raises(WordsError, match="bad.md must begin with a label and a title"):
        source.Heading("bad")
    (tmp_path / "bad.md").write_text("---\na: 1\n---\n(ch-bad)=\n# Bad: worsen\n")
    with pytest.raises(WordsError, match="bad.md needs a description"):
        source.Heading("bad")


def test_a_fourth_chapter_is_taken_up_everywhere(book):
    """The test book's own chapter: one file and one line of the table of contents."""
    cards = page(book, "index").select(".sd-card")
    assert cards[-1].select_one(".sd-card-title").get_text(strip=True) == "4. Multiply"
    assert "scaled by one number" in cards[-1].get_text()
    soup = page(book, "chapters/scaling")
    assert soup.select_one("#equation-eq-scaling").get_text().count("(4.1)") == 1
    assert "Fig. 4.1" in soup.get_text() and "Exercise 4.1" in soup.get_text()
    assert "loss against the step" in str(soup.select_one("figure#fig-scaling img"))
    assert soup.select_one("meta[name=description]")["content"].startswith("A fourth chapter")
    done = tool(book, "formulas")
    assert done.returncode == 1 and re.search(r"eq-scaling +cell +\d+ +check +\d+ +test MISSING",
                                              done.stdout)
    code = ("from benchmarks.common import entries; "
            "print([(one.network, one.recipe['num_epochs']) for one in entries()])")
    done = subprocess.run([sys.executable, "-c", code], cwd=book, text=True, capture_output=True,
                          env={"PATH": "", "PYTHONPATH": "chapters", "BUDGET": "smoke"})
    assert done.returncode == 0, done.stderr
    assert "('scaled linear', 1)" in done.stdout and done.stdout.count("(") == len(NUMBERED) + 1
    code = ("from tools.shared import notebook, source, store; "
            "nb = source.read_chapter('scaling'); run = store.shown_run('scaling', nb); "
            "print(notebook.text_of(notebook.portable('scaling', run.fill(nb), run)))")
    done = subprocess.run([sys.executable, "-c", code], cwd=book, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert "*Chapter 4 of" in made["cells"][0]["source"]
    assert r"\tag{4.1}" in "".join(cell["source"] for cell in made["cells"])


def test_the_list_of_outputs(book):
    told = tool(book, "outputs", "--own", "--cells").stdout
    assert "scaling: it was never published" in told
    assert re.search(r"_build/outputs/scaling/\w+: a drawn stand-in, budget smoke", told)
    assert re.search(r"cell \d+: .*\.svg", told) and FACTS in told
    run = next((book / "_build" / "outputs" / "scaling").glob("*/run.json"))
    assert json.loads(run.read_text())["place"]["budget"] == "smoke"
