"""The book in print: whole, with the site's numbers, and fit to be printed."""
import re
import shutil
import subprocess
from xml.etree import ElementTree

import pytest
import yaml
from conftest import executed_at
from test_book import page as parsed

from tools import formulas, pdf
from tools.extensions import printedcells, printedindex
from tools.shared import source, store, tex
from tools.shared.building import NAME, PDF
from tools.shared.source import ROOT

CHAPTERS = source.chapter_names()
NUMBERED = source.chapter_names(numbered=True)
PROGRAMS = ("pdftotext", "pdfinfo", "pdffonts", "pdfimages", "qpdf")
TOP, BOTTOM = 62, 780  # of the text on a page, in points from the page's top
HEIGHT = 842


@pytest.fixture(scope="module")
def printed(book, typeset):
    """The book's PDF, of the same run as the site."""
    if missing := tex.absent() or [name for name in PROGRAMS if not shutil.which(name)]:
        pytest.skip(f"{', '.join(missing)} is not here: `make pdf` says what to install; "
                    "the tests need poppler-utils and qpdf, too")
    assert typeset.returncode == 0, typeset.stdout[-5000:]
    assert "WARNING" not in typeset.stdout
    return book / PDF.relative_to(ROOT)


def shown(program, *args):
    """What a program of poppler's prints."""
    return subprocess.run([program, *map(str, args)], check=True, capture_output=True, text=True,
                          errors="replace").stdout


@pytest.fixture(scope="module")
def texts(printed):
    """The text of each page."""
    return shown("pdftotext", "-layout", printed, "-").split("\f")[:-1]


@pytest.fixture(scope="module")
def inside(printed):
    """The PDF's objects as text."""
    return shown("qpdf", "--qdf", "--object-streams=disable", printed, "-")


@pytest.fixture(scope="module")
def lines(printed):
    """For each page: its lines between head and foot, as (top, bottom, words)."""
    found = []
    for one in shown("pdftotext", "-bbox", printed, "-").split("<page ")[1:]:
        by_line = {}
        for top, bottom, word in re.findall(
                r'<word .*yMin="([\d.]+)" .*yMax="([\d.]+)">(.*)</word>', one):
            if TOP < float(bottom) and float(top) < BOTTOM:
                by_line.setdefault(round(float(bottom) / 2), []).append(
                    (float(top), float(bottom), word))
        found.append([(min(word[0] for word in words), max(word[1] for word in words),
                       " ".join(word[2] for word in words))
                      for _, words in sorted(by_line.items())])
    return found


@pytest.fixture(scope="module")
def places(printed):
    """The PDF's named destinations: name to (page from 0, points from the page's top)."""
    return {name: (int(number) - 1, HEIGHT - int(y)) for number, y, name in re.findall(
        r'^ *(\d+) \[ XYZ +\d+ +(\d+) .*\] "(.*)"$', shown("pdfinfo", "-dests", printed),
        re.MULTILINE)}


@pytest.fixture(scope="module")
def chapter_starts(places):
    """The pages that chapters begin on, counted from 0."""
    return {where[0] for name, where in places.items() if name.startswith("chapter")}


@pytest.fixture(scope="module")
def cells(places):
    """The parts of cells: (number, "code" or "output") to where they begin and end."""
    parts = {}
    for name, where in places.items():
        if name.startswith("cell-"):
            _, number, kind, end = name.split("-")
            parts.setdefault((int(number), kind), {})[end] = where
    assert len(parts) > 400
    return parts


def page(book, name):
    """A page of the site, parsed."""
    return parsed(book, f"chapters/{name}")


def latex(book):
    """The book as LaTeX."""
    return (book / "_build" / "latex" / f"{NAME}.tex").read_text(encoding="utf-8")


def numbers_in_print(book):
    """The number that LaTeX gave to each label."""
    text = (book / "_build" / "latex" / f"{NAME}.aux").read_text(encoding="utf-8")
    return dict(re.findall(r"^\\newlabel\{(?:[^{}]*:)?([\w-]+)\}\{\{([\d.]+)\}", text,
                           re.MULTILINE))


def test_size_pages_and_metadata(printed, inside):
    facts = dict(line.split(":", 1) for line in shown("pdfinfo", printed).splitlines())
    assert 50 < int(facts["Pages"]) < 260
    assert facts["Title"].strip() == "Normalize, Add, Concatenate"
    assert facts["Author"].strip()
    assert "A4" in facts["Page size"]
    assert printed.stat().st_size < 5e6
    assert re.search(r"/Lang \(en\)", inside)
    assert len(re.findall(r"^  /Title ", inside, re.MULTILINE)) > 40  # bookmarks


def test_fonts_are_embedded(printed):
    rows = shown("pdffonts", printed).splitlines()[2:]
    assert rows
    for row in rows:
        assert row.split()[-5] == "yes", row


@pytest.mark.parametrize("name", NUMBERED)
def test_numbers_are_the_sites(book, printed, texts, name):
    soup, numbers, text = page(book, name), numbers_in_print(book), "\n".join(texts)
    named, index = printedindex.listed(), shown("pdftotext", "-raw", printed, "-")
    labels = formulas.EQUATION.findall(source.read(source.chapter_path(name)))
    assert labels
    for label in labels:
        number = soup.find(id=f"equation-{label}").select_one(".eqno").get_text().strip("()#\n ")
        assert numbers[label] == number
        assert re.search(rf" \({re.escape(number)}\)$", text, re.MULTILINE)
        words = r"[^\w\n]+".join(re.findall(r"\w+", named["formulas"][label]))
        assert re.search(rf"^ *\({re.escape(number)}\) +{words}", index, re.MULTILINE), label
    for figure in soup.select("figure[id^=fig-]"):
        words = figure.select_one(".caption-number").get_text().strip()
        assert words == f"Fig. {numbers[figure['id']]}"
        assert words in text


def test_every_picture_of_the_site_is_there_and_vector(book, printed, inside):
    moving = "article figure[id^=fig-], article .frames, article .explorable"
    pictures = sum(len(page(book, name).select(moving))
                   for name in [*CHAPTERS, "scaling", "../results"])
    assert latex(book).count(r"\sphinxincludegraphics{") == pictures + 1  # and the front page's
    assert len(re.findall("/Alt ?<feff", inside)) == pictures + 1
    # What is pixels in a vector plot is the data's own pictures: small.
    for row in shown("pdfimages", "-list", printed).splitlines()[2:]:
        width, height = map(int, row.split()[3:5])
        assert max(width, height) <= 700, row


@pytest.mark.parametrize("name", CHAPTERS)
def test_chapters_are_whole(book, texts, name):
    text = re.sub(r"\s+", " ", "\n".join(texts))
    soup = page(book, name)
    for heading in soup.select("article h1, article h2"):
        number = heading.select_one(".section-number")
        words = heading.get_text().rstrip("#").strip()
        words = words.removeprefix(number.get_text()) if number else words
        assert re.sub(r"\s+", " ", words) in text, words
    for exercise in soup.select("article .exercise"):
        title = exercise.select_one(".admonition-title").get_text()
        number = re.search(r"[\d.]+", title)[0]
        assert f"Exercise {number}" in text
        assert f"Solution to Exercise {number}" in text


def test_nothing_prints_that_no_reader_can_use(book, texts):
    text = "\n".join(texts)
    for junk in ("<IPython", "Figure(", "<matplotlib", "Traceback", "{eq}", "{numref}", "??",
                 "hide-input"):
        assert junk not in text, junk
    assert re.sub(r"\s+", " ", text).count("Move it on the site") == latex(book).count(r"\movesat{")


def test_no_code_is_cut_in_two(cells):
    for (number, kind), ends in cells.items():
        if kind == "code":
            assert ends["begin"][0] == ends["end"][0], number


def test_outputs_stand_below_their_code(cells, lines):
    for (number, kind), ends in cells.items():
        if kind != "output":
            continue
        (begin, top), (end, bottom) = ends["begin"], ends["end"]
        if (number, "code") in cells:
            code = cells[number, "code"]["end"]
            assert begin == code[0], number
            assert 0 <= top - code[1] < 12, number
        if begin != end:  # no slivers
            assert sum(line[0] > top - 2 for line in lines[begin]) >= printedcells.WHOLE, number
            assert sum(line[1] < bottom + 2 for line in lines[end]) >= printedcells.WHOLE, number


def test_pages_are_filled(lines, chapter_starts):
    for number in range(min(chapter_starts), max(chapter_starts)):
        if number + 1 not in chapter_starts:
            lowest = max(bottom for _, bottom, _ in lines[number])
            assert BOTTOM - lowest < (BOTTOM - TOP) / 4, number + 1


def test_nothing_is_stranded_at_the_foot_of_a_page(lines, places, chapter_starts):
    for number, page_lines in enumerate(lines[:-1]):
        assert not page_lines or not page_lines[-1][2].endswith(":"), number + 1
    for name, (number, top) in places.items():
        if re.match(r"(sub)*section", name) and number + 1 not in chapter_starts:
            assert sum(line[0] > top for line in lines[number]) >= 3, name


def test_the_lists_are_whole(book, texts):
    text, listed = "\f".join(texts), printedindex.listed()
    labels = [label for name in NUMBERED
              for label in formulas.EQUATION.findall(source.read(source.chapter_path(name)))]
    assert sorted(listed["formulas"]) == sorted(labels)
    index = (book / "_build" / "latex" / f"{NAME}.ind").read_text(encoding="utf-8")
    index = index.replace(r"\sphinxhyphen{}", "-")
    for term in listed["terms"]:
        assert rf"\spxentry{{{term}}}" in index, f"{term} is nowhere in the text"
    figures = text[text.index("\fList of figures"):]
    for figure in re.findall(r"^\\newlabel\{chapters/[^}]*:fig-[^}]*\}\{\{([\d.]+)\}",
                             (book / "_build" / "latex" / f"{NAME}.aux").read_text(), re.MULTILINE):
        assert re.search(rf"^ *{re.escape(figure)} .*", figures, re.MULTILINE), figure


def test_the_colophon_says_whose_what_and_when(book, texts, printed):
    cited = yaml.safe_load(source.read(ROOT / "CITATION.cff"))
    for words in (*(author["name"] for author in cited["authors"]), cited["license"],
                  cited["version"], "How to cite", "@book{"):
        assert words in texts[1], words
    for run in executed_at(book):
        assert store.Run(run.parent).facts["device"] in re.sub(r"\s+", " ", texts[1])
    said = " ".join(ElementTree.fromstring(shown("pdfinfo", "-meta", printed)).itertext())
    for words in ("Normalize, Add, Concatenate", cited["authors"][0]["name"], "/license/"):
        assert words in said


def test_folded_code_is_left_out(book, texts):
    text = "\n".join(texts)
    for name in CHAPTERS:
        for cell in source.read_chapter(name).cells:
            if cell.cell_type == "code" and cell.source.startswith("def "):
                folded = "hide-input" in cell.metadata.get("tags", [])
                first = cell.source.splitlines()[0]
                assert (first in text) != folded, first


def test_without_tex_no_old_pdf_is_left(tmp_path, monkeypatch, capsys):
    old = tmp_path / "old.pdf"
    old.write_bytes(b"%PDF")
    monkeypatch.setattr(pdf, "PDF", old)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pdf.main([]) == 1
    said = capsys.readouterr().err
    assert "xelatex" in said and "is not here" in said and "apt install" in said and "macOS" in said
    assert not old.exists()


def test_complaints_are_found():
    log = ("Overfull \\hbox (5.2pt too wide) in paragraph at lines 1--2\n"
           "Overfull \\hbox (4.9pt too wide) in paragraph at lines 1--2\n"
           "Missing character: There is no ✓ in font X!\n"
           "LaTeX Warning: Reference `a' on page 1 undefined on input line 3.\n"
           "Package hyperref Warning: Token not allowed in a PDF string\n"
           "LaTeX Font Warning: Size substitutions with differences\n")
    assert [line.split()[0] for line in tex.COMPLAINT.findall(log)] == [
        "Overfull", "Missing", "LaTeX"]
    stop = "x\n./book.tex:84: Missing number\n<to be read again>\nl.84\n"
    assert tex.errors(stop) == ["./book.tex:84: Missing number\n<to be read again>\nl.84"]


def test_the_tables_of_runs_are_typeset(printed, book):
    shown = sum(len(page(book, name).select(".cell_output table")) for name in CHAPTERS)
    assert latex(book).count("\\begin{tabular}{") == shown > 50


def test_the_site_beside_the_pdf_leads_to_it(printed, book):
    site = book / "_build" / "html"
    assert (site / printed.name).read_bytes() == printed.read_bytes()
    for name in CHAPTERS:
        [button] = page(book, name).select("a.btn-download-pdf-button")
        assert (site / "chapters" / button["href"]).resolve() == site / printed.name
