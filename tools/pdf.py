"""Build the book in print, _build/pdf/normalize-add-concatenate.pdf, executing nothing.

The outputs are those of the site: the published notebooks', or this machine's last run
with --own.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import time

import book
from outputs import ROOT

NAME = "normalize-add-concatenate"
PDF = ROOT / "_build" / "pdf" / f"{NAME}.pdf"
LATEX = ROOT / "_build" / "latex"
# A file of each package of Debian's that the book needs.
NEEDED = {"latexmk": "latexmk", "xelatex": "texlive-xetex", "framed.sty": "texlive-xetex",
          "pplr7t.tfm": "texlive-fonts-recommended", "texgyrepagella-regular.otf": "fonts-texgyre"}
INSTALL = f"""\
Debian, Ubuntu: apt install {' '.join(sorted(set(NEEDED.values())))}
macOS:          MacTeX (https://tug.org/mactex), or: brew install --cask mactex-no-gui
Windows:        MiKTeX (https://miktex.org) and Strawberry Perl, or TeX Live (https://tug.org/texlive)"""
# In LaTeX's log: what spoils a page or a link.
COMPLAINT = re.compile(
    r"^(Missing character: .*|Overfull \\hbox \((?:[5-9]|\d\d+)\.\d+pt .*|"
    r"(?:LaTeX|Package \w+) Warning: .*(?:undefined|multiply.defined|different name).*)", re.MULTILINE)


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
    for line in process.stdout:
        if run := re.match(r"Run number (\d+) of rule 'xelatex'", line):
            print(f"Typesetting, pass {run[1]}", flush=True)
    path = LATEX / f"{NAME}.log"
    log = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    if process.wait():
        return [*errors(log), f"LaTeX failed. Its log is {path}"]
    return sorted(set(COMPLAINT.findall(log)))


def main(argv=None):
    """Build, say where the PDF is; returns an exit status."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--own", action="store_true",
                        help="show this machine's last run, not the published one")
    args = parser.parse_args(argv)
    start = time.monotonic()
    PDF.unlink(missing_ok=True)
    if missing := absent():
        print(f"The PDF needs TeX, and {', '.join(missing)} is not here.\n{INSTALL}", file=sys.stderr)
        return 1
    if not book.choose_outputs(args.own):
        return 1
    shutil.rmtree(LATEX, ignore_errors=True)
    print("Writing the chapters as LaTeX", flush=True)
    if status := book.build("latex"):
        print("The PDF was not built: the warnings above say why.", file=sys.stderr)
        return status
    if complaints := typeset():
        print("\n".join(complaints), "The PDF was not built.", sep="\n", file=sys.stderr)
        return 1
    PDF.parent.mkdir(exist_ok=True)
    shutil.move(LATEX / PDF.name, PDF)
    print(f"Built in {time.monotonic() - start:.0f} s: {PDF.stat().st_size / 1e6:.1f} MB. "
          f"Open {PDF.as_uri()}")
    book.warn_of_stand_in(args.own)
    return 0


if __name__ == "__main__":
    sys.exit(main())
