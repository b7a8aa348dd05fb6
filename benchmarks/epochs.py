"""How long an epoch takes: lab.train on tensors, against d2l's loader and train_ch6."""
import json
import os
import subprocess
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

import fashion
import lab
from benchmarks.common import forward_backward, in_turns, seconds, spread
from benchmarks.d2l_trainer import network
from tools.shared.execution import THREADS
from tools.shared.source import ROOT


def theirs(task, seed, threads):
    """Seconds of d2l's training and its test accuracy; threads: with lab's settings of them."""
    env = {name: value for name, value in os.environ.items() if threads or name not in THREADS}
    done = subprocess.run([sys.executable, "-m", "benchmarks.d2l_trainer",
                           json.dumps(task | {"seed": seed})],
                          cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def xavier(layer):
    """The initialization that train_ch6 gives a network."""
    if type(layer) in (nn.Linear, nn.Conv2d):
        nn.init.xavier_uniform_(layer.weight)


def prepared(images, resize):
    """Images (n, 28, 28) uint8 as (n, 1, h, w) float32 from 0 to 1, on the device."""
    X = images.to(lab.device()).unsqueeze(1).float() / 255
    if resize:
        X = torch.cat([F.interpolate(part, resize, mode="bilinear") for part in X.split(1000)])
    return X


def ours(task, seed, images, fast):
    """The same by lab.train on the same images; resizing them is part of the time."""
    torch.manual_seed(seed)
    net, start = network(task["network"]).apply(xavier), time.perf_counter()
    X, X_test = (prepared(t, task["resize"]) for t in images[::2])
    y, y_test = (t.to(lab.device()) for t in images[1::2])
    data = lab.Data(X, y, X_test, y_test, X_test, y_test, fashion.REAL)
    history = lab.train(net, data, num_epochs=task["num_epochs"], lr=task["lr"],
                        batch_size=task["batch_size"], schedule="constant", momentum=0.0,
                        fast=fast, label=f"{task['network']} by lab.train")
    return time.perf_counter() - start, history.val_accuracy[-1]


def bare(task, images, fast):
    """Seconds of forward and backward alone for as many batches, all of them one in place."""
    size, number = task["batch_size"], len(images[1])
    X, y = prepared(images[0][:size], task["resize"]), images[1][:size].to(lab.device())
    dtype = lab.fast_dtype() if fast else torch.float32
    step = forward_backward(network(task["network"]), X, y, dtype)
    step()  # warm up
    return task["num_epochs"] * number / size * seconds(step, min(10, number // size)), None


def duel(task, *, fast, rounds, target):
    """One network, both trainers in turns, and the steps alone; a row of each table."""
    X, y, X_test, y_test, _ = fashion.load()
    images = (X[:task["num_train"]], y[:task["num_train"]],
              X_test[:task["num_test"]], y_test[:task["num_test"]])
    results = in_turns({
        "d2l": lambda seed: theirs(task, seed, threads=False),
        "d2l with lab's threads": lambda seed: theirs(task, seed, threads=True),
        "lab": lambda seed: ours(task, seed, images, fast),
        "bare steps": lambda _: bare(task, images, fast)}, rounds)
    to_epoch = 60000 / task["num_train"] / task["num_epochs"]
    times = {who: [to_epoch * wall for wall, _ in runs] for who, runs in results.items()}
    ratio, ratio_threads, at_most = (
        spread([a / b for a, b in zip(times[slow], times[quick])]) for slow, quick in
        (("d2l", "lab"), ("d2l with lab's threads", "lab"), ("d2l", "bare steps")))
    pixels = task["resize"] or 28
    name = f"{task['network']}, {pixels} x {pixels}"
    return ({"network": name, "images": len(images[1]),
             **{f"{who}, s": spread(values) for who, values in times.items()}},
            {"network": name, "times faster": ratio, "with equal threads": ratio_threads,
             "at most": at_most, "target": target, "reached": ratio["median"] >= target},
            {"network": name, "epochs": task["num_epochs"],
             **{f"{who}, test accuracy": spread([accuracy for _, accuracy in runs])
                for who, runs in results.items() if who != "bare steps"}})


def tasks():
    """The three networks with d2l's batch sizes and learning rates, and the targets."""
    whole, cut = lab.pick(smoke=(640, 320), cpu=(60000, 2560), gpu=(60000, 60000))
    small = dict(batch_size=lab.pick(smoke=32, cpu=256, gpu=256), resize=None, num_train=whole,
                 num_test=whole // 6, num_epochs=lab.pick(smoke=1, cpu=2, gpu=5))
    large = dict(batch_size=lab.pick(smoke=32, cpu=128, gpu=256), resize=96, num_train=cut,
                 num_test=cut // 6, num_epochs=lab.pick(smoke=1, cpu=2, gpu=1))
    return zip((small | dict(network="LeNet + BN", lr=1.0),
                large | dict(network="ResNet-18", lr=0.05),
                large | dict(network="DenseNet", lr=0.1)),
               (False, True, True), lab.pick(smoke=(0, 0, 0), cpu=(6, 2, 2), gpu=(10, 8, 8)))


def race(rounds):
    """Three tables: seconds per epoch, their ratios, test accuracies."""
    duels = [duel(task, fast=fast, rounds=rounds, target=at) for task, fast, at in tasks()]
    return tuple(map(list, zip(*duels)))
