"""The same trainings by the book's loop and by the loops that people use (``opponents``)."""
import ast
import os
import statistics
from dataclasses import replace
from typing import Any

import lab
from benchmarks.common import in_turns, spread
from benchmarks.opponents import CONTESTANTS, HERE, environments
from benchmarks.opponents.worker import Task, contestants

WHOLE = 60000  # images of an epoch
# The chapters' recipes on a CPU, the same on every device.
RECIPES: dict[str, dict[str, Any]] = {
    "LeNet + BN": dict(batch_size=256, lr=0.5),
    "ResNet-20": dict(batch_size=256, lr=0.1, weight_decay=5e-4, label_smoothing=0.1,
                      mirror=True)}


def lines_of(module):
    """How many lines of code a contestant's user writes; docstrings and comments do not count."""
    tree = ast.parse((HERE / f"by_{module}.py").read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
                and node.module == "benchmarks.opponents" for alias in node.names}
    if "plain" in imported:
        tree.body += ast.parse((HERE / "plain.py").read_text(encoding="utf-8")).body
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) \
                and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return len(ast.unparse(tree).replace("\n\n", "\n").splitlines())


def takes_part(name, fast):
    """Whether a contestant is in a race: d2l's loop has no other precision than float32.

    With the variable ``OPPONENTS=installed`` (``bench.py --installed``) only those whose
    packages are there.
    """
    module = CONTESTANTS[name][0]
    return not (fast and module == "d2l") and (
        os.environ.get("OPPONENTS") != "installed" or environments.is_ready(module))


def number_of_images(network):
    """How many images an epoch of the race has: on a CPU a part, so that rounds are short."""
    small, large = lab.pick(smoke=(1280, 1280), cpu=(20480, 5120), gpu=(WHOLE, WHOLE))
    return small if network == "LeNet + BN" else large


def duel(present, task, rounds):
    """A row for each contestant that takes part in the task."""
    present = {name: one for name, one in present.items() if takes_part(name, task.fast)}
    first = {name: one.train(task) for name, one in present.items()}  # warms up; tells memory
    times = in_turns({name: lambda seed, one=one: one.train(replace(task, seed=seed))["seconds"]
                      for name, one in present.items()}, rounds)
    base, rows = times["lab"], []
    for name, seconds in times.items():
        rows.append({
            "network": task.network, "fast": task.fast, "loop": name, "images": task.num_images,
            "epoch, s": spread([one * WHOLE / task.num_images for one in seconds]),
            "times lab's": spread([one / own for one, own in zip(seconds, base)]),
            "images/s": task.num_images / statistics.median(seconds),
            "memory, MiB": first[name]["memory"], "lines": lines_of(CONTESTANTS[name][0])})
    return rows


def epochs(rounds):
    """Seconds of an epoch, images per second, memory and lines of code, a row a contestant.

    On equal terms: all in float32, then all in the fastest dtype and channels_last.
    """
    with contestants([name for name in CONTESTANTS if takes_part(name, False)]) as present:
        return [row for network, recipe in RECIPES.items() for fast in (False, True)
                for row in duel(present, Task(network, number_of_images(network), 1, fast=fast,
                                              **recipe), rounds)]


def finish(rounds):
    """ResNet-20 by the chapter's recipe: each contestant's seconds and test accuracy."""
    number, num_epochs = lab.pick(smoke=(512, 1), cpu=(WHOLE, 2), gpu=(WHOLE, 2))
    task = Task("ResNet-20", number, num_epochs, fast=True, judge=True, **RECIPES["ResNet-20"])
    with contestants([name for name in CONTESTANTS if takes_part(name, True)]) as present:
        for one in present.values():
            one.train(replace(task, num_images=task.batch_size, num_epochs=1))  # warms up
        runs = in_turns({name: lambda seed, one=one: one.train(replace(task, seed=seed))
                         for name, one in present.items()}, rounds)
    return [{"loop": name, "epochs": num_epochs,
             "training, s": spread([run["seconds"] for run in done]),
             "test accuracy": spread([run["accuracy"] for run in done])}
            for name, done in runs.items()]


def learning():
    """ResNet-20: the test accuracy by the number of epochs that the schedule has.

    It is the same for every loop; with the seconds of its epoch it says how far each gets.
    """
    number, lengths = lab.pick(smoke=(512, (1, 2)), cpu=(WHOLE, (1, 2, 4, 8, 16)),
                               gpu=(WHOLE, (1, 2, 4, 8, 16)))
    task = Task("ResNet-20", number, 1, fast=True, judge=True, **RECIPES["ResNet-20"])
    with contestants(["lab"]) as present:
        return [{"epochs": length, "test accuracy":
                 present["lab"].train(replace(task, num_epochs=length))["accuracy"]}
                for length in lengths]
