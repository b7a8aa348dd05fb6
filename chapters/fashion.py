"""Fashion-MNIST: find, fetch, verify and read its files, and vary its images.

The chapters use ``lab.fashion_mnist``, which makes ready tensors of what is read here.
"""
import gzip
import hashlib
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

import torch
from torch.nn import functional as F
from torchvision.datasets import FashionMNIST
from torchvision.datasets.utils import download_url

REAL, STAND_IN = "Fashion-MNIST", "a drawn stand-in"
CLASSES = tuple(FashionMNIST.classes)
MD5 = dict(FashionMNIST.resources)  # file name: md5 sum
MARKER = "STAND-IN.md5"  # beside the stand-in's files, with their sums
_HERE = Path(__file__).resolve().parent
# The checkout, or the folder of a notebook that was taken out of it.
ROOT = _HERE.parent if (_HERE.parent / "_config.yml").exists() else _HERE


def load():
    """``(X, y, X_test, y_test, source)``: uint8 images (n, 28, 28) and int64 labels (n,).

    Looks in the folder ``FASHION_MNIST_ROOT``, then in ``data/``, then downloads
    to ``data/``, then (in a checkout) draws a stand-in; ``source`` says which.
    Raises FileNotFoundError, ValueError (a damaged file) or RuntimeError (no data
    to be had), each with the file and the cure. Never changes a file it found.
    """
    raw, what = find()
    return *_read_split(raw, "train"), *_read_split(raw, "t10k"), what


def _look():
    """The folder to look in first, and the files that it lacks."""
    root = Path(os.environ.get("FASHION_MNIST_ROOT") or ROOT / "data")
    raw = root / "FashionMNIST" / "raw"
    return raw, [name for name in MD5 if not (raw / name).is_file()]


def source():
    """What ``load`` would read without a download: REAL or STAND_IN."""
    raw, missing = _look()
    return STAND_IN if missing or (raw / MARKER).exists() else REAL


def find():
    """The folder that holds the four files, and what they are: REAL or STAND_IN."""
    given = os.environ.get("FASHION_MNIST_ROOT")
    raw, missing = _look()
    if given and missing:
        raise FileNotFoundError(
            f"FASHION_MNIST_ROOT={given}: there is no {raw / missing[0]}. Point the variable at "
            "a folder that holds FashionMNIST/raw/*.gz, or unset it to download the data.")
    if missing:
        try:
            _download(raw, missing)
        except (OSError, RuntimeError) as err:
            return _draw_stand_in(raw, err), STAND_IN
    return raw, source()


def _download(raw, names):
    """Fetch files into ``raw``; each appears there only whole and verified."""
    partial = raw / "download"
    partial.mkdir(parents=True, exist_ok=True)
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(30)  # a silent network is an error, not a wait
    try:
        for name in names:
            _download_one(name, partial)
            os.replace(partial / name, raw / name)
    finally:
        socket.setdefaulttimeout(timeout)
    partial.rmdir()


def _download_one(name, folder):
    """Fetch one file from the first of torchvision's mirrors that has it."""
    for mirror in FashionMNIST.mirrors:
        print(f"Downloading {mirror}{name}", file=sys.stderr)
        try:
            return download_url(mirror + name, str(folder), name, MD5[name])
        except (OSError, RuntimeError) as err:
            failed = err
    raise failed


def _draw_stand_in(raw, why):
    """Draw the stand-in where the checkout has the script for it; else say what to do."""
    script, root = ROOT / "tools" / "standin.py", ROOT / "_build" / "standin"
    if not script.exists():
        raise RuntimeError(
            f"Fashion-MNIST is not in {raw} and could not be downloaded ({why}). Connect to the "
            "network, or set FASHION_MNIST_ROOT to a folder that holds FashionMNIST/raw/*.gz."
        ) from None
    print(f"No Fashion-MNIST in {raw}, and no download ({why}). Drawing a stand-in in {root}.",
          file=sys.stderr)
    subprocess.run([sys.executable, script, root], check=True, stdout=sys.stderr)
    return root / "FashionMNIST" / "raw"


def _read_split(raw, split):
    """Images (n, 28, 28) uint8 and labels (n,) int64 of ``train`` or ``t10k``."""
    X = read_idx(raw / f"{split}-images-idx3-ubyte.gz")
    y = read_idx(raw / f"{split}-labels-idx1-ubyte.gz").long()
    if len(X) != len(y):
        raise ValueError(f"{raw}: {len(X)} {split} images but {len(y)} labels. Delete the two "
                         f"{split}-*.gz files there and run again.")
    return X, y


def read_idx(path):
    """A verified idx file as a uint8 tensor: 2 zeros, type, rank, big-endian sizes, data."""
    packed, expected = path.read_bytes(), _md5_sums(path.parent)[path.name]
    found = hashlib.md5(packed, usedforsecurity=False).hexdigest()
    if found != expected:
        raise ValueError(f"{path} is damaged or not whole: its md5 sum is {found}, expected "
                         f"{expected}. Delete this file and run again to fetch it anew.")
    raw = bytearray(gzip.decompress(packed))
    offset = 4 + 4 * raw[3]
    sizes = struct.unpack(f">{raw[3]}I", raw[4:offset])
    return torch.frombuffer(raw, dtype=torch.uint8, offset=offset).view(sizes)


def _md5_sums(raw):
    """The expected md5 sum of each file: torchvision's, or the stand-in's own."""
    marker = raw / MARKER
    if not marker.exists():
        return MD5
    return {name: md5 for md5, name in map(str.split, marker.read_text().splitlines())}


def shift_flip(X, pad):
    """A copy of X (n, c, h, w): each image shifted by up to ``pad`` pixels, half mirrored."""
    n, _, h, w = X.shape
    rows, cols = (torch.randint(0, 2 * pad + 1, (n, 1), device=X.device)
                  + torch.arange(size, device=X.device) for size in (h, w))
    mirrored = torch.rand(n, 1, device=X.device) < 0.5
    cols = torch.where(mirrored, cols.flip(1), cols)
    padded = F.pad(X, (pad,) * 4, value=X.min().item())
    each = torch.arange(n, device=X.device)[:, None, None]
    return padded.movedim(1, 3)[each, rows[:, :, None], cols[:, None, :]].movedim(3, 1)
