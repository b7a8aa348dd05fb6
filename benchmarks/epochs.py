"""How long an epoch takes: lab.train on tensors, against d2l's loader and train_ch6."""
import contextlib
import io
import shutil
import tempfile
import time
import warnings
from pathlib import Path
from unittest import mock

import fashion
import lab  # before torch: it settles how PyTorch's threads wait
import torch
from common import in_turns, spread
from d2l import torch as d2l
from definitions import definitions
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Subset


class Curve:
    """Stands in for d2l's Animator: keeps the last test accuracy and draws nothing."""

    def __init__(self, *_args, **_options):
        Curve.latest = self

    def add(self, _x, values):
        """Take what train_ch6 would plot."""
        self.test_accuracy = values[2] if values[2] is not None else None


@contextlib.contextmanager
def d2l_folder():
    """A working folder from which d2l finds the data at its ``../data``."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "data", "FashionMNIST", "raw")
        target.mkdir(parents=True)
        raw, _ = fashion.find()
        for name in fashion.MD5:
            shutil.copy(raw / name, target / name)
        Path(folder, "here").mkdir()
        with contextlib.chdir(Path(folder, "here")):
            yield


def d2l_loaders(batch_size, resize, num_train, num_test):
    """d2l's own loaders, over the first images only."""
    # d2l wants four workers on any machine, and PyTorch warns of that on a small one.
    warnings.filterwarnings("ignore", "This DataLoader will create")

    def first(loader, count, shuffle):
        return DataLoader(Subset(loader.dataset, range(count)), batch_size, shuffle=shuffle,
                          num_workers=d2l.get_dataloader_workers())

    train, test = d2l.load_data_fashion_mnist(batch_size, resize)
    return first(train, num_train, True), first(test, num_test, False)


def xavier(layer):
    """The initialization that train_ch6 gives a network."""
    if type(layer) in (nn.Linear, nn.Conv2d):
        nn.init.xavier_uniform_(layer.weight)


def theirs(make, loaders, num_epochs, lr, seed):
    """Seconds of d2l's training, and its last test accuracy."""
    torch.manual_seed(seed)
    net, start = make(), time.perf_counter()
    with mock.patch.object(d2l, "Animator", Curve), contextlib.redirect_stdout(io.StringIO()):
        d2l.train_ch6(net, *loaders, num_epochs, lr, d2l.try_gpu())
    return time.perf_counter() - start, Curve.latest.test_accuracy


def ours(make, images, resize, num_epochs, lr, batch_size, fast, seed):
    """The same by lab.train on the same images; resizing them is part of the time."""
    torch.manual_seed(seed)
    net, start = make().apply(xavier), time.perf_counter()
    X, y, X_test, y_test = (t.to(lab.device()) for t in images)
    X, X_test = (t.unsqueeze(1).float() / 255 for t in (X, X_test))
    if resize:
        X, X_test = (torch.cat([F.interpolate(part, resize, mode="bilinear")
                                for part in t.split(1000)]) for t in (X, X_test))
    data = lab.Data(X, y, X_test, y_test, X_test, y_test, fashion.REAL)
    history = lab.train(net, data, num_epochs=num_epochs, lr=lr, batch_size=batch_size,
                        schedule="constant", momentum=0.0, fast=fast, label="lab.train")
    return time.perf_counter() - start, history.val_accuracy[-1]


def duel(name, make, *, lr, resize, num_epochs, num_train, num_test, fast, rounds, target):
    """One network, both trainers in turns; a line of the table."""
    X, y, X_test, y_test, _ = fashion.load()
    num_train, num_test = min(num_train, len(y)), min(num_test, len(y_test))
    images = X[:num_train], y[:num_train], X_test[:num_test], y_test[:num_test]
    batch_size = min(256, num_train // 5)  # train_ch6 divides by the fifth of an epoch
    loaders = d2l_loaders(batch_size, resize, num_train, num_test)
    results = in_turns({
        "d2l": lambda seed: theirs(make, loaders, num_epochs, lr, seed),
        "ours": lambda seed: ours(make, images, resize, num_epochs, lr, batch_size, fast, seed),
    }, rounds)
    to_epoch = 60000 / num_train / num_epochs
    times = {who: [to_epoch * wall for wall, _ in runs] for who, runs in results.items()}
    accuracies = {who: [accuracy for _, accuracy in runs] for who, runs in results.items()}
    ratio = spread([a / b for a, b in zip(times["d2l"], times["ours"])])
    return {"network": name, "images": num_train, "epochs": num_epochs,
            "d2l, s per epoch": spread(times["d2l"]), "ours, s per epoch": spread(times["ours"]),
            "times faster": ratio, "target": target, "reached": ratio["median"] >= target,
            "d2l, test accuracy": spread(accuracies["d2l"]),
            "ours, test accuracy": spread(accuracies["ours"])}


def race(rounds):
    """d2l's networks of its chapters on both trainers, same batches, optimizer and epochs."""
    bn, densenet = definitions("batch_norm"), definitions("densenet")
    cut = lab.pick(smoke=320, cpu=1280, gpu=60000)
    large = dict(resize=96, num_train=cut, num_test=cut // 6, fast=True, rounds=rounds,
                 num_epochs=1)
    whole = lab.pick(smoke=640, cpu=60000, gpu=60000)
    at = lab.pick(smoke=(0, 0, 0), cpu=(6, 2, 2), gpu=(10, 8, 8))
    with d2l_folder():
        return [
            duel("LeNet + BN, 28 x 28", lambda: bn["lenet"](bn["torch_norm"]), lr=1.0,
                 resize=None, num_train=whole, num_test=whole // 6, fast=False, rounds=rounds,
                 num_epochs=lab.pick(smoke=1, cpu=2, gpu=5), target=at[0]),
            duel("ResNet-18, 96 x 96", densenet["d2l_resnet18"], lr=0.05, **large, target=at[1]),
            duel("DenseNet, 96 x 96", densenet["d2l_densenet"], lr=0.1, **large, target=at[2])]
