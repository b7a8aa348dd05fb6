"""What a chapter tells its reader: progress, checks, claims, tables, the facts of its run."""
import platform
import statistics
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import matplotlib
import torch
import torchvision
from IPython import get_ipython
from IPython.display import display

import tabular
from machine import budget, device, device_name

# The facts as data, beside their text, for the book's page of results.
FACTS = "application/vnd.normalize-add-concatenate.facts+json"
_STARTED = time.time()


def say(text):
    """Print; where the output cannot write a tick or a cross, words stand for them."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = text.replace("✓", "[ok]").replace("✗", "[no]").replace("○", "[ ]").replace("–", "-")
        text = text.encode("ascii", "replace").decode()
    print(text)


def _in_notebook():
    """Whether a kernel shows outputs, and can rewrite them."""
    return hasattr(get_ipython(), "kernel")


class Progress:
    """One line, rewritten in place in a notebook or terminal, at most three times a second.

    Elsewhere, as in a file, the last line alone is printed; nothing at all if it is ``quiet``.
    """

    def __init__(self, label, quiet=False):
        self.quiet = quiet
        self.label, self.due, self.start = label, 0.0, time.perf_counter()
        self.handle = (display({"text/plain": label}, raw=True, display_id=True)
                       if _in_notebook() and not quiet else None)

    def is_due(self):
        """Whether a line would be shown now."""
        return time.perf_counter() > self.due

    def __call__(self, text, last=False, share=0.0):
        """Show ``text``; ``share`` of the work is done (0 to 1), so it tells what is left."""
        if self.quiet or not (last or self.is_due()):
            return
        now = time.perf_counter()
        self.due, spent = now + 0.3, now - self.start
        left = f", about {spent / share - spent:.0f} s left" if share and spent > 2 else ""
        line = f"{self.label}: {text}" + ("" if last else f" ({spent:.0f} s{left})")
        if self.handle:
            self.handle.update({"text/plain": line}, raw=True)
        elif last:
            say(("\r\033[K" if sys.stdout.isatty() else "") + line)
        elif sys.stdout.isatty():
            print(f"\r\033[K{line[:100]}", end="", flush=True)


def check_equal(what, ours, reference, rtol=1e-4, atol=1e-5):
    """Stop with an AssertionError unless two tensors agree; else print how closely."""
    torch.testing.assert_close(ours, reference, rtol=rtol, atol=atol)
    say(f"✓ {what} (largest difference {(ours - reference).abs().max().item():.1e})")


def claim(text, condition):
    """Print a sentence about this run with a tick, or that this run does not show it.

    The smoke budget trains too little to judge anything.
    """
    sentence = (f"– not judged at the smoke budget: {text}" if budget() == "smoke" else
                f"✓ {text}" if condition else f"✗ not in this run: {text}")
    say(textwrap.fill(sentence, 76, subsequent_indent="  "))


def _show(bundle):
    """Show an output of several mime types; its text where there is no notebook."""
    if _in_notebook():
        display(bundle, raw=True)
    else:
        say(bundle["text/plain"])


def table(rows, columns, caption=""):
    """Show rows, each a sequence of cells, under heads.

    columns: head to how its cells are formatted, as behind the colon in an f-string (".3f",
        ",", ">"); they stand to the right. A column of words has "" and stands to the left.
    caption: a few words above the table.
    Raises ValueError where there are no rows, or a row has not one cell a column.
    """
    _show(tabular.bundle(rows, columns, caption))


def per_seed(form, seeds=range(3)):
    """Columns for ``table``, one a seed, whose cells are formatted as ``form``."""
    return {f"seed {seed}": form for seed in seeds}


_OPEN = []  # the tasks of *Your turn* that this run has met and not seen solved


def your_turn(task, attempt, judge):
    """Say whether a reader's ``attempt`` does its ``task``; nothing stops.

    judge(attempt) raises AssertionError with a hint in words where the attempt is wrong. An
    attempt that raises NotImplementedError, as the skeletons do, is still open.
    """
    try:
        judge(attempt)
    except NotImplementedError:
        _OPEN.append(task)
        say(f"○ {task}: open. Write it in the cell above, then run both cells again.")
    except AssertionError as hint:
        say(textwrap.fill(f"✗ {task}: {hint}", 76, subsequent_indent="  "))
    except Exception as err:  # whatever the reader's code raises is told to the reader
        say(textwrap.fill(f"✗ {task}: your code raised {type(err).__name__}: {err}", 76,
                          subsequent_indent="  "))
    else:
        _OPEN[:] = [other for other in _OPEN if other != task]
        say(f"✓ {task}: right.")


@dataclass
class Record:
    """A chapter's main network: what the page of results and the races show of it."""
    network: str  # its name
    make: Callable  # a fresh one, without arguments
    recipe: dict  # what it hands to ``train``
    published: dict = field(default_factory=dict)  # test accuracies of others, by source


def run_facts(data, record=None, histories=(), test_accuracies=()):
    """Show what a reader needs to judge the chapter's numbers, as text and as data.

    With the Record of the chapter's main network: also the Histories of its seeds, and their
    test accuracies (0 to 1).
    """
    seconds = round(time.time() - _STARTED)
    facts = {"data": data.source, "device": device_name(), "device_type": device().type,
             "budget": budget(), "date": time.strftime("%Y-%m-%d"), "run_seconds": seconds,
             "versions": {"Python": platform.python_version(), "torch": torch.__version__,
                          "torchvision": torchvision.__version__,
                          "matplotlib": matplotlib.__version__}}
    lines = []
    if record:
        accuracies = list(map(float, test_accuracies))
        facts |= {"network": record.network, "test_accuracy": accuracies,
                  "num_epochs": record.recipe["num_epochs"],
                  "train_seconds": [sum(history.seconds) for history in histories],
                  "images_per_second": [history.images_per_second for history in histories]}
        seeds = "one seed" if len(accuracies) == 1 else (
            f"median of {len(accuracies)} seeds, {min(accuracies):.4f} to {max(accuracies):.4f}")
        lines = [f"Result:   {record.network}, test accuracy "
                 f"{statistics.median(accuracies):.4f} ({seeds})"]
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    lines += [f"Data:     {data.source}", f"Device:   {facts['device']}",
              f"Budget:   {facts['budget']}", f"Versions: {versions}", f"Date:     {facts['date']}",
              f"Run time: {seconds // 60} min {seconds % 60} s"]
    if _OPEN:
        lines.append(f"Your turn: {len(_OPEN)} open ({', '.join(_OPEN)})")
    _show({"text/plain": "\n".join(lines), FACTS: facts})
