"""Building the book with jupyter-book: which outputs it shows, and whether all are there."""
import hashlib
import os
import subprocess
import sys

from tools.shared import store
from tools.shared.command import WordsError
from tools.shared.source import (
    CHAPTERS,
    ROOT,
    chapter_names,
    chapter_path,
    code_cells,
    code_lines,
    read,
    read_chapter,
)

NAME = "normalize-add-concatenate"  # of the book's files
PDF = ROOT / "_build" / "pdf" / f"{NAME}.pdf"
MADE_OF = PDF.with_suffix(".state")  # what the PDF was made of, as ``state`` tells it
# A module of its own has jupyter-book none, and its script holds the path of its .venv.
JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"


def changed_lines(name, nb):
    """The lines of the cells that differ from the published ones; None if other things do."""
    run = store.published_run(name)
    if run is None or run.key["modules"] != store.code_key(nb)["modules"]:
        return None
    known = run.key["cells"]
    lines = [line for cell, line in zip(code_cells(nb), code_lines(name, nb), strict=True)
             if store.cell_hash(cell) not in known]
    return lines or code_lines(name, nb)[-1:]  # where all are known, some were moved or removed


def why_unpublished(name, nb):
    """Why the published outputs are not this chapter's, in words."""
    changed = changed_lines(name, nb)
    if changed is not None:
        return ("its cells at these lines differ from the published ones: "
                + ", ".join(map(str, changed)))
    if store.published_run(name) is None:
        return "it was never published"
    return "the modules that it imports differ from those of the published run"


def told(run):
    """A run's place and time in words."""
    return f"{run.place.data}, budget {run.place.budget}, {run.record['finished']}"


def objections(own, any_budget):
    """What keeps the book from being built, in words; tells which chapters are not published."""
    found = []
    for name in chapter_names():
        nb, path = read_chapter(name), chapter_path(name).relative_to(ROOT).as_posix()
        run = store.shown_run(name, nb)
        if run is None:
            found.append(f"{path} has no outputs: {why_unpublished(name, nb)}. "
                         "`make run` executes it.")
        elif own or run.folder.is_relative_to(store.PUBLISHED):
            continue
        elif run.place.budget == "smoke" and not any_budget:
            found.append(f"{path} has outputs of the smoke budget only ({told(run)}), which mean "
                         f"nothing: {why_unpublished(name, nb)}. `make run` executes it; --own "
                         "shows such outputs all the same.")
        else:
            print(f"{path} is shown with this machine's run ({told(run)}): "
                  f"{why_unpublished(name, nb)}.", flush=True)
    return found


def choose_outputs(own, any_budget=False):
    """Settle that this process and those it starts show this machine's outputs, or the published.

    Raises WordsError where a chapter has none that a book may show; ``any_budget`` allows
    those of the smoke budget, as ``own`` does.
    """
    os.environ["OUTPUTS"] = "own" if own else "published"
    if found := objections(own, any_budget):
        raise WordsError("\n".join(found))


def build(builder):
    """Run jupyter-book over the whole book, with the chosen outputs; returns its exit status."""
    command = [sys.executable, "-c", JUPYTER_BOOK, "build", ROOT, "--builder", builder, "-W",
               "-n", "--keep-going", "-q", "--all"]
    return subprocess.run(command, cwd=ROOT).returncode


def shown_runs():
    """The runs that this build shows, of all chapters that have one."""
    return list(filter(None, (store.shown_run(name, read_chapter(name))
                              for name in chapter_names())))


def remarks():
    """What a reader must know of the runs that the book shows, in sentences."""
    places = {run.place for run in shown_runs()}
    told = [f"This book shows a run on {data}: its accuracies say nothing about {store.REAL}."
            for data in sorted({place.data for place in places} - {store.REAL})]
    if any(place.budget == "smoke" for place in places):
        told.append("This book shows a run of the smoke budget: its numbers mean nothing.")
    return told


def state():
    """A hash of all that the site and the PDF are made of, to tell an old PDF from this text."""
    kinds = ("*.md", "*.bib", "*.yml", f"{CHAPTERS.name}/*.md", f"{CHAPTERS.name}/*.yml",
             "figures/*.svg", "benchmarks/results/*.json")
    paths = sorted(path for kind in kinds for path in ROOT.glob(kind))
    parts = [*map(read, paths), *(run.record["sha256"] for run in shown_runs())]
    return hashlib.sha256("".join(parts).encode()).hexdigest()
