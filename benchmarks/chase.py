"""How soon the book's networks pass the accuracies that d2l prints, and how long d2l needs."""
from dataclasses import replace
from typing import Any

import torch

import lab
from benchmarks import networks
from benchmarks.common import in_turns, part, spread
from benchmarks.opponents.worker import Task, contestants

THEIR_EPOCHS = 10
# d2l's network: its batch size and learning rate, as in d2l-zh.
THEIRS: dict[str, dict[str, Any]] = {
    "LeNet + BN": dict(lr=1.0), "d2l's ResNet-18": dict(lr=0.05, resize=96),
    "d2l's DenseNet": dict(lr=0.1, resize=96)}
# The accuracies to pass (d2l-en 1.0.3 read off its plots; d2l-zh: the median of its committed
# runs), with the network of the book that passes them, its share of the images and its recipe.
# How long each trains was set by hand, from single runs; the race says which seeds pass.
FAST = dict(weight_decay=5e-4, fast=True)
GOALS = [
    ("LeNet + BN", "d2l-zh, median of 12 runs", 0.812, "LeNet + BN", 0.6,
     dict(num_epochs=1, lr=2.0, batch_size=128)),
    ("LeNet + BN", "d2l-en, plot", 0.876, "LeNet + BN", 0.8,
     dict(num_epochs=3, lr=2.0, batch_size=256)),
    ("d2l's ResNet-18", "d2l-en, plot", 0.903, "ResNet-8", 0.6,
     dict(num_epochs=2, lr=0.1, batch_size=128, **FAST)),
    ("d2l's ResNet-18", "d2l-zh, median of 48 runs", 0.914, "ResNet-8", 0.8,
     dict(num_epochs=3, lr=0.1, batch_size=128, **FAST)),
    ("d2l's DenseNet", "d2l-zh, median of 7 runs", 0.882, "DenseNet", 0.55,
     dict(num_epochs=2, lr=0.2, batch_size=128, **FAST)),
    ("d2l's DenseNet", "d2l-en, plot", 0.893, "DenseNet", 0.7,
     dict(num_epochs=2, lr=0.2, batch_size=128, **FAST)),
]


def their_epochs(rounds):
    """Seconds of an epoch of 60,000 images by d2l's loop, a list of rounds for each network."""
    small, large = lab.pick(smoke=(160, 160), cpu=(20480, 1280), gpu=(60000, 60000))
    tasks = {name: Task(name, large if "resize" in own else small, 1,
                        lab.pick(smoke=32, cpu=256, gpu=256), **own)
             for name, own in THEIRS.items()}
    with contestants(["d2l train_ch6"]) as present:
        [d2l] = present.values()
        first = tasks["LeNet + BN"]
        d2l.train(replace(first, num_images=5 * first.batch_size))  # warms up
        times = in_turns({name: lambda _, task=task: d2l.train(task)["seconds"]
                          for name, task in tasks.items()}, rounds)
    return {name: [one * 60000 / tasks[name].num_images for one in seconds]
            for name, seconds in times.items()}


def ours(make, share, recipe, data, seed):
    """Seconds of training, evaluation not counted, and the test accuracy at the end."""
    torch.manual_seed(seed)
    net, some = networks.make(make), part(data, round(share * len(data.y_train)), num_val=1)
    history = lab.train(net, some, **recipe, label=f"{make}, seed {seed}")
    return sum(history.seconds), lab.evaluate(net, data.X_test, data.y_test,
                                              recipe.get("fast", False))[1]


def race(rounds):
    """A row for each published accuracy: both sides' seconds, their ratio, our accuracy."""
    theirs, data, rows = their_epochs(rounds), lab.fashion_mnist(), []
    ours("LeNet + BN", 0.05, dict(num_epochs=1, lr=1.0), data, 0)  # warms up
    for network, source, goal, make, share, recipe in GOALS:
        runs = [ours(make, share, recipe, data, seed) for seed in range(rounds)]
        own, accuracies = zip(*runs)
        total = [THEIR_EPOCHS * one for one in theirs[network]]
        rows.append({"network": network, "source": source, "accuracy": goal, "by": make,
                     "d2l, s": spread(total), "book, s": spread(own),
                     "ratio": spread([a / b for a, b in zip(total, own)]),
                     "test accuracy": spread(accuracies),
                     "passed": sum(one > goal for one in accuracies), "runs": rounds})
    return rows
