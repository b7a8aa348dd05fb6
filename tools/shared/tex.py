"""LaTeX on this machine: whether it is all here, and typesetting the book with it."""
import os
import re
import shutil
import subprocess

from tools.shared.building import NAME
from tools.shared.source import ROOT

LATEX = ROOT / "_build" / "latex"
# A file of each package of Debian's that the book needs.
NEEDED = {"latexmk": "latexmk", "xelatex": "texlive-xetex", "kpsewhich": "texlive-xetex",
          "framed.sty": "texlive-xetex", "pplr7t.tfm": "texlive-fonts-recommended",
          "texgyrepagella-regular.otf": "fonts-texgyre"}
INSTALL = f"""\
Debian, Ubuntu: apt install {' '.join(sorted(set(NEEDED.values())))}
macOS:          MacTeX (https://tug.org/mactex), or: brew install --cask mactex-no-gui
Windows:        MiKTeX (https://miktex.org) and Strawberry Perl, or TeX Live (https://tug.org)"""
# In LaTeX's log: what spoils a page or a link.
COMPLAINT = re.compile(
    r"^(Missing character: .*|Overfull \\hbox \((?:[5-9]|\d\d+)\.\d+pt .*|"
    r"(?:LaTeX|Package \w+) Warning: .*(?:undefined|multiply.defined|different name).*)",
    re.MULTILINE)


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


def typeset():
    """Run LaTeX as often as it takes; returns its complaints in words."""
    # A wide log: by default lines break at column 79, in the middle of words.
    process = subprocess.Popen(
        ["latexmk", "-xelatex", "-interaction=nonstopmode", "-halt-on-error", "-file-line-error",
         f"{NAME}.tex"], cwd=LATEX, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace", env={**os.environ, "max_print_line": "10000"})
    assert process.stdout
    for line in process.stdout:
        if run := re.match(r"Run number (\d+) of rule 'xelatex'", line):
            print(f"Typesetting, pass {run[1]}", flush=True)
    path = LATEX / f"{NAME}.log"
    log = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    if process.wait():
        return [*errors(log), f"LaTeX failed. Its log is {path}"]
    return sorted(set(COMPLAINT.findall(log)))
