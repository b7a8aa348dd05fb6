"""The whole book at the smoke budget on the stand-in: it runs, it builds, nothing is missing."""
import re
from urllib.parse import unquote, urlsplit

import formulas
import nbformat
import pytest
import results
import run
from bs4 import BeautifulSoup
from conftest import ROOT

CHAPTERS = run.chapter_names()


def page(book, name):
    """A built page, parsed."""
    html = (book / "_build" / "html" / f"{name}.html").read_text(encoding="utf-8")
    return BeautifulSoup(html, "html.parser")


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_equation_is_on_its_page(book, name):
    text = (ROOT / "chapters" / f"{name}.md").read_text(encoding="utf-8")
    labels = formulas.EQUATION.findall(text)
    assert len(labels) > 5 and len(set(labels)) == len(labels)
    soup = page(book, f"chapters/{name}")
    assert {f"equation-{label}" for label in labels} == {
        tag["id"] for tag in soup.select(".math[id^=equation-eq-]")}
    numbers = [tag.get_text() for tag in soup.select(".eqno")]
    assert len(set(numbers)) == len(labels)


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_figure_is_on_its_page_with_alt_text(book, name):
    text = (ROOT / "chapters" / f"{name}.md").read_text(encoding="utf-8")
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


@pytest.mark.parametrize("name", [f"chapters/{name}" for name in CHAPTERS] + ["index"])
def test_pages_load_mathjax_from_the_site(book, name):
    sources = [tag["src"] for tag in page(book, name).select("script[src*=mathjax]")]
    assert sources
    folder = (book / "_build" / "html" / name).parent
    assert all((folder / urlsplit(source).path).resolve().is_file() for source in sources)


def test_results_are_the_chapters_own(book):
    table = page(book, "results").select_one("table").get_text(" ", strip=True)
    assert "a drawn stand-in" in table
    for name, (pattern, _) in results.FINAL.items():
        text = page(book, f"chapters/{name}").select_one("article").get_text()
        assert re.search(pattern, text, re.MULTILINE)["accuracy"] in table


def test_results_miss_no_number_in_silence():
    with pytest.raises(results.ExtensionError, match="batch_norm.md printed no line like"):
        results.row("batch_norm", nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("")]))


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_formula_has_a_cell_a_check_and_a_test(name):
    rows = formulas.coverage(name, formulas.tested_labels())
    assert rows and not [row for row in rows if None in row]


def test_coverage_finds_the_holes(tmp_path, monkeypatch):
    text = (ROOT / "chapters" / "batch_norm.md").read_text(encoding="utf-8")
    bad = text.replace(":tags: [eq-bn-mean]", ":tags: []").replace(
        'lab.check_equal("y = x', 'print("y = x')
    (tmp_path / "bad.md").write_text(bad, encoding="utf-8")
    for module in (run, formulas):
        monkeypatch.setattr(module, "CHAPTERS", tmp_path)
    holes = {row[0]: row for row in formulas.coverage("bad", formulas.tested_labels()) if None in row}
    assert holes["eq-bn-mean"][1] is None and holes["eq-bn-undo"][2] is None
    assert len(holes) == 2
    assert all(row[3] is None for row in formulas.coverage("bad", {}))


@pytest.mark.parametrize("name", CHAPTERS)
def test_cells_are_short_and_narrow(name):
    sources = [cell.source for cell in run.read_chapter(name).cells if cell.cell_type == "code"]
    lengths = sorted(source.count("\n") + 1 for source in sources)
    assert lengths[-1] <= 25
    assert max(len(line) for source in sources for line in source.splitlines()) <= 78
