"""The book's DenseNet, and how its channels grow and shrink.

A stem gives 64 channels. Each of four dense blocks has four convolution blocks that add 32
channels each; after each of the first three, a transition layer (1x1 convolution, average
pooling with stride 2) halves the channels, the height and the width. The channels are 64, 192,
96, 224, 112, 240, 120 and 248. Batch normalization, ReLU, global average pooling and a fully
connected layer give ten class scores. The length of a bar is the number of channels.
"""
from figures.draw import CONCAT, LINEAR, POOL, arrow, bar, box, canvas, size, text

STEM = "conv 7×7/2, BN, ReLU,\nmax pool 3×3/2"
DENSE = "4 × [BN, ReLU,\nconv 3×3]"
TRANSITION = "BN, ReLU, conv 1×1,\navg pool 2×2/2"
HEAD = "BN, ReLU,\nglobal avg pool, FC 10"
GROWTH, CONVS, SCALE = 32, 4, 0.73  # SCALE: points a channel
LEFT, PITCH, HEIGHT = 180, 54, 38  # of the bars, of the rows, of a box


def step(ax, y, label, fill):
    """A step of the network, and the way to it."""
    arrow(ax, (86, y + PITCH - HEIGHT / 2), (86, y + HEIGHT / 2))
    box(ax, 86, y, 168, HEIGHT, label, fill)


def output(ax, y, divisor, *parts):
    """Its output as a bar: the channels it had, and those it added."""
    x = LEFT
    for i, part in enumerate(parts):
        width = part * SCALE
        bar(ax, x, y - 14, width, 28, CONCAT if i else LINEAR)
        text(ax, x + width / 2, y, part)
        x += width
    text(ax, 408, y, size(sum(parts), divisor))


def draw():
    """All rows, from top to bottom."""
    ax = canvas(9 * PITCH + 38)
    y, channels = 8 * PITCH + 38, 64
    text(ax, 86, y + PITCH - 9, r"$1 \times h \times w$")
    step(ax, y, STEM, LINEAR)
    output(ax, y, 4, channels)
    for i in range(4):
        step(ax, y - PITCH, DENSE, CONCAT)
        output(ax, y - PITCH, 4 * 2**i, channels, *[GROWTH] * CONVS)
        channels = (channels + CONVS * GROWTH) // 2
        y -= 2 * PITCH
        if i < 3:
            step(ax, y, TRANSITION, POOL)
            output(ax, y, 8 * 2**i, channels)
    step(ax, y, HEAD, LINEAR)
    arrow(ax, (86, y - HEIGHT / 2), (86, y - HEIGHT / 2 - 16))
    text(ax, 408, y, "10")
    return ax
