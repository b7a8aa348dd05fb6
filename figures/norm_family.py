"""Which elements share one mean and one variance: batch, layer, instance and group normalization.

Four times the activations of a convolutional layer: m examples in rows, c channels in columns,
p by q elements in each square. Highlighted is one set of elements that share their statistics.
Batch: one channel in all examples. Layer: all channels of one example. Instance: one channel of
one example. Group: half of the channels of one example.
"""
from figures.draw import NORM, PLAIN, THIN, bar, canvas, span, text

EXAMPLES, CHANNELS, SIDE, GAP = 3, 4, 19, 4  # m, c, a square of p by q elements, between squares
PITCH, WIDTH, LEFT, BOTTOM = SIDE + GAP, 110, 32, 52
TOP = BOTTOM + EXAMPLES * PITCH - GAP
# The name, its chosen examples and channels (rows are counted from below), how many elements.
MEMBERS = (("Batch", (0, 1, 2), (1,), r"$m\,p\,q$"),
           ("Layer", (2,), (0, 1, 2, 3), r"$c\,p\,q$"),
           ("Instance", (2,), (1,), r"$p\,q$"),
           ("Group", (2,), (0, 1), r"$\frac{c}{2}\,p\,q$"))


def square(ax, x, y, chosen):
    """The p by q elements of one channel of one example."""
    half = SIDE / 2
    for dx in (0, half):
        for dy in (0, half):
            bar(ax, x + dx, y + dy, half, half, NORM if chosen else PLAIN, linewidth=THIN)
    if chosen:
        bar(ax, x, y, SIDE, SIDE)


def member(ax, left, name, examples, channels, size):
    """One kind of normalization: its set of elements among all, and how many it has."""
    for row in range(EXAMPLES):
        for column in range(CHANNELS):
            square(ax, left + PITCH * column, BOTTOM + PITCH * row,
                   row in examples and column in channels)
    middle = left + (CHANNELS * PITCH - GAP) / 2
    text(ax, middle, TOP + 46, name)
    text(ax, middle, 24, size)


def draw():
    """The four kinds side by side."""
    ax = canvas(TOP + 62)
    for i, (name, examples, channels, size) in enumerate(MEMBERS):
        left = LEFT + WIDTH * i
        member(ax, left, name, examples, channels, size)
        span(ax, (left, TOP + 8), (left + CHANNELS * PITCH - GAP, TOP + 8))
        text(ax, left + (CHANNELS * PITCH - GAP) / 2, TOP + 20, "$c$")
    span(ax, (LEFT - 9, BOTTOM), (LEFT - 9, TOP))
    text(ax, LEFT - 21, (BOTTOM + TOP) / 2, "$m$")
    return ax
