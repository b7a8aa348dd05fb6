"""What the races share: the chapters' networks and recipes, taking turns, medians."""
import dataclasses
import shutil
import statistics
import time

import torch
from torch.nn import functional as F

import lab
from benchmarks import networks
from tools.shared.definitions import definitions
from tools.shared.source import chapter_names


def entries():
    """The chapters' networks, as each chapter that has one declares it (a ``lab.Record``)."""
    defined = map(definitions, chapter_names())
    return [names["record"] for names in defined if "record" in names]


def part(data, num_train, num_val=500):
    """The first images of the training and the validation split."""
    return dataclasses.replace(
        data, X_train=data.X_train[:num_train], y_train=data.y_train[:num_train],
        X_val=data.X_val[:num_val], y_val=data.y_val[:num_val])


def whole(data):
    """The same with all images to train on: those held out for validation, too."""
    return dataclasses.replace(data, X_train=torch.cat([data.X_train, data.X_val]),
                               y_train=torch.cat([data.y_train, data.y_val]))


def in_turns(contestants, rounds):
    """What each contestant returns in each round; every other round goes backwards.

    contestants: a dict of functions of the round's number.
    """
    results = {name: [] for name in contestants}
    for number in range(rounds):
        names = list(contestants)
        for name in names if number % 2 == 0 else reversed(names):
            results[name].append(contestants[name](number))
    return results


def spread(values):
    """Median, lowest and highest of some numbers."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def synchronize():
    """Wait until the device has finished."""
    if lab.device().type != "cpu":
        getattr(torch, lab.device().type).synchronize()


def seconds(function, repeats=1):
    """Seconds of one call of ``function``, the mean over ``repeats``."""
    synchronize()
    start = time.perf_counter()
    for _ in range(repeats):
        function()
    synchronize()
    return (time.perf_counter() - start) / repeats


def can_compile():
    """Whether ``torch.compile`` works: it builds C++ on a CPU. Says so where it does not."""
    if shutil.which("c++") or shutil.which("cl"):
        return True
    print("No C++ compiler: torch.compile is left out.")
    return False


def forward_backward(net, X, y, dtype, layout=None):
    """A function that does the bare work of a step, on these terms: forward, loss, backward."""
    net = networks.Terms(net.to(X.device), dtype, layout).train()

    def step():
        net.zero_grad()
        F.cross_entropy(net(X), y).backward()

    return step
