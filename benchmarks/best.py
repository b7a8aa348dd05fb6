"""How high the accuracy goes within minutes, and what each part of the recipe is worth."""
import statistics
import time
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

import lab
from benchmarks.common import part, spread, whole
from tools.shared.definitions import definitions


def conv(in_channels, out_channels, pool=1):
    """A 3x3 convolution, pooling, batch norm, ReLU."""
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
                         nn.MaxPool2d(pool), nn.BatchNorm2d(out_channels), nn.ReLU())


class Add(nn.Module):
    """x + f(x), f two convolutions."""

    def __init__(self, channels):
        super().__init__()
        self.f = nn.Sequential(conv(channels, channels), conv(channels, channels))

    def forward(self, X):
        """As many channels and pixels as X has."""
        return X + self.f(X)


def resnet9(width=32):
    """Three stages of one block, in the manner of DAWNBench's ResNet-9; the maximum at the end."""
    return nn.Sequential(
        conv(1, width, pool=2), Add(width), conv(width, 2 * width, pool=2), Add(2 * width),
        conv(2 * width, 4 * width, pool=2), Add(4 * width), nn.AdaptiveMaxPool2d(1), nn.Flatten(),
        nn.Linear(4 * width, 10))


def network():
    """The network of the device: on a GPU chapter 2's ResNet-18."""
    return lab.pick(smoke=resnet9, cpu=resnet9,
                    gpu=definitions("resnet")["resnet18_small_images"])()


def recipe() -> dict[str, Any]:
    """What was chosen on the validation split, by device."""
    return dict(weight_decay=5e-4, label_smoothing=0.1, fast=True,
                **lab.pick(smoke=dict(num_epochs=1, lr=0.1, augment=0),
                           cpu=dict(num_epochs=13, lr=0.1, augment=0),
                           gpu=dict(num_epochs=25, lr=0.2, augment=2)))


def by_one_view(net, X, y):
    """Accuracy by the images as they are."""
    return lab.evaluate(net, X, y, fast=True)[1]


def by_views(net, X, y):
    """Accuracy by the mean logits of ten views of each image.

    They are the image, half of the weight, and the image moved by a pixel up, down, left and
    right, each with its mirror image.
    """
    h, w = X.shape[-2:]
    padded = F.pad(X, (1,) * 4, value=X.min().item())

    def logits(down, right):
        view = padded[..., down:down + h, right:right + w]
        return lab.predict(net, view, fast=True) + lab.predict(net, view.flip(-1), fast=True)

    y_hat = 4 * logits(1, 1) + logits(0, 1) + logits(2, 1) + logits(1, 0) + logits(1, 2)
    return (y_hat.argmax(1) == y).float().mean().item()


def fit(make, data, seed, label, **changes):
    """A network trained by the recipe with some changes."""
    torch.manual_seed(seed)
    net = make()
    lab.train(net, data, label=f"{label}, seed {seed}", **recipe() | changes)
    return net


def race(rounds):
    """The whole recipe on all training images, a seed a round; the test set is asked once."""
    data, rows = whole(lab.fashion_mnist()), []
    data = part(data, len(data.y_train), num_val=1)  # nothing is left to validate on
    for seed in range(rounds):
        start = time.perf_counter()
        net = fit(network, data, seed, "best")
        seconds = time.perf_counter() - start
        rows.append({"seed": seed, "epochs": recipe()["num_epochs"], "training, s": seconds,
                     "test accuracy": by_one_view(net, data.X_test, data.y_test),
                     "by ten views": by_views(net, data.X_test, data.y_test)})
    return rows


def ablation(rounds):
    """The recipe, and the recipe with one part changed, shorter, on the validation split.

    The last column: the noise, as the standard error of the difference over the seeds.
    """
    data, rows, first = lab.fashion_mnist(), [], []
    epochs = lab.pick(smoke=1, cpu=2, gpu=10)

    def tell(name, values):
        gains = [one - other for one, other in zip(values, first or values)]
        error = statistics.stdev(gains) / rounds ** 0.5 if rounds > 1 else None
        rows.append({"recipe": name, "epochs": epochs, "validation accuracy": spread(values),
                     "change": statistics.mean(gains), "standard error": error})

    changed = {
        "the whole recipe": (network, {}),
        "no mirrored images, one view": (network, dict(augment=None)),
        "shifted by a pixel, too": (network, dict(augment=1)),
        "no label smoothing": (network, dict(label_smoothing=0.0)),
        "twice the rate": (network, dict(lr=2 * recipe()["lr"])),
        "a constant rate": (network, dict(schedule="constant", lr=0.05)),
        "chapter 2's network": (definitions("resnet")["pooled_resnet"], {})}
    for name, (make, changes) in changed.items():
        nets = [fit(make, data, seed, name, **{"num_epochs": epochs} | changes)
                for seed in range(rounds)]
        judge = by_one_view if changes.get("augment", 0) is None else by_views
        values = [judge(net, data.X_val, data.y_val) for net in nets]
        tell(name, values)
        if not first:
            first = values
            tell("one view of an image",
                 [by_one_view(net, data.X_val, data.y_val) for net in nets])
    return rows
