"""Draw a stand-in for Fashion-MNIST where the real one cannot be had.

Ten classes of blots on black, 28x28 pixels in 8-bit grey, in the official files below
ROOT/FashionMNIST/raw. It is NOT Fashion-MNIST: the book runs on it, but its numbers say
nothing about the real data. The file STAND-IN.md5 beside the data says so, and what is whole.
"""
import argparse
import gzip
import hashlib
import os
import shutil
import struct
import sys
import tempfile
from pathlib import Path

import numpy as np

MARKER = "STAND-IN.md5"  # chapters/fashion.py reads it
NAMES = tuple(f"{split}-{kind}-ubyte.gz" for split in ("train", "t10k")
              for kind in ("images-idx3", "labels-idx1"))
DEFAULT_ROOT = Path(__file__).resolve().parent.parent / "_build" / "standin"


def templates(rng):
    """A smooth blot of each class, at 25 places: uint16 (10, 25, 28, 28) from 0 to 255."""
    coarse = 255 * rng.randint(0, 2, (10, 5, 5), np.uint16)
    blots = np.pad(coarse.repeat(4, 1).repeat(4, 2), ((0, 0), (4, 4), (4, 4)))
    for axis in (1, 2):
        blots = (np.roll(blots, 1, axis) + 2 * blots + np.roll(blots, -1, axis)) // 4
    places = [(y, x) for y in range(-2, 3) for x in range(-2, 3)]
    return np.stack([np.roll(blots, place, (1, 2)) for place in places], 1)


def draw(rng, blots, count):
    """Images (count, 28, 28) and labels (count,), uint8, shuffled.

    Each image has something of another class in it, at times more than of its own, so that
    no network gets all of them right.
    """
    labels = (rng.permutation(count) % 10).astype(np.uint8)
    images = np.empty((count, 28, 28), np.uint8)
    for start in range(0, count, 1000):  # in parts, to need little memory
        own = labels[start:start + 1000]
        one = (len(own), 1, 1)
        other = (own + rng.randint(1, 10, len(own), np.uint8)) % 10
        place = rng.randint(0, blots.shape[1], len(own), np.uint8)
        weight = rng.randint(112, 256, one, np.uint16)
        mixed = (weight * blots[own, place] + (256 - weight) * blots[other, place]) >> 8
        light = rng.randint(128, 256, one, np.uint16)
        noise = rng.randint(128, 256, mixed.shape, np.uint16)
        images[start:start + 1000] = mixed * (light * noise >> 8) >> 8
    return images, labels


def write(path, array):
    """Write a uint8 array as a gzipped idx file: magic, shape, values."""
    head = struct.pack(f">{1 + array.ndim}i", 2048 + array.ndim, *array.shape)
    # Neither time nor name in it, so that its md5 sum stays the same.
    path.write_bytes(gzip.compress(head + array.tobytes(), 1, mtime=0))


def sums(raw):
    """The marker's content: the md5 sums of the files that are in ``raw``, as bytes."""
    files = [raw / name for name in NAMES if (raw / name).is_file()]
    return "".join(f"{hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()}  "
                   f"{file.name}\n" for file in files).encode()


def is_whole(raw):
    """Whether ``raw`` holds a finished stand-in: all files, with the sums in the marker."""
    return (raw / MARKER).is_file() and (raw / MARKER).read_bytes() == sums(raw)


def fill(raw, counts, progress):
    """Write the four files into the folder ``raw``, and last the marker."""
    rng = np.random.RandomState(0)  # the same numbers in every version of numpy
    blots = templates(rng)
    for images, labels, count in zip(NAMES[::2], NAMES[1::2], counts, strict=True):
        if progress:
            print(f"Drawing {count:,} images: {images}", flush=True)
        for name, array in zip((images, labels), draw(rng, blots, count), strict=True):
            write(raw / name, array)
    (raw / MARKER).write_bytes(sums(raw))


def make(root, num_train=60_000, num_test=10_000, progress=True) -> Path:
    """Write the stand-in below ``root`` and return ``root``; a whole one is kept as it is.

    Raises OSError where it cannot be written, or the folder holds other data.
    """
    root = Path(root)
    raw = root / "FashionMNIST" / "raw"
    try:
        if is_whole(raw):
            return root
        raw.parent.mkdir(parents=True, exist_ok=True)
        if (raw / MARKER).exists():
            shutil.rmtree(raw)  # ours, but damaged
        elif raw.exists():
            raw.rmdir()  # an error if there is other data in it
        with tempfile.TemporaryDirectory(prefix="raw.", dir=raw.parent) as part:
            new = Path(part) / "raw"
            new.mkdir()
            fill(new, (num_train, num_test), progress)
            if not is_whole(raw):  # nobody else was faster
                os.replace(new, raw)
    except OSError as err:
        raise OSError(f"cannot write the stand-in to {raw}: {err.strerror or err}. Give a folder "
                      "that can be written and holds no other data: python tools/standin.py ROOT"
                      ) from err
    return root


def main():
    """Draw the stand-in in the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=DEFAULT_ROOT, metavar="ROOT",
                        help="the files go to ROOT/FashionMNIST/raw (default: %(default)s)")
    try:
        root = make(parser.parse_args().root)
    except OSError as err:
        sys.exit(f"standin.py: {err}")
    print(f"{root / 'FashionMNIST' / 'raw'}: drawn data, NOT Fashion-MNIST")


if __name__ == "__main__":
    main()
