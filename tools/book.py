"""Build the site at _build/html from the chapters and their outputs.

A chapter without outputs is executed on the way; run tools/run.py first to see how far
it is.
"""
import argparse
import subprocess
import sys
import time
from pathlib import Path

from outputs import ROOT, fashion

HTML = ROOT / "_build" / "html"


def build():
    """Run jupyter-book over the whole book; returns its exit status."""
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    command = [jupyter_book, "build", ROOT, "-W", "-n", "--keep-going", "-q", "--all"]
    return subprocess.run(command, cwd=ROOT).returncode


def main(argv=None):
    """Build, say where the site is; returns an exit status."""
    argparse.ArgumentParser(description=__doc__).parse_args(argv)
    start = time.monotonic()
    status = build()
    if status or not (HTML / "index.html").exists():
        print("The site was not built: the warnings above say why.", file=sys.stderr)
        return status or 1
    print(f"Built in {time.monotonic() - start:.0f} s. Open {(HTML / 'index.html').as_uri()}")
    if fashion.source() != fashion.REAL:
        print("Its chapters ran on drawn stand-in data: their accuracies say nothing about "
              "Fashion-MNIST.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
