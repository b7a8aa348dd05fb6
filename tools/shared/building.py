"""Building the book with jupyter-book: which outputs it shows, and whether all are there."""
import os
import subprocess
import sys

from tools.shared import store
from tools.shared.command import WordsError
from tools.shared.source import (
    ROOT,
    chapter_names,
    chapter_path,
    code_cells,
    code_lines,
    read_chapter,
)

NAME = "normalize-add-concatenate"  # of the book's files
PDF = ROOT / "_build" / "pdf" / f"{NAME}.pdf"
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


def objections(own):
    """What keeps the book from being built, in words; tells which chapters are not published."""
    found = []
    for name in chapter_names():
        nb, path = read_chapter(name), chapter_path(name).relative_to(ROOT).as_posix()
        run = store.chosen_run(name, nb, own)
        if run is None:
            found.append(f"{path} has no outputs: {why_unpublished(name, nb)}. "
                         "`make run` executes it.")
        elif own or run.folder.is_relative_to(store.PUBLISHED):
            continue
        elif run.place.budget == "smoke":
            found.append(f"{path} has outputs of the smoke budget only ({told(run)}), which mean "
                         f"nothing: {why_unpublished(name, nb)}. `make run` executes it; --own "
                         "shows such outputs all the same.")
        else:
            print(f"{path} is shown with this machine's run ({told(run)}): "
                  f"{why_unpublished(name, nb)}.", flush=True)
    return found


def choose_outputs(own):
    """Make sure that the book can be built with this machine's outputs, or the published ones.

    Raises WordsError where a chapter has none that a book may show.
    """
    if found := objections(own):
        raise WordsError("\n".join(found))


def build(builder, own):
    """Run jupyter-book over the whole book; returns its exit status."""
    command = [sys.executable, "-c", JUPYTER_BOOK, "build", ROOT, "--builder", builder, "-W",
               "-n", "--keep-going", "-q", "--all"]
    environment = {**os.environ, "OUTPUTS": "own" if own else "published"}
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


def warn(own):
    """Say so where the book shows drawn data or the smoke budget."""
    chosen = (store.chosen_run(name, read_chapter(name), own) for name in chapter_names())
    runs = [run for run in chosen if run]
    data = {run.place.data for run in runs} - {"Fashion-MNIST"}
    if data:
        print(f"Its chapters ran on {data.pop()} data: their accuracies say nothing about "
              "Fashion-MNIST. Without --own it shows the published results on the real data.")
    if any(run.place.budget == "smoke" for run in runs):
        print("It shows runs of the smoke budget: their numbers mean nothing.")
