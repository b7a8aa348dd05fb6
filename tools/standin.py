"""Draw a stand-in for Fashion-MNIST where the real one can't be had.

Ten classes of drawn garments under the official labels 0..9, 28x28 pixels in
8-bit grey on black, in the official files below ROOT/FashionMNIST/raw/. It is
NOT Fashion-MNIST: the book runs on it, but its numbers can't be compared. The
file STAND-IN.md5 beside the data says so, and that the folder is whole.
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
from PIL import Image, ImageDraw

MARKER = "STAND-IN.md5"
NAMES = (("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
         ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"))
DEFAULT_ROOT = Path(__file__).resolve().parent.parent / "_build" / "standin"
CANVAS, MIDDLE, CUT, SIDE = 112, 56, 56, 28  # pixels: drawn, axis, kept, final


# In what follows `u(a, b)` is a random whole number from a to b, b included.
# All coordinates are whole numbers, so that every machine draws the same.

def both(draw, points, shade):
    """Fill what lies between the points (x, y) right and left of the axis."""
    for side in (1, -1):
        draw.polygon([(MIDDLE + side * x, y) for x, y in points], shade)


def trunk(draw, u, width, usual, rarer, hem, *chances):
    """Half the width, the usual and the rarer sleeve in percent of an arm,
    what the hem adds to the width, and the chances of `front`."""
    shade, width, neck = u(200, 255), u(*width), u(8, 13)
    arm = u(*usual) if u(1, 3) > 1 else u(*rarer)
    top, bottom, half = u(4, 9), u(96, 109), 9 - arm // 25
    shoulder, armpit, depth = top + u(4, 9), top + u(28, 36), top + u(4, 16)
    x, y = width + u(6, 14) + arm * u(2, 10) // 100, shoulder + 70 * arm // 100
    if arm:
        both(draw, [(width - 4, shoulder), (x + half, y + 10),
                    (x - half, y + 16), (width - 4, armpit)], shade - u(0, 25))
    both(draw, [(0, top), (neck, top), (width, shoulder), (width - 3, armpit),
                (width - u(0, 5), u(55, 70)), (width + u(*hem), bottom),
                (0, bottom)], shade)
    both(draw, [(width - 1, shoulder), (width - 3, armpit),
                (width - 4, armpit)], shade - u(10, 60))
    both(draw, [(0, top - 4), (neck, top - 4), (neck // 2, depth - 2),
                (0, depth)], u(0, 2) * shade // 5)
    front(draw, u, width, depth, bottom, shade, *chances)


def front(draw, u, width, depth, bottom, shade, collar, opening, logo, band):
    """Collar, opening, logo and band, with these chances in percent."""
    if u(1, 100) <= collar:
        both(draw, [(12, 6), (2, depth + 6), (15, depth + u(0, 12))],
             shade - u(-30, 60))
    if u(1, 100) <= opening:
        draw.line([(MIDDLE, depth), (MIDDLE + u(-3, 3), bottom)],
                  shade - u(60, 150), u(2, 4))
        for y in range(depth + 8, bottom - 4, u(11, 40)):
            draw.ellipse([MIDDLE + 1, y, MIDDLE + 5, y + 4], shade - 120)
    if u(1, 100) <= logo:
        x, y = MIDDLE - u(0, 16), depth + u(8, 24)
        draw.rectangle([x, y, x + u(8, 20), y + u(5, 22)], shade - u(60, 140))
    if u(1, 100) <= band:
        y = bottom - u(6, 10)
        both(draw, [(0, y), (width, y), (width, y + 2), (0, y + 2)],
             shade - u(30, 110))


def trouser(draw, u):
    shade, waist, foot, gap = u(200, 255), u(13, 21), u(10, 20), u(1, 8)
    crotch, bottom = u(32, 50), u(100, 109)
    both(draw, [(0, 4), (waist, 4), (waist + u(0, 4), crotch),
                (gap + foot, bottom), (gap, bottom), (0, crotch)], shade)
    both(draw, [(0, crotch), (0, 9), (waist, 9), (waist, 10), (1, 10)],
         shade - u(30, 100))


def bag(draw, u):
    shade, top, bottom, strap = u(200, 255), u(28, 56), u(86, 104), u(10, 34)
    width, rise = u(38, 52), u(8, top - 4) if u(0, 4) else 0
    flap = top + u(6, 30)
    draw.arc([MIDDLE - strap, top - rise, MIDDLE + strap, top + rise],
             180, 360, shade - u(0, 60), u(3, 7))
    both(draw, [(0, top), (width - u(3, 14), top), (width, bottom - 5),
                (width - 5, bottom), (0, bottom)], shade)
    both(draw, [(0, flap), (width - 8, flap), (4, flap + 2), (4, flap + 8),
                (0, flap + 8)], shade - u(0, 130))


def shoe(draw, u, ankle, heel, gaps):
    """From the side: heights of ankle and heel, number of gaps (a sandal)."""
    ankle, heel, gaps = u(*ankle), u(*heel), u(*gaps)
    shade, sole, back = u(170, 255), u(4, 10), u(100, 108)
    ground, throat, toe = MIDDLE + (ankle + heel) // 2, u(48, 64), u(3, 8)
    bed, vamp = ground - sole - heel, ground - sole - u(18, 26)
    top, arch = bed - ankle + 8, back - 34
    draw.polygon([(toe, ground - sole), (toe + 3, vamp + 8), (toe + 16, vamp),
                  (throat - 8, (vamp + top) // 2 + u(-6, 2)),
                  (throat, top - u(0, 6)), (back - u(2, 12), top),
                  (back, bed), (arch, bed)], shade)
    for gap in range(gaps):
        x = toe + 14 + gap * (back - toe - 20) // gaps + u(-3, 3)
        lean, wide, end = u(-16, 14), u(9, 18), top + u(-10, 12)
        draw.polygon([(x, bed + heel // 2), (x + lean, end),
                      (x + lean + wide, end), (x + wide, bed - 1)], 0)
    for lace in range(0 if gaps else u(0, 4)):
        x, y = throat - 16 + lace * 6, vamp - lace * (vamp - top) // 6
        draw.line([(x, y), (x + 10, y + u(6, 20))], shade - u(50, 150), 2)
    draw.polygon([(toe, ground - sole), (toe + 28, ground - sole), (arch, bed),
                  (back, bed), (back, ground), (back - u(12, 28), ground),
                  (arch, bed + sole), (toe + 28, ground), (toe + 3, ground)],
                 min(255, shade - u(-40, 110)))


GARMENTS = (
    (trunk, (25, 33), (12, 36), (12, 70), (-4, 3), 3, 4, 35, 15),  # T-shirt
    (trouser,),
    (trunk, (23, 29), (85, 105), (65, 105), (-5, 1), 5, 4, 20, 55),  # pullover
    (trunk, (12, 21), (0, 0), (10, 100), (-3, 16), 10, 8, 5, 15),  # dress
    (trunk, (19, 25), (90, 108), (90, 108), (-1, 8), 55, 90, 2, 15),  # coat
    (shoe, (26, 60), (0, 40), (2, 4)),  # sandal
    (trunk, (23, 31), (75, 100), (14, 60), (-5, 3), 80, 80, 12, 6),  # shirt
    (shoe, (30, 52), (0, 4), (0, 0)),  # sneaker
    (bag,),
    (shoe, (46, 84), (4, 26), (0, 0)))  # ankle boot


def drawings(rng, count):
    """`count` drawings of each class, uint8 (10 * count, CUT, CUT), four in
    ten of them striped or checked."""
    def u(low, high):
        return int(rng.integers(low, high, endpoint=True))

    drawn = np.zeros((10 * count, CUT, CUT), np.uint8)
    y, x = np.mgrid[:CANVAS, :CANVAS]
    for i in range(10 * count):
        image = Image.new("L", (CANVAS, CANVAS))
        garment, *limits = GARMENTS[i // count]
        garment(ImageDraw.Draw(image), u, *limits)
        pixels, weave, period = np.asarray(image), u(0, 9), u(8, 24)
        if weave < 4:
            way = (y, x, x + y, np.minimum(x % period, y % period))[weave]
            dark = way % period < period // 2
            pixels = pixels * (256 - dark * u(20, 140)) >> 8
        drawn[i] = pixels.reshape(CUT, 2, CUT, 2).sum((1, 3)) >> 2
    drawn[:, [0, -1]] = drawn[:, :, [0, -1]] = 0     # `pose` repeats the edge
    return drawn


def pose(rng, drawn):
    """Shift, scale, shear and turn each of drawn, (n, CUT, CUT), a little, in
    whole numbers: 256 is one. What lies outside repeats the edge."""
    def each(low, high):
        return rng.integers(low, high, (len(drawn), 1, 1), dtype=np.int16)

    across = np.arange(1 - CUT, CUT, 2, dtype=np.int16)     # in half pixels
    down, turn, shear = across[:, None], each(-28, 29), each(-24, 25)
    y = each(235, 300) * down + turn * across >> 9
    x = each(235, 300) * across + (shear - turn) * down >> 9
    y, x = ((z + CUT // 2 + each(-3, 4)).clip(0, CUT - 1) for z in (y, x))
    return drawn[np.arange(len(drawn))[:, None, None], y, x]


def photograph(rng, drawn, folds):
    """Images, uint8 (n, SIDE, SIDE): random pose, light, folds and noise."""
    one = len(drawn), 1, 1
    half = pose(rng, drawn).astype(np.int32)
    rows = half[:, ::2] + half[:, 1::2]
    pixels = rows[..., ::2] + rows[..., 1::2]
    light, depth = rng.integers(80, 280, one), rng.integers(0, 70, one)
    shade = folds[rng.integers(0, len(folds), len(drawn))] * depth >> 7
    noise = rng.integers(-16, 17, pixels.shape, dtype=np.int16)
    pixels = pixels * (light + shade + noise) >> 10     # black stays black
    return pixels.clip(0, 255).astype(np.uint8)


def split(seed, count):
    """Shuffled images (count, SIDE, SIDE) and labels (count,), uint8; every
    drawing is photographed about ten times."""
    rng = np.random.Generator(np.random.PCG64(seed))
    per_class = max(1, count // 100)
    drawn = drawings(rng, per_class)
    coarse = rng.integers(0, 256, (64, 5, 5), np.uint8)
    folds = np.stack([np.asarray(Image.fromarray(c).resize((SIDE, SIDE)))
                      for c in coarse]) - np.int16(128)
    order = rng.permutation(count)
    labels = order % 10
    which = labels * per_class + order // 10 % per_class
    images = np.empty((count, SIDE, SIDE), np.uint8)
    for start in range(0, count, 1000):
        batch = slice(start, start + 1000)
        images[batch] = photograph(rng, drawn[which[batch]], folds)
    return images, labels.astype(np.uint8)


def write(path, array):
    """A uint8 array as a gzipped idx file: magic, shape, values."""
    head = struct.pack(f">{1 + array.ndim}i", 2048 + array.ndim, *array.shape)
    # Neither time nor name in the file, so that its md5 sum stays the same.
    with open(path, "wb") as file:
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
            packed.write(head + array.tobytes())


def fill(folder, counts, progress):
    """Write the four files into `folder`, and last the marker."""
    sums = ""
    for seed, (names, count) in enumerate(zip(NAMES, counts)):
        if progress:
            print(f"drawing {count:,} garments: {names[0]}", flush=True)
        for name, array in zip(names, split(seed, count)):
            write(folder / name, array)
            md5 = hashlib.md5((folder / name).read_bytes()).hexdigest()
            sums += f"{md5}  {name}\n"
    (folder / MARKER).write_text(sums)


def is_whole(raw):
    """Whether `raw` holds a stand-in that was finished."""
    paths = [raw / name for name in (MARKER, *NAMES[0], *NAMES[1])]
    return all(path.is_file() and path.stat().st_size for path in paths)


def make(root: Path, num_train=60_000, num_test=10_000, progress=True) -> Path:
    """Write the stand-in below `root` and return root. A whole one is kept,
    whatever its size. Raises OSError where it can't be written."""
    root = Path(root)
    raw = root / "FashionMNIST" / "raw"
    try:
        if is_whole(raw):
            return root
        raw.parent.mkdir(parents=True, exist_ok=True)
        if (raw / MARKER).exists():
            shutil.rmtree(raw)      # ours, but damaged
        elif raw.exists():
            raw.rmdir()             # an error if there is other data in it
        with tempfile.TemporaryDirectory(prefix="raw.", dir=raw.parent) as new:
            part = Path(new) / "raw"
            part.mkdir()
            fill(part, (num_train, num_test), progress)
            if not is_whole(raw):   # nobody else was faster
                os.replace(part, raw)
    except OSError as error:
        raise OSError(
            f"cannot write the stand-in to {raw}: {error.strerror}.\n"
            "Give a folder that can be written and holds no other data: "
            "python tools/standin.py FOLDER") from error
    return root


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "root", nargs="?", type=Path, default=DEFAULT_ROOT, metavar="ROOT",
        help="the files go to ROOT/FashionMNIST/raw (default: %(default)s)")
    try:
        root = make(parser.parse_args().root)
    except OSError as error:
        sys.exit(f"standin.py: {error}")
    print(f"{root / 'FashionMNIST' / 'raw'}: drawn data, NOT Fashion-MNIST")


if __name__ == "__main__":
    main()
