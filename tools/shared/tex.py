"""LaTeX on this machine: whether it is all here, and typesetting the book with it."""
import os
import re
import shutil
import subprocess

from tools.shared import pages
from tools.shared.building import NAME
from tools.shared.source import ROOT

LATEX = ROOT / "_build" / "latex"
LOG = LATEX / f"{NAME}.log"
# A file of each package of Debian's that the book needs.
NEEDED = {"makeindex": "texlive-xetex", "xelatex": "texlive-xetex", "kpsewhich": "texlive-xetex",
          "framed.sty": "texlive-xetex", "pplr7t.tfm": "texlive-fonts-recommended",
          "texgyrepagella-regular.otf": "fonts-texgyre"}
INSTALL = f"""\
Debian, Ubuntu: apt install {' '.join(sorted(set(NEEDED.values())))}
macOS:          MacTeX (https://tug.org/mactex), or: brew install --cask mactex-no-gui
Windows:        MiKTeX (https://miktex.org) or TeX Live (https://tug.org)"""
# In LaTeX's log: what spoils a page or a link.
COMPLAINT = re.compile(
    r"^(Missing character: .*|Overfull \\hbox \((?:[5-9]|\d\d+)\.\d+pt .*|"
    r"(?:LaTeX|Package \w+) Warning: "
    r".*(?:undefined|multiply.defined|different name|have changed).*)", re.MULTILINE)


def absent():
    """What the book needs of TeX and is not here."""
    def is_here(name):
        if "." not in name:
            return shutil.which(name)
        return subprocess.run(["kpsewhich", name], stdout=subprocess.DEVNULL).returncode == 0

    programs = [name for name in NEEDED if "." not in name and not is_here(name)]
    return programs or [name for name in NEEDED if not is_here(name)]


def errors(log):
    """The errors in LaTeX's log, each with the line that it stopped at."""
    lines = log.splitlines()
    return ["\n".join(lines[i:i + 3]) for i, line in enumerate(lines)
            if re.match(r"!|\S+\.(tex|sty):\d+: ", line)]


def xelatex(number, *options, before=""):
    """One pass; returns LaTeX's errors, in words."""
    print(f"Typesetting, pass {number}", flush=True)
    # A wide log: by default lines break at column 79, in the middle of words.
    done = subprocess.run(
        ["xelatex", "-interaction=nonstopmode", "-halt-on-error", "-file-line-error", *options,
         f"-jobname={NAME}", rf"{before}\input{{{NAME}}}"], cwd=LATEX, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env={**os.environ, "max_print_line": "10000"})
    return [*errors(read_log()), f"LaTeX failed. Its log is {LOG}"] if done.returncode else []


def read_log():
    """What LaTeX said last."""
    return LOG.read_text(encoding="utf-8", errors="replace") if LOG.exists() else ""


def begin_pages():
    """Choose where pages begin, by what the passes on endless sheets measured."""
    height, places = (LATEX / "places.txt").read_text().split("\n", 1)
    (LATEX / "begins.tex").write_text("".join(
        rf"\pagebegins{{{page.number}}}{{{page.scale:.4f}}}{{{page.space:.2f}pt}}" "\n"
        for page in pages.plan(places, float(height.removesuffix("pt")))))


def typeset():
    """Run LaTeX as often as it takes; returns its complaints in words.

    Twice on endless sheets: the second time, the numbers of formulas and figures are known.
    Then twice on pages: the second time, the numbers of pages are known.
    """
    for number in (1, 2):
        if failed := xelatex(number, "-no-pdf", before=r"\def\measuring{}"):
            return failed
    begin_pages()
    if failed := xelatex(3, "-no-pdf"):
        return failed
    subprocess.run(["makeindex", "-q", "-s", "python.ist", f"{NAME}.idx"], cwd=LATEX, check=True)
    return xelatex(4) or sorted(set(COMPLAINT.findall(read_log())))
