"""What a busy neighbour costs a training in bfloat16, by the number of its threads."""
import contextlib
import subprocess
import sys
import time

import torch

import lab
import machine
import training
from benchmarks.common import entries, in_turns, part, spread


@contextlib.contextmanager
def neighbours(number):
    """So many programs that compute without a pause."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"])
                for _ in range(number)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def training_seconds(threads, busy, entry, data):
    """Seconds of one training; ``threads`` None: as lab.train chooses them."""
    choose = training.choose_threads
    if threads:
        training.choose_threads = lambda: torch.set_num_threads(threads)
    torch.manual_seed(0)
    net = entry.make()
    try:
        with neighbours(busy):
            time.sleep(1 if busy else 0)  # until they are at work
            history = lab.train(net, data, **entry.recipe | {"num_epochs": 1},
                                label=f"{threads or 'chosen'} threads, {busy} neighbours")
    finally:
        training.choose_threads = choose
    return sum(history.seconds)


def race(rounds):
    """Seconds quiet and busy: on all threads, on one, and as lab.train chooses."""
    number = machine.ALL_THREADS
    data = part(lab.fashion_mnist(), lab.pick(smoke=256, cpu=6144, gpu=6144))
    entry = next(one for one in entries() if one.recipe.get("fast"))
    rows = []
    for threads in number, 1, None:
        times = in_turns({busy: lambda _, busy=busy, threads=threads: training_seconds(
            threads, busy, entry, data) for busy in (0, number)}, rounds)
        quiet, crowded = map(spread, times.values())
        rows.append({"threads": str(threads or "as lab.train chooses"), "quiet, s": quiet,
                     f"{number} busy neighbours, s": crowded,
                     "times slower": crowded["median"] / quiet["median"]})
    return rows
