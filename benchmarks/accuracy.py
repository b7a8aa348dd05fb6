"""How soon d2l's printed accuracies are passed, and how high it goes in five minutes."""
import time
from typing import Any

import torch

import lab
from benchmarks.common import entries, spread
from tools.shared.definitions import definitions


def seconds_to(history, accuracy):
    """Seconds of training until the validation accuracy passes; None if it does not."""
    for epoch, reached in enumerate(history.val_accuracy, start=1):
        if reached > accuracy:
            return sum(history.seconds[:epoch])
    return None


def time_to_accuracy(rounds):
    """The chapters' networks, one seed a round, to the accuracies that their records name."""
    data, rows = lab.fashion_mnist(), []
    for entry in entries():
        histories = []
        for seed in range(rounds):
            torch.manual_seed(seed)
            histories.append(lab.train(entry.make(), data, **entry.recipe,
                                       label=f"{entry.network}, seed {seed}"))
        for source, accuracy in entry.published.items():
            times = [seconds_to(history, accuracy) for history in histories]
            passed = [one for one in times if one is not None]
            rows.append({"network": entry.network, "accuracy of": source,
                         "validation accuracy": accuracy,
                         "runs that pass it": f"{len(passed)} of {rounds}",
                         "training, s": spread(passed) if passed else None})
    return rows


def pooled_resnet():
    """Chapter 2's network, as shallow as its compact one, but wider than in the chapter."""
    return definitions("resnet")["pooled_resnet"](depth=8, width=32)


def both_ways(net, X, y):
    """Accuracy by the summed logits of the images and of their mirror images."""
    y_hat = lab.predict(net, X, fast=True) + lab.predict(net, X.flip(-1), fast=True)
    return (y_hat.argmax(1) == y).float().mean().item()


def fit(data, num_epochs, label, make=None, **changes):
    """A network trained by the recipe with some changes, and its History."""
    gpu = lab.budget() in ("t4", "gpu")
    make = make or (definitions("resnet")["resnet18_small_images"] if gpu else pooled_resnet)
    recipe: dict[str, Any] = {"lr": 0.2, "weight_decay": 5e-4, "label_smoothing": 0.1,
                              "augment": 2 if gpu else 0, "fast": True, **changes}
    torch.manual_seed(0)
    net = make()
    return net, lab.train(net, data, num_epochs=num_epochs, label=label, **recipe)


def ablation():
    """The recipe, and the recipe with one ingredient changed, shorter, on validation."""
    data, rows = lab.fashion_mnist(), []
    epochs, gpu = lab.pick(smoke=1, cpu=3, gpu=10), lab.budget() in ("t4", "gpu")
    changed = {
        "the whole recipe": {},
        "no mirrored images": dict(augment=None),
        "no label smoothing": dict(label_smoothing=0.0),
        "no weight decay": dict(weight_decay=0.0),
        "a constant rate of 0.05": dict(schedule="constant", lr=0.05)}
    if not gpu:
        changed |= {"a stem of stride 2": dict(make=definitions("resnet")["compact_resnet"]),
                    "images shifted, too": dict(augment=2)}
    for name, changes in changed.items():
        net, history = fit(data, epochs, name, **changes)
        both = both_ways(net, data.X_val, data.y_val)
        first = rows[0]["validation, both ways"] if rows else both
        rows.append({"recipe": name, "epochs": epochs,
                     "validation accuracy": history.val_accuracy[-1],
                     "validation, both ways": both, "change": both - first})
    return rows


def best():
    """The whole recipe at full length; the test set is asked once."""
    data, start = lab.fashion_mnist(), time.perf_counter()
    epochs = lab.pick(smoke=1, cpu=12, gpu=25)
    net, history = fit(data, epochs, "best")
    took = time.perf_counter() - start
    validation = both_ways(net, data.X_val, data.y_val)
    test = both_ways(net, data.X_test, data.y_test)
    goal, limit = lab.pick(smoke=(0.0, 1e9), cpu=(0.935, 300), gpu=(0.95, 60))
    return [{"epochs": epochs, "training and validation, s": took,
             "validation accuracy": history.val_accuracy[-1],
             "validation, both ways": validation, "test, both ways": test,
             "target": f"{goal} within {limit:g} s", "reached": test >= goal and took <= limit}]
