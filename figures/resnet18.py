"""ResNet-18, from the image to the ten class scores.

A stem (7x7 convolution with stride 2, batch normalization, ReLU, 3x3 max pooling with stride
2), four stages of two residual blocks with 64, 128, 256 and 512 channels, global average pooling
and a fully connected layer. The first block of stages two to four halves height and width, and
a 1x1 convolution with stride 2 stands on its shortcut. Beside each stage, the size of its
output. Batch normalization and ReLU inside the blocks are left out.
"""
from figures.draw import GREY, LINEAR, NORM, POOL, RELU, arrow, box, canvas, plus, size, text

LEFT, RIGHT = 2, 362  # of the frames around the stages
MIDDLE = (LEFT + RIGHT) / 2
STEM = [(60, "conv\n7×7/2", LINEAR), (40, "BN", NORM), (48, "ReLU", RELU),
        (70, "max pool\n3×3/2", POOL)]
HEAD = [(68, "global\navg pool", POOL), (52, "FC 10", LINEAR)]


def frame(ax, top, height, label):
    """A frame around a stage, its label (the size), and the way onward."""
    box(ax, MIDDLE, top - height / 2, RIGHT - LEFT, height, edgecolor=GREY)
    text(ax, RIGHT + 48, top - height / 2, label)
    arrow(ax, (MIDDLE, top - height), (MIDDLE, top - height - 16))


def chain(ax, y, steps):
    """Steps (width, label, fill) in a row, evenly across the frame."""
    gap = (RIGHT - LEFT - sum(step[0] for step in steps)) / (len(steps) + 1)
    x = LEFT
    for width, label, fill in steps:
        arrow(ax, (x, y), (x + gap, y))
        box(ax, x + gap + width / 2, y, width, 36, label, fill)
        x += gap + width
    arrow(ax, (x, y), (RIGHT, y))


def residual(ax, x, y, strided):
    """A residual block that begins at x and is 172 wide."""
    arrow(ax, (x, y), (x + 20, y))
    arrow(ax, (x + 8, y), (x + 8, y + 34), (x + 163, y + 34), (x + 163, y + 9))
    box(ax, x + 47, y, 54, 36, "conv\n3×3/2" if strided else "conv\n3×3", LINEAR)
    arrow(ax, (x + 74, y), (x + 88, y))
    box(ax, x + 115, y, 54, 36, "conv\n3×3", LINEAR)
    arrow(ax, (x + 142, y), (x + 154, y))
    plus(ax, x + 163, y)
    if strided:
        box(ax, x + 81, y + 34, 86, 22, "conv 1×1/2", LINEAR)


def stage(ax, top, strided, label):
    """Two residual blocks; the first may halve the size."""
    frame(ax, top, 78, label)
    y = top - 54
    residual(ax, LEFT, y, strided)
    residual(ax, LEFT + 172, y, False)
    arrow(ax, (LEFT + 344, y), (RIGHT, y))


def draw():
    """All rows, from top to bottom."""
    ax = canvas(536)
    text(ax, MIDDLE, 525, r"$1 \times h \times w$")
    arrow(ax, (MIDDLE, 516), (MIDDLE, 500))
    frame(ax, 500, 46, size(64, 4))
    chain(ax, 477, STEM)
    for i in range(4):
        stage(ax, 438 - 94 * i, i > 0, size(64 * 2**i, 4 * 2**i))
    frame(ax, 62, 44, "$10$")
    chain(ax, 40, HEAD)
    return ax
