"""Execute the book's chapters and keep their outputs for the site.

A chapter whose code cells, tags, shared modules, budget and data are unchanged is not
executed again, so an interrupted run goes on where it stopped.
"""
import argparse
import re
import sys
import time

import yaml
from myst_nb.core.read import read_myst_markdown_notebook
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from outputs import CHAPTERS, ROOT, fashion, own_store


def chapter_names():
    """The chapters of _toc.yml, in order."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    paths = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
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
    """Executes a chapter and shows cell by cell, live on a terminal, how far it is."""

    def __init__(self, nb, name):
        super().__init__(nb, timeout=None, kernel_name="python3",
                         extra_arguments=["--log-level=50"],  # its own log, not the cells'
                         resources={"metadata": {"path": str(CHAPTERS)}})
        self.name, self.cell, self.started = name, "", time.monotonic()

    def run_cells(self):
        """Execute all cells in place; Ctrl-C and a failing cell raise."""
        codes = [i for i, cell in enumerate(self.nb.cells) if cell.cell_type == "code"]
        self.reset_execution_trackers()
        with self.setup_kernel():
            reply = self.wait_for_reply(self.kc.kernel_info())
            self.nb.metadata["language_info"] = reply["content"]["language_info"]
            for number, index in enumerate(codes, start=1):
                self.index, self.cell = index, f"{number}/{len(codes)}"
                first_line, begun = self.nb.cells[index].source.split("\n")[0], time.monotonic()
                self.show(first_line)
                self.execute_cell(self.nb.cells[index], index, execution_count=number)
                self.show(f"[{time.monotonic() - begun:5.1f} s] {first_line}", end="\n")

    def process_message(self, msg, cell, cell_index):
        """Pass on a training loop's own progress line."""
        content = msg.get("content", {})
        if content.get("transient", {}).get("display_id"):
            self.show(content["data"].get("text/plain", ""))
        return super().process_message(msg, cell, cell_index)

    def show(self, text, end=""):
        """Rewrite the terminal's line; elsewhere print only what ends with a line feed."""
        line = (f"{self.name} {clock(time.monotonic() - self.started)} "
                f"cell {self.cell} {' '.join(text.split())}")[:110]
        if sys.stdout.isatty():
            print(f"\r\033[K{line}", end=end, flush=True)
        elif end:
            print(line, flush=True)


def execute(name, nb):
    """Execute a chapter in place; returns the failure in words, or None."""
    client = Client(nb, name)
    try:
        client.run_cells()
    except CellExecutionError as err:
        line = nb.metadata["source_map"][client.index] + 1
        traceback = re.sub(r"\x1b\[[\d;]*m", "", err.traceback)  # without colour codes
        return (f"chapters/{name}.md:{line}: cell {client.cell} failed with {err.ename}: "
                f"{err.evalue}\n\n{traceback}\nMend that cell and run again.")
    except DeadKernelError:
        return (f"chapters/{name}.md: the kernel died in cell {client.cell}; most often it ran "
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
    store.keep(nb, name, seconds)
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
        store = own_store()
        failed = [name for name in args.chapters or names if not run(name, store, args.force)]
    except KeyboardInterrupt:
        print("\nInterrupted. What was finished is kept: run again to go on.", file=sys.stderr)
        return 130
    if failed:
        print(f"Failed: {', '.join(failed)}. The outputs of the others are kept.",
              file=sys.stderr)
    elif source != fashion.REAL:
        print("This run used drawn stand-in data: its accuracies say nothing about Fashion-MNIST. "
              "`make book` shows the published results on the real data.")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
