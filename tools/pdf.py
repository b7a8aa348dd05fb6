"""Build the book in print, _build/pdf/normalize-add-concatenate.pdf, executing nothing.

The outputs are those of the site: the published ones, or this machine's last run with --own.
"""
import argparse
import shutil
import sys
import time

from tools.shared.building import MADE_OF, PDF, build, choose_outputs, remarks, state
from tools.shared.command import in_words
from tools.shared.tex import INSTALL, LATEX, absent, typeset


def make(own):
    """Make the PDF; returns an exit status, 0 where it is there."""
    if missing := absent():
        print(f"The PDF needs TeX, and {', '.join(missing)} is not here.\n{INSTALL}",
              file=sys.stderr)
        return 1
    choose_outputs(own)
    shutil.rmtree(LATEX, ignore_errors=True)
    print("Writing the chapters as LaTeX", flush=True)
    if status := build("latex"):
        print("The PDF was not built: the warnings above say why.", file=sys.stderr)
        return status
    if complaints := typeset():
        print("\n".join(complaints), "The PDF was not built.", sep="\n", file=sys.stderr)
        return 1
    PDF.parent.mkdir(exist_ok=True)
    shutil.move(LATEX / PDF.name, PDF)
    MADE_OF.write_text(state(), encoding="utf-8")
    return 0


def main(argv=None):
    """Build, say where the PDF is; returns an exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.pdf", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--own", action="store_true",
                        help="show this machine's last run, not the published one")
    args = parser.parse_args(argv)
    start = time.monotonic()
    PDF.unlink(missing_ok=True)
    status = make(args.own)
    if status == 0:
        print(f"Built in {time.monotonic() - start:.0f} s: {PDF.stat().st_size / 1e6:.1f} MB. "
              f"Open {PDF.as_uri()}")
        for remark in remarks():
            print(remark)
    return status


if __name__ == "__main__":
    sys.exit(in_words(main))
