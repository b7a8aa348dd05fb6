"""Fashion-MNIST's files: find, fetch, verify and read them.

The chapters use ``lab.fashion_mnist``, which makes ready tensors of what is read here.
"""
import gzip
import hashlib
import http.client
import os
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import torch
from torchvision.datasets import FashionMNIST

REAL, STAND_IN = "Fashion-MNIST", "a drawn stand-in"
CLASSES = tuple(FashionMNIST.classes)
MD5 = dict(FashionMNIST.resources)  # file name: md5 sum
# After torchvision's own: the data set's repository, and the copy of TensorFlow's Keras.
MIRRORS = ("https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
           "https://storage.googleapis.com/tensorflow/tf-keras-datasets/")
MARKER = "STAND-IN.md5"  # beside the stand-in's files, with their sums
_HERE = Path(__file__).resolve().parent
# The checkout, or the folder of a notebook that was taken out of it.
ROOT = _HERE.parent if (_HERE.parent / "_config.yml").exists() else _HERE


def load():
    """``(X, y, X_test, y_test, source)``: uint8 images (n, 28, 28) and int64 labels (n,).

    Looks in the folder ``FASHION_MNIST_ROOT``, then in ``data/``, then downloads
    to ``data/``, then (in a checkout) draws a stand-in; ``source`` says which.
    Raises FileNotFoundError, ValueError (a damaged file), OSError (a folder that
    cannot be written) or RuntimeError (no data to be had), each with the file and
    the cure. Never changes a file it found.
    """
    raw, what = find()
    return *_read_split(raw, "train"), *_read_split(raw, "t10k"), what


def find():
    """The folder that holds the four files, and what they are: REAL or STAND_IN."""
    given = os.environ.get("FASHION_MNIST_ROOT")
    if given and not Path(given).is_absolute():
        raise ValueError(f"FASHION_MNIST_ROOT={given}: give the whole path of the folder, such as "
                         f"{Path(given).resolve()}.")
    raw = Path(given or ROOT / "data") / "FashionMNIST" / "raw"
    missing = [name for name in MD5 if not (raw / name).is_file()]
    if given and missing:
        raise FileNotFoundError(
            f"FASHION_MNIST_ROOT={given}: there is no {raw / missing[0]}. Point the variable at "
            "a folder that holds FashionMNIST/raw/*.gz, or unset it to download the data.")
    if missing:
        try:
            _download(raw, missing)
        except RuntimeError as err:
            return _draw_stand_in(raw, err), STAND_IN
    return raw, STAND_IN if (raw / MARKER).exists() else REAL


def _download(raw, names):
    """Fetch files into ``raw``; each appears there only whole and verified.

    Raises RuntimeError where no mirror gave a file, OSError where it cannot be kept.
    """
    contents = ((name, _fetch_anywhere(name)) for name in names)  # one after the other
    try:
        raw.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="download-", dir=raw) as folder:
            for name, content in contents:
                Path(folder, name).write_bytes(content)
                os.replace(Path(folder, name), raw / name)
    except OSError as err:
        raise OSError(f"Fashion-MNIST cannot be kept in {raw} ({err.strerror}). Make room there "
                      "or make the folder writable, or set FASHION_MNIST_ROOT to a folder that "
                      "holds FashionMNIST/raw/*.gz.") from err


def _fetch_anywhere(name):
    """A file's verified bytes, from the first mirror that has them; all are asked twice."""
    failed = {}
    for mirror in [*FashionMNIST.mirrors, *MIRRORS] * 2:
        print(f"Downloading {mirror}{name}", file=sys.stderr)
        try:
            content = _fetch(mirror + name)
        except (OSError, http.client.HTTPException) as err:
            failed[mirror] = err
            continue
        found = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if found == MD5[name]:
            return content
        failed[mirror] = f"what came is another file, {len(content):,} bytes, md5 sum {found}"
    reasons = "; ".join(f"{mirror}: {why}" for mirror, why in failed.items())
    raise RuntimeError(f"{name} could not be downloaded ({reasons})")


def _fetch(url, timeout=30, limit=2 ** 26):
    """What an address answers, at most ``limit`` bytes; says every three seconds how far it is."""
    content, told = bytearray(), time.monotonic()
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        size = int(answer.headers.get("Content-Length") or 0)
        while part := answer.read(2 ** 16):
            content += part
            if len(content) > limit:
                raise OSError(f"the answer is larger than {limit:,} bytes")
            if time.monotonic() > told + 3:
                told = time.monotonic()
                print(f"  {len(content) / 1e6:.1f} of {size / 1e6:.1f} MB", file=sys.stderr)
    return bytes(content)


def _draw_stand_in(raw, why):
    """Draw the stand-in where the checkout has the script for it; else say what to do."""
    script, root = ROOT / "tools" / "standin.py", ROOT / "_build" / "standin"
    cure = ("Connect to the network and run again, or set FASHION_MNIST_ROOT to a folder that "
            "holds FashionMNIST/raw/*.gz.")
    if "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
        cure = "On Kaggle switch the network on: Settings, Internet. Then run again."
    if not script.exists():
        raise RuntimeError(f"Fashion-MNIST is not in {raw}, and {why}. {cure}") from None
    print(f"Fashion-MNIST is not in {raw}, and {why}. {cure}\nDrawing a stand-in in {root}.",
          file=sys.stderr)
    subprocess.run([sys.executable, script, root], check=True, stdout=sys.stderr)
    return root / "FashionMNIST" / "raw"


def _read_split(raw, split):
    """Images (n, 28, 28) uint8 and labels (n,) int64 of ``train`` or ``t10k``."""
    X = read_idx(raw / f"{split}-images-idx3-ubyte.gz")
    y = read_idx(raw / f"{split}-labels-idx1-ubyte.gz").long()
    if len(X) != len(y):
        raise ValueError(f"{raw}: {len(X)} {split} images but {len(y)} labels. {_cure(raw)}")
    return X, y


def _cure(path):
    """What to do about a file, or a folder of files, that is damaged."""
    if os.environ.get("FASHION_MNIST_ROOT"):
        return ("Put Fashion-MNIST's own file in its place, or unset FASHION_MNIST_ROOT to have "
                "the data downloaded.")
    if "standin" in path.parts:
        return f"Delete {ROOT / '_build' / 'standin'} and run again to have it drawn anew."
    return "Delete it and run again to fetch it anew."


def read_idx(path):
    """A verified idx file as a uint8 tensor: 2 zeros, type, rank, big-endian sizes, data."""
    packed, expected = path.read_bytes(), _md5_sums(path.parent).get(path.name)
    found = hashlib.md5(packed, usedforsecurity=False).hexdigest()
    if found != expected:
        raise ValueError(f"{path} is damaged or not whole: its md5 sum is {found}, expected "
                         f"{expected}. {_cure(path)}")
    raw = bytearray(gzip.decompress(packed))
    offset = 4 + 4 * raw[3]
    sizes = struct.unpack(f">{raw[3]}I", raw[4:offset])
    return torch.frombuffer(raw, dtype=torch.uint8, offset=offset).view(sizes)


def _md5_sums(raw):
    """The expected md5 sum of each file: torchvision's, or the stand-in's own."""
    marker = raw / MARKER
    if not marker.exists():
        return MD5
    lines = map(str.split, marker.read_text(encoding="utf-8").splitlines())
    return {words[1]: words[0] for words in lines if len(words) == 2}
