"""Build the site at _build/html from the chapters and their outputs, executing nothing.

The outputs are those of the published notebooks chapters/*.ipynb; a chapter that has
none which agree with it takes those of this machine's last run.
"""
import argparse
import subprocess
import sys
import time
from pathlib import Path

import nbformat

from outputs import CHAPTERS, ROOT, fashion, modules_hash, own_store, prefer, published_store
from run import chapter_names, read_chapter

HTML = ROOT / "_build" / "html"


def identity(cell):
    """What a code cell's output depends on."""
    return cell.source, tuple(cell.metadata.get("tags", []))


def take_published(name):
    """Make a chapter's published outputs known to the site.

    Returns the lines of the cells that differ from the published ones; None if there is
    no notebook or the shared modules differ.
    """
    path = CHAPTERS / f"{name}.ipynb"
    published = nbformat.read(path, as_version=4) if path.exists() else None
    if not published or published.metadata["book"]["modules"] != modules_hash():
        return None
    known = [cell for cell in published.cells if cell.cell_type == "code"
             and "portable" not in cell.metadata.get("tags", [])]
    nb = read_chapter(name)
    codes = [(cell, line + 1) for cell, line in zip(nb.cells, nb.metadata["source_map"])
             if cell.cell_type == "code"]
    theirs = [identity(cell) for cell in known]
    if [identity(cell) for cell, _ in codes] != theirs:
        # Where all are known, cells were removed or moved: name the last.
        return [line for cell, line in codes if identity(cell) not in theirs] or [codes[-1][1]]
    for (cell, _), with_outputs in zip(codes, known):
        cell.outputs, cell.execution_count = with_outputs.outputs, with_outputs.execution_count
    published_store().keep(nb, name, seconds=None)
    return []


def missing(name):
    """Why a chapter has no outputs, in words; None if it has some."""
    changed = take_published(name)
    if changed == []:
        return None
    try:
        own_store().match_cache_notebook(read_chapter(name))
        return None
    except KeyError:
        pass
    why = ("it is not published for the shared modules as they are" if changed is None else
           "its cells at these lines differ from the published ones: "
           + ", ".join(map(str, changed)))
    return f"chapters/{name}.md has no outputs: {why}. `make run` executes it."


def choose_outputs(own):
    """Take this machine's outputs or the published ones; False if a chapter has none."""
    reasons = [reason for reason in map(missing, chapter_names()) if reason]
    if reasons:
        print("\n".join(reasons), file=sys.stderr)
        return False
    prefer("own" if own else "published")
    return True


def build(builder):
    """Run jupyter-book over the whole book; returns its exit status."""
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    command = [jupyter_book, "build", ROOT, "--builder", builder, "-W", "-n", "--keep-going", "-q",
               "--all"]
    return subprocess.run(command, cwd=ROOT).returncode


def warn_of_stand_in(own):
    """Say so where the chapters ran on drawn data."""
    if own and fashion.source() != fashion.REAL:
        print("Its chapters ran on drawn stand-in data: their accuracies say nothing about "
              "Fashion-MNIST. Without --own it shows the published results on the real data.")


def main(argv=None):
    """Build, say where the site is; returns an exit status."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--own", action="store_true",
                        help="show this machine's last run, not the published one")
    parser.add_argument("--links", action="store_true",
                        help="try every link to another site instead of building")
    args = parser.parse_args(argv)
    start = time.monotonic()
    if not choose_outputs(args.own):
        return 1
    if args.links:
        return build("linkcheck")
    status = build("html")
    if status or not (HTML / "index.html").exists():
        print("The site was not built: the warnings above say why.", file=sys.stderr)
        return status or 1
    print(f"Built in {time.monotonic() - start:.0f} s. Open {(HTML / 'index.html').as_uri()}")
    warn_of_stand_in(args.own)
    return 0


if __name__ == "__main__":
    sys.exit(main())
