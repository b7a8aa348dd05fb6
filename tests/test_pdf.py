"""The book in print: whole, with the site's numbers, and fit to be printed."""
import re
import shutil
import subprocess

import pytest
from bs4 import BeautifulSoup
from conftest import tool

from tools import formulas, pdf
from tools.shared import source, tex
from tools.shared.building import NAME, PDF
from tools.shared.source import ROOT

CHAPTERS = source.chapter_names()
NUMBERED = source.chapter_names(numbered=True)
PROGRAMS = ("pdftotext", "pdfinfo", "pdffonts", "pdfimages", "qpdf")


@pytest.fixture(scope="module")
def printed(book):
    """The book's PDF, of the same run as the site."""
    if missing := tex.absent() or [name for name in PROGRAMS if not shutil.which(name)]:
        pytest.skip(f"{', '.join(missing)} is not here: `make pdf` says what to install; "
                    "the tests need poppler-utils and qpdf, too")
    done = tool(book, "pdf", "--own")
    assert done.returncode == 0, done.stdout[-5000:]
    assert "WARNING" not in done.stdout
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


def page(book, name):
    """A page of the site, parsed."""
    html = (book / "_build" / "html" / "chapters" / f"{name}.html").read_text(encoding="utf-8")
    return BeautifulSoup(html, "html.parser")


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
    labels = formulas.EQUATION.findall(source.read(source.chapter_path(name)))
    assert labels
    for label in labels:
        number = soup.find(id=f"equation-{label}").select_one(".eqno").get_text().strip("()#\n ")
        assert numbers[label] == number
        assert re.search(rf" \({re.escape(number)}\)$", text, re.MULTILINE)
        assert re.search(rf"^ *\({re.escape(number)}\) .* {label}[ .]+\d+$", text, re.MULTILINE)
    for figure in soup.select("figure[id^=fig-]"):
        words = figure.select_one(".caption-number").get_text().strip()
        assert words == f"Fig. {numbers[figure['id']]}"
        assert words in text


def test_every_picture_of_the_site_is_there_and_vector(book, printed, inside):
    moving = "article figure[id^=fig-], article .frames, article .explorable"
    pictures = sum(len(page(book, name).select(moving))
                   for name in [*CHAPTERS, "scaling"])
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
    assert text.count("a slider moves through this picture") == latex(book).count(r"\movesat{")


def test_pages_are_filled(book, texts):
    toc = (book / "_build" / "latex" / f"{NAME}.toc").read_text(encoding="utf-8")
    starts = {int(number) for number in re.findall(r"^\\contentsline \{chapter\}.*\{(\d+)\}\{", toc,
                                                   re.MULTILINE)}
    assert len(starts) > len(CHAPTERS)
    for text in texts:
        lines = [line for line in text.splitlines() if line.strip()]
        if lines[-1].strip().isdigit() and int(lines[-1]) + 1 not in starts and text != texts[-1]:
            assert len(lines) >= 2 + 5, text  # the running head and the page's number


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
