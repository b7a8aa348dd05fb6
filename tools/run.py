"""Execute the book's chapters and keep their outputs for the site.

A chapter whose code cells, tags, shared modules, budget and data are unchanged is not
executed again, so an interrupted run goes on where it stopped.
"""
import argparse
import re
import sys
import time

import nbformat
import yaml
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import read_myst_markdown_notebook
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from outputs import CHAPTERS, ROOT, fashion, open_store


def chapter_names():
    """The chapters of _toc.yml, in order."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    paths = [entry["file"] for entry in toc["chapters"]]
    return [path.split("/")[1] for path in paths if path.startswith("chapters/")]


def read_chapter(name):
    """``chapters/NAME.md`` as a notebook without outputs; ``source_map`` has its lines."""
    path = CHAPTERS / f"{name}.md"
    return read_myst_markdown_notebook(path.read_text(encoding="utf-8"), add_source_map=True,
                                       path=path)


def clock(seconds):
    """Seconds as m:ss."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Client(NotebookClient):
    """Executes a notebook and shows cell by cell, live on a terminal, how far it is."""

    def __init__(self, nb, name, **options):
        super().__init__(nb, timeout=None, resources={"metadata": {"path": str(CHAPTERS)}},
                         on_cell_execute=self.begin_cell, on_cell_executed=self.end_cell,
                         **options)
        self.name, self.started, self.line = name, time.monotonic(), ""
        self.codes = [i for i, cell in enumerate(nb.cells) if cell.cell_type == "code"]

    def show(self, text, end="\r"):
        """Rewrite the terminal's line; elsewhere print only what ends with a line feed."""
        line = (f"{self.name} {clock(time.monotonic() - self.started)} "
                f"cell {self.line} {' '.join(text.split())}")[:110]
        if sys.stdout.isatty():
            print(f"\r\033[K{line}", end=end if end == "\n" else "", flush=True)
        elif end == "\n":
            print(line, flush=True)

    def begin_cell(self, cell, cell_index):
        """Name the cell that starts, by its first line."""
        self.line = f"{self.codes.index(cell_index) + 1}/{len(self.codes)}"
        self.cell_started = time.monotonic()
        self.show(cell.source.splitlines()[0])

    def end_cell(self, cell, cell_index, execute_reply):
        """Leave a line for the cell that ended."""
        spent = time.monotonic() - self.cell_started
        self.show(f"[{spent:5.1f} s] {cell.source.splitlines()[0]}", end="\n")

    def process_message(self, msg, cell, cell_index):
        """Pass on a training loop's own progress line."""
        content = msg.get("content", {})
        if content.get("transient", {}).get("display_id"):
            self.show(content["data"].get("text/plain", ""))
        return super().process_message(msg, cell, cell_index)


def execute(name, nb):
    """Execute a chapter in place; returns the failure in words, or None."""
    client = Client(nb, name, kernel_name="python3")
    try:
        client.execute()
    except CellExecutionError as err:
        failed = next(i for i in reversed(client.codes) if nb.cells[i].execution_count)
        line = nb.metadata["source_map"][failed] + 1
        traceback = re.sub(r"\x1b\[[\d;]*m", "", err.traceback)  # without colour codes
        return (f"chapters/{name}.md:{line}: cell {client.line} failed with "
                f"{err.ename}: {err.evalue}\n\n{nb.cells[failed].source}\n\n{traceback}\n"
                f"Mend the cell at chapters/{name}.md:{line} and run again.")
    except DeadKernelError:
        return (f"chapters/{name}.md: the kernel died in cell {client.line}; most often it ran "
                "out of memory. Close other programs, or run with BUDGET=smoke.")
    return None


def run(name, store, force=False):
    """Make sure that ``store`` has a chapter's outputs; returns whether it has."""
    nb = read_chapter(name)
    try:
        if not force:
            store.match_cache_notebook(nb)
            print(f"{name}: unchanged, its outputs are kept (--force executes it all the same)")
            return True
    except KeyError:
        pass
    start = time.monotonic()
    failure = execute(name, nb)
    if failure:
        print(f"\n{failure}", file=sys.stderr)
        return False
    seconds = time.monotonic() - start
    store.cache_notebook_bundle(
        CacheBundleIn(nbformat.from_dict(nb), str(CHAPTERS / f"{name}.md"),
                      data={"execution_seconds": seconds}),
        check_validity=False, overwrite=True)
    print(f"{name}: done in {clock(seconds)}")
    return True


def main(argv=None):
    """Run the command line; returns an exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.
                                     RawDescriptionHelpFormatter,
                                     epilog="BUDGET=smoke|cpu|gpu in the environment says how "
                                     "much to train; FASHION_MNIST_ROOT names a folder that "
                                     "holds FashionMNIST/raw.")
    names = chapter_names()
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER",
                        help=f"which ones (default: all): {', '.join(names)}")
    parser.add_argument("--force", action="store_true", help="execute unchanged chapters too")
    args = parser.parse_args(argv)
    unknown = set(args.chapters) - set(names)
    if unknown:
        parser.error(f"no chapter {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    try:
        source = fashion.load()[-1]  # now, so that bad data stop the run before it starts
    except (OSError, ValueError, RuntimeError) as err:
        print(err, file=sys.stderr)
        return 1
    print(f"Data: {source}")
    try:
        store = open_store()
        failed = [name for name in args.chapters or names if not run(name, store, args.force)]
    except KeyboardInterrupt:
        print("\nInterrupted. What was finished is kept: run again to go on.", file=sys.stderr)
        return 130
    if failed:
        print(f"Failed: {', '.join(failed)}. The outputs of the others are kept.",
              file=sys.stderr)
    elif source != fashion.REAL:
        print("This run used drawn stand-in data: its accuracies say nothing about Fashion-MNIST.")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
