"""Fashion-MNIST as tensors on the device, split for training, choosing and testing."""
from dataclasses import dataclass

import torch
from torch.nn import functional as F

import fashion
from machine import budget, device


@dataclass
class Data:
    """Images (n, 1, 28, 28) float32, normalised, and labels (n,) int64, on the device."""
    X_train: torch.Tensor
    y_train: torch.Tensor
    X_val: torch.Tensor
    y_val: torch.Tensor
    X_test: torch.Tensor
    y_test: torch.Tensor
    source: str  # fashion.REAL or fashion.STAND_IN
    classes: tuple = fashion.CLASSES


def fashion_mnist(num_val=5000, seed=0):
    """Fashion-MNIST, ``num_val`` training images held out for validation, by class in turn.

    Pixels are shifted and scaled by the training split's mean and standard
    deviation. The smoke budget keeps 2,048 training and 512 other images.
    Search order, stand-in and errors: see ``fashion.load``.
    """
    X, y, X_test, y_test, source = fashion.load()
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    by_class = torch.stack([order[y[order] == k] for k in range(10)], dim=1)  # (6000, 10)
    val, train = by_class.flatten()[:num_val], by_class.flatten()[num_val:]
    test = torch.arange(len(y_test))
    if budget() == "smoke":
        train, val, test = train[:2048], val[:512], test[:512]
    if source != fashion.REAL:
        print(f"NOT Fashion-MNIST but {source}: it shows that the chapter runs. "
              "Its accuracies say nothing about Fashion-MNIST.")
    count = X[train].flatten().bincount(minlength=256).double()  # of each grey value
    grey = torch.arange(256).double()
    mean = (count @ grey / count.sum()).item()
    std = (count @ (grey - mean).square() / count.sum()).sqrt().item()

    def ready(images, index):
        return images[index].to(device()).float().unsqueeze(1).sub_(mean).div_(std)

    return Data(ready(X, train), y[train].to(device()), ready(X, val), y[val].to(device()),
                ready(X_test, test), y_test[test].to(device()), source)


def draw_moves(n, pad, device):
    """For n images, (n, 1) each: shifts down and right, 0 to 2 * pad, and which are mirrored."""
    down, right = (torch.randint(0, 2 * pad + 1, (n, 1), device=device) for _ in range(2))
    return down, right, torch.rand(n, 1, device=device) < 0.5


def shift_flip(X, pad, moves=None):
    """A copy of X (n, c, h, w): each image shifted by up to ``pad`` pixels, half mirrored.

    moves: what ``draw_moves`` gave for them; drawn by default.
    """
    n, _, h, w = X.shape
    down, right, mirrored = draw_moves(n, pad, X.device) if moves is None else moves
    rows, cols = (start + torch.arange(size, device=X.device)
                  for start, size in ((down, h), (right, w)))
    cols = torch.where(mirrored, cols.flip(1), cols)
    padded = F.pad(X, (pad,) * 4, value=X.min().item())
    each = torch.arange(n, device=X.device)[:, None, None]
    return padded.movedim(1, 3)[each, rows[:, :, None], cols[:, None, :]].movedim(3, 1)
