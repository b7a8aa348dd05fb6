"""Executing a chapter on this machine, for ``make run`` and for a preview."""
import json
import logging
import os
import re
import subprocess
import sys
import time

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from tools.shared import store
from tools.shared.command import WordsError
from tools.shared.source import CHAPTERS, code_cells, code_lines

# For a process that trains, before torch loads in it: see chapters/machine.py.
THREADS = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "10000"}
# Run in a process of its own, so that nothing here loads torch.
SETTLE = """
import json, sys
import fashion, lab
try:
    raw, data = fashion.find()
    fashion.load()
    found = {"budget": lab.budget(), "device": lab.device().type, "data": data}
except (OSError, ValueError, RuntimeError) as err:
    sys.exit(str(err))
print(json.dumps([found, str(raw.parents[1])]))
"""


class UnfitError(WordsError):
    """The chapters cannot run here; says why, and the cure."""


class FailedError(WordsError):
    """A chapter has no outputs after its run; says where it failed, and the cure."""


def environment(root=None):
    """The environment of a process that trains; ``root`` is the data's folder."""
    return {**THREADS, **os.environ, **({"FASHION_MNIST_ROOT": root} if root else {})}


def settle():
    """The Place of this machine's runs and the data's folder; fetches and verifies the data.

    Raises UnfitError for a wrong budget, damaged or missing data, an unwritable folder.
    """
    done = subprocess.run([sys.executable, "-c", SETTLE], cwd=CHAPTERS, env=environment(),
                          stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise UnfitError("The chapters cannot run here: the line above says why.")
    place, root = json.loads(done.stdout.splitlines()[-1])
    return store.Place(**place), root


def clock(seconds):
    """Seconds as m:ss."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Client(NotebookClient):
    """Executes a chapter and shows cell by cell, live on a terminal, how far it is."""

    def __init__(self, nb, name, root, expected=None):
        super().__init__(nb, timeout=None, kernel_name="python3",
                         extra_arguments=["--log-level=50"],  # its own log, not the cells'
                         resources={"metadata": {"path": str(CHAPTERS)}})
        self.name, self.root, self.cell, self.number = name, root, "", 0
        self.started = time.monotonic()
        self.of = f" of about {clock(expected)}" if expected else ""
        self.live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

    def run_cells(self):
        """Execute all cells in place; Ctrl-C and a failing cell raise."""
        codes = [i for i, cell in enumerate(self.nb.cells) if cell.cell_type == "code"]
        self.reset_execution_trackers()
        with self.setup_kernel(env=environment(self.root)):
            assert self.kc  # the kernel has started
            reply = self.wait_for_reply(self.kc.kernel_info())
            assert reply
            self.nb.metadata["language_info"] = reply["content"]["language_info"]
            for self.number, index in enumerate(codes, start=1):
                self.cell = f"{self.number}/{len(codes)}"
                first_line, begun = self.nb.cells[index].source.split("\n")[0], time.monotonic()
                self.show(first_line)
                self.execute_cell(self.nb.cells[index], index, execution_count=self.number)
                took = time.monotonic() - begun
                if self.live or took > 1:  # a file needs no line for each short cell
                    self.show(f"[{took:5.1f} s] {first_line}", end="\n")

    def process_message(self, msg, cell, cell_index):
        """Pass on a training loop's own progress line."""
        content = msg.get("content", {})
        if content.get("transient", {}).get("display_id"):
            text = content["data"].get("text/plain", "")
            self.show(text, end="\n" if ": stopped at step" in text else "")
        return super().process_message(msg, cell, cell_index)

    def show(self, text, end=""):
        """Rewrite the terminal's line; elsewhere print only what ends with a line feed."""
        line = (f"{self.name} {clock(time.monotonic() - self.started)}{self.of} "
                f"cell {self.cell} {' '.join(text.split())}")[:110]
        if self.live:
            print(f"\r\033[K{line}", end=end, flush=True)
        elif end:
            print(line, flush=True)

    def line(self, traceback):
        """The line of the ``.md`` where the present cell failed, by its traceback."""
        first = code_lines(self.name, self.nb)[self.number - 1]
        inside = re.findall(rf"Cell In\[{self.number}\], line (\d+)", traceback)
        return first + (int(inside[-1]) - 1 if inside else 0)


def execute(name, nb, root, expected=None):
    """Execute a chapter in place; raises FailedError where a cell failed.

    expected: about how many seconds it may take, for the line that shows how far it is.
    """
    client = Client(nb, name, root, expected)
    try:
        client.run_cells()
    except CellExecutionError as err:
        traceback = re.sub(r"\x1b\[[\d;]*m", "", err.traceback)  # without colour codes
        raise FailedError(
            f"chapters/{name}.md:{client.line(traceback)}: cell {client.cell} failed with "
            f"{err.ename}: {err.evalue}\n\n{traceback}\nMend that cell and run again.") from None
    except KeyboardInterrupt:
        logging.getLogger("asyncio").disabled = True  # it would tell of the kernel's end
        raise
    except DeadKernelError:
        raise FailedError(
            f"chapters/{name}.md:{client.line('')}: the kernel died in cell {client.cell}; most "
            "often it ran out of memory. Close other programs, or run with BUDGET=smoke.") from None


def run(name, nb, place, root):
    """Execute a chapter and keep its outputs; returns the Run.

    Raises FailedError, in words, where a cell failed or the outputs could not be kept.
    """
    start, key = time.monotonic(), store.code_key(nb)  # of the files as they are now
    folder = store.own_folder(name, key, place)
    execute(name, nb, root, store.expected_seconds(name, nb, place))
    seconds = time.monotonic() - start
    try:
        store.write(nb, key, place, seconds, folder)
    except OSError as err:
        raise FailedError(f"{name} ran, but its outputs could not be kept in {store.OWN}: "
                          f"{err.strerror or err}. Make room there, then run it again.") from err
    print(f"{name}: done in {clock(seconds)}, {len(code_cells(nb))} cells")
    return store.Run(folder)
