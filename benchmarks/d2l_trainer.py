"""Train one of d2l's networks with d2l's loader and train_ch6, in a process of its own.

Its threads wait as its environment says, or else as PyTorch has them by default. Prints the
seconds and the test accuracy as JSON.
"""
import contextlib
import gzip
import io
import json
import sys
import tempfile
import time
import warnings
from pathlib import Path
from unittest import mock

import torch
from d2l import torch as d2l
from torch.utils.data import DataLoader, Subset

import fashion
from tools.shared.definitions import definitions


class Curve:
    """Stands in for d2l's Animator: keeps the last test accuracy and draws nothing."""
    test_accuracy = None

    def __init__(self, *_args, **_options):
        pass

    def add(self, _x, values):
        """Take what train_ch6 would plot."""
        Curve.test_accuracy = values[2]


def network(name):
    """LeNet + BN as chapter 1 builds it with PyTorch's layers, or a network of d2l's size."""
    bn, densenet = definitions("batch_norm"), definitions("densenet")
    return {"LeNet + BN": lambda: bn["lenet"](bn["torch_norm"]),
            "ResNet-18": densenet["d2l_resnet18"], "DenseNet": densenet["d2l_densenet"]}[name]()


@contextlib.contextmanager
def data_folder():
    """A working folder from which d2l finds the data at its ``../data``."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "data", "FashionMNIST", "raw")
        target.mkdir(parents=True)
        raw, _ = fashion.find()
        for name in fashion.MD5:
            unpacked = gzip.decompress((raw / name).read_bytes())
            (target / name.removesuffix(".gz")).write_bytes(unpacked)
        Path(folder, "here").mkdir()
        with contextlib.chdir(Path(folder, "here")):
            yield


def loaders(batch_size, resize, num_train, num_test):
    """d2l's own loaders, over the first images only."""
    # d2l wants four workers on any machine, and PyTorch warns of that on a small one.
    warnings.filterwarnings("ignore", "This DataLoader will create")

    def first(loader, count, shuffle):
        return DataLoader(Subset(loader.dataset, range(count)), batch_size, shuffle=shuffle,
                          num_workers=d2l.get_dataloader_workers())

    train, test = d2l.load_data_fashion_mnist(batch_size, resize)
    return first(train, num_train, True), first(test, num_test, False)


def main(task):
    """Train as the task says: network, seed, batch_size, resize, num_train, num_test, ..."""
    with data_folder():
        torch.manual_seed(task["seed"])
        net = network(task["network"])
        iters = loaders(task["batch_size"], task["resize"], task["num_train"], task["num_test"])
        start = time.perf_counter()
        with mock.patch.object(d2l, "Animator", Curve), contextlib.redirect_stdout(io.StringIO()):
            d2l.train_ch6(net, *iters, task["num_epochs"], task["lr"], d2l.try_gpu())
        print(json.dumps([time.perf_counter() - start, Curve.test_accuracy]))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
