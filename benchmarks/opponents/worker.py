"""The process in which a contestant lives: reads tasks from its input, a line each, as JSON.

It trains as a task says and answers with a line of JSON. What libraries print goes to its
standard error. ``Contestant`` is the other end.
"""
import contextlib
import dataclasses
import gzip
import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import psutil
import torch

import fashion
import lab
from benchmarks import networks
from benchmarks.common import part, seconds, whole
from benchmarks.opponents import CONTESTANTS, environments
from tools.shared.source import ROOT

LOGS = ROOT / "_build" / "opponents"


@dataclasses.dataclass
class Task:
    """One training; the same words for all contestants."""
    network: str  # as benchmarks.networks names it
    num_images: int
    num_epochs: int
    batch_size: int
    lr: float
    seed: int = 0
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    mirror: bool = False
    resize: int | None = None
    fast: bool = False  # the fastest dtype and channels_last, else float32 and contiguous
    judge: bool = False  # whether the test accuracy is asked for


class Contestant:
    """A contestant in a process of its own. Raises RuntimeError, with its log, if that fails."""

    def __init__(self, name):
        module, options = CONTESTANTS[name]
        LOGS.mkdir(parents=True, exist_ok=True)
        self.name, self.log = name, LOGS / f"{module}.log"
        with open(self.log, "w") as log:
            self.process = psutil.Popen(
                [environments.python(module), "-m", "benchmarks.opponents.worker", module,
                 json.dumps(options)],
                cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)

    def train(self, task):
        """What ``serve`` answers: seconds, the first time memory in MiB, accuracy if asked."""
        print(f"{self.name}: {task.network}, {task.num_images * task.num_epochs:,} images, ",
              end="", flush=True)
        with contextlib.suppress(BrokenPipeError):  # it has ended: no line comes
            print(json.dumps(dataclasses.asdict(task)), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} failed on {task}: {self.log} says why.\n"
                               + self.log.read_text(errors="replace")[-2000:])
        answer = json.loads(line)
        print(f"{answer['seconds']:.1f} s", flush=True)
        return answer

    def close(self):
        """End the process."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()


@contextlib.contextmanager
def contestants(names):
    """The Contestants of these names, which live as long as the block."""
    with contextlib.ExitStack() as stack:
        found = {}
        for name in names:
            found[name] = Contestant(name)
            stack.callback(found[name].close)
        yield found


@contextlib.contextmanager
def unpacked():
    """A folder that torchvision takes as its ``root``; d2l finds it from ``here`` inside."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "data", "FashionMNIST", "raw")
        target.mkdir(parents=True)
        raw, _ = fashion.find()
        for name in fashion.MD5:
            content = gzip.decompress((raw / name).read_bytes())
            (target / name.removesuffix(".gz")).write_bytes(content)
        Path(folder, "here").mkdir()
        yield Path(folder)


class Memory:
    """MiB of this process and its children, or of the GPU: the ``peak`` since it was entered."""

    def __enter__(self):
        self.cuda = torch.cuda if lab.device().type == "cuda" else None
        if self.cuda:
            self.cuda.reset_peak_memory_stats()
        self.before = self.peak = self.held()
        self.over = threading.Event()
        self.watch = threading.Thread(target=self.look)
        self.watch.start()
        return self

    def __exit__(self, *_error):
        self.over.set()
        self.watch.join()
        self.peak = max(self.peak, self.held())

    def held(self):
        """What is held now; of a child only what is its own."""
        if self.cuda:
            return self.cuda.max_memory_allocated() / 2 ** 20
        held = psutil.Process().memory_info().rss
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
                held += child.memory_full_info().uss
        return held / 2 ** 20

    def look(self):
        """Look again and again."""
        while not self.over.wait(0.01):
            self.peak = max(self.peak, self.held())


class Job(Task):
    """A Task with what it is about: the network, the images, the folders."""

    def __init__(self, task: dict[str, Any], folder, images):
        super().__init__(**task)
        torch.manual_seed(self.seed)
        self.net = networks.make(self.network).to(lab.device())
        self.model = networks.Terms(self.net, lab.compute_dtype(self.fast))
        self.root, self.working_folder = folder / "data", folder / "here"
        self.data = part(images, self.num_images, num_val=1)


def serve(module, options, answers):
    """Answer the tasks of the input until it ends.

    Of the first training on given terms the memory is told, too: the peak beyond what the
    process held before the first of all.
    """
    fit = importlib.import_module(f"benchmarks.opponents.by_{module}").fit
    images, seen = whole(lab.fashion_mnist()), set()
    with Memory() as start:
        pass
    with unpacked() as folder:
        for line in sys.stdin:
            task = json.loads(line)
            job = Job(task, folder, images)
            terms = job.network, job.fast
            with Memory() if terms not in seen else contextlib.nullcontext() as memory:
                told = {"seconds": seconds(lambda job=job: fit(job, **options))}
            if memory:
                told["memory"] = memory.peak - start.before
            if job.judge:
                told["accuracy"] = lab.evaluate(job.net, images.X_test, images.y_test)[1]
            print(json.dumps(told), file=answers, flush=True)
            seen.add(terms)


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")  # whatever libraries print goes elsewhere
    os.dup2(2, 1)
    serve(sys.argv[1], json.loads(sys.argv[2]), answers)
