"""A dense block of three convolution blocks.

A column is what one convolution block sees: the input x0 with in channels and the outputs of
all earlier blocks, g channels each. Each block's output joins the column to its right, so the
channels grow from in to in + g, in + 2g and in + 3g.
"""
from figures.draw import GREEN, LINEAR, arrow, bar, box, canvas, line, text, tint

BLOCKS, LOW, INPUT, GROWTH = 3, 30, 72, 34  # heights of x0, of x1, x2, ...
COLUMN, PITCH = 32, 136  # width, from column to column
STEP = "BN\nReLU\nconv 3×3"


def column(ax, x, blocks):
    """The input, and above it the outputs of so many blocks."""
    bar(ax, x, LOW, COLUMN, INPUT, LINEAR)
    text(ax, x + COLUMN / 2, LOW + INPUT / 2, "$x_0$")
    for i in range(blocks):
        y = LOW + INPUT + i * GROWTH
        bar(ax, x, y, COLUMN, GROWTH, tint(GREEN, 0.25 + 0.15 * i))
        text(ax, x + COLUMN / 2, y + GROWTH / 2, f"$x_{i + 1}$")
    extra = ["", " + g", " + 2g", " + 3g"][blocks]
    text(ax, x + COLUMN / 2, LOW - 20, rf"$\mathrm{{in}}{extra}$", va="baseline")


def step(ax, x, blocks):
    """The whole column goes on, and into a block that adds to it."""
    x, after, top = x + COLUMN, x + PITCH, LOW + INPUT + blocks * GROWTH
    line(ax, (x + 2, LOW), (x + 5, LOW), (x + 5, top), (x + 2, top))
    arrow(ax, (x + 5, LOW + 16), (after, LOW + 16))
    arrow(ax, (x + 5, top - 12), (x + 18, top - 12))
    box(ax, x + 54, top, 72, 56, STEP, LINEAR)
    arrow(ax, (x + 90, top + 16), (after, top + 16))


def draw():
    """The columns, and what is between them."""
    ax = canvas(210)
    for i in range(BLOCKS + 1):
        column(ax, 5 + i * PITCH, i)
    for i in range(BLOCKS):
        step(ax, 5 + i * PITCH, i)
    return ax
