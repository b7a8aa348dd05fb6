"""What things cost: the networks, the scratch layer, the build."""
import contextlib
import shutil
import sys
import time

import psutil
import torch
from torch import nn
from torch.nn import functional as F

import lab
from benchmarks import networks
from benchmarks.common import can_compile, forward_backward, in_turns, seconds, spread
from tools.shared.definitions import definitions
from tools.shared.source import ROOT
from tools.shared.tex import absent

# The networks of the three chapters, and whether they are trained in the fastest dtype.
NETWORKS = {"LeNet": False, "LeNet + BN": False, "plain, 20 layers": True, "ResNet-20": True,
            "ResNet-8": True, "DenseNet": True}


def scratch(rounds):
    """Chapter 1's BatchNorm against nn.BatchNorm2d, plain and compiled."""
    make, width, device = definitions("batch_norm")["BatchNorm"], 64, lab.device()
    X = torch.randn(lab.pick(smoke=8, cpu=256, gpu=1024), width, 14, 14, device=device)
    layers = {"nn.BatchNorm2d": nn.BatchNorm2d(width), "BatchNorm of chapter 1": make(width, 4)}
    if can_compile():
        layers["the same, torch.compile"] = torch.compile(make(width, 4))
    repeats, g = lab.pick(smoke=1, cpu=10, gpu=50), torch.randn_like(X)
    X.requires_grad_()
    passes = {}
    for name, layer in layers.items():
        layer.to(device)
        passes[name] = lambda layer=layer: layer(X).backward(g)
        passes[name]()  # warm up and compile
    times = in_turns({name: lambda _, one=one: 1e3 * seconds(one, repeats)
                      for name, one in passes.items()}, rounds)
    first = spread(times["nn.BatchNorm2d"])["median"]
    return [{"layer": name, "forward and backward, ms": spread(values),
             "times nn.BatchNorm2d": spread(values)["median"] / first}
            for name, values in times.items()]


def kept_bytes(net, X, y):
    """What a forward pass keeps for its backward pass, parameters and input not counted."""
    own = {tensor.untyped_storage().data_ptr() for tensor in (X, *net.parameters())}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        F.cross_entropy(net(X), y)
    return sum(kept.values())


def trained(rounds):
    """The networks that the book trains: parameters, work, memory and seconds of each.

    Work: multiply-adds of one image forward. Memory: what a batch of 256 keeps for its backward
    pass, in float32. Seconds: forward and backward for 10,000 images, in the precision that
    the chapter trains it in.
    """
    device, size, rows = lab.device(), lab.pick(smoke=16, cpu=256, gpu=256), []
    count = lab.pick(smoke=1, cpu=8, gpu=50)
    X, y = torch.randn(size, 1, 28, 28, device=device), torch.zeros(size, device=device).long()
    work, passes = definitions("densenet")["multiply_adds"], {}
    large = {} if lab.device().type == "cpu" else {"ResNet-18": True}  # trained on GPUs only
    for name, fast in (NETWORKS | large).items():
        net = networks.make(name).to(device)
        rows.append({"network": name, "parameters": sum(p.numel() for p in net.parameters()),
                     "multiply-adds": work(net, X[:1]),
                     "kept memory, MiB": kept_bytes(net, X, y) / 2 ** 20})
        passes[name] = forward_backward(net, X, y, lab.compute_dtype(fast))
        seconds(passes[name], 2)  # warm up
    times = in_turns({name: lambda _, one=one: seconds(one, count) * 10000 / size
                      for name, one in passes.items()}, rounds)
    return [row | {"10,000 images, s": spread(times[row["network"]])} for row in rows]


def timed(what, *command):
    """A row: seconds of a command of the book and the peak RAM of all its processes."""
    start, peak = time.monotonic(), 0
    process = psutil.Popen([sys.executable, *command], cwd=ROOT)
    while process.poll() is None:
        now = 0
        for one in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
                now += one.memory_info().rss
        peak = max(peak, now)
        time.sleep(0.2)
    if process.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed: its messages are above")
    return {"what": what, "s": time.monotonic() - start, "peak memory, MiB": round(peak / 2 ** 20)}


def build():
    """Building the site, cold and again, and the PDF where there is TeX."""
    shutil.rmtree(ROOT / "_build" / "html", ignore_errors=True)
    rows = [timed("make book, cold", "-m", "tools.book"),
            timed("make book, unchanged", "-m", "tools.book")]
    if missing := absent():
        print(f"{', '.join(missing)} is not here: make pdf is left out.")
    else:
        rows.append(timed("make pdf", "-m", "tools.pdf"))
    return rows
