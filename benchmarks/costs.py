"""What things cost: the scratch layer, memory, the build."""
import contextlib
import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import torch
from torch import nn

import lab
from benchmarks.common import entries, in_turns, part, seconds, spread
from tools.shared.definitions import definitions
from tools.shared.source import ROOT, chapter_names
from tools.shared.tex import absent


def scratch(rounds):
    """Chapter 1's BatchNorm against nn.BatchNorm2d, plain and compiled."""
    make, width, device = definitions("batch_norm")["BatchNorm"], 64, lab.device()
    X = torch.randn(lab.pick(smoke=8, cpu=256, gpu=1024), width, 14, 14, device=device)
    layers = {"nn.BatchNorm2d": nn.BatchNorm2d(width), "BatchNorm of chapter 1": make(width, 4)}
    if shutil.which("c++") or shutil.which("cl"):  # torch.compile builds C++ on a CPU
        layers["the same, torch.compile"] = torch.compile(make(width, 4))
    else:
        print("No C++ compiler: torch.compile is left out.")
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


def held_mib():
    """The memory that this process holds: the GPU's peak where there is one, else RAM now."""
    if lab.device().type == "cuda":
        return torch.cuda.max_memory_allocated() / 2 ** 20
    return psutil.Process().memory_info().rss / 2 ** 20


def train_some_steps(index):
    """Train a chapter's network for 40 steps; memory before and at the peak, in MiB."""
    entry, data = entries()[index], lab.fashion_mnist()
    if lab.device().type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    some = part(data, 40 * entry.recipe["batch_size"], num_val=1000)
    before = peak = held_mib()
    with ThreadPoolExecutor() as pool:
        training = pool.submit(lab.train, entry.make(), some, label=entry.network,
                               **entry.recipe | {"num_epochs": 1})
        while not training.done():
            time.sleep(0.005)
            peak = max(peak, held_mib())
        training.result()  # raises what the training raised
    return {"network": entry.network, "with the data, MiB": round(before),
            "peak in training, MiB": round(peak)}


def memory():
    """Peak memory of each chapter's training, each in a process of its own."""
    rows = []
    for index in range(len(entries())):
        code = ("import json; from benchmarks import costs; "
                f"print(json.dumps(costs.train_some_steps({index})))")
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT,
                              stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    return rows


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
    """Executing each chapter, building the site, cold and again, the PDF where there is TeX."""
    rows = [timed(f"executing {name}", "-m", "tools.run", "--force", name)
            for name in chapter_names()]
    shutil.rmtree(ROOT / "_build" / "html", ignore_errors=True)
    rows += [timed("make book, cold", "-m", "tools.book"),
             timed("make book, unchanged", "-m", "tools.book")]
    if missing := absent():
        print(f"{', '.join(missing)} is not here: make pdf is left out.")
    else:
        rows.append(timed("make pdf", "-m", "tools.pdf"))
    return rows
