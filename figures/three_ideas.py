"""Normalize, add, concatenate.

The book's three ideas side by side. Left: three bell curves of different place and width
become three curves that lie on one another. Middle: x takes two ways, through f and past it,
and the results are added. Right: the same two ways, but the results are put side by side, so
there are more channels.
"""
from math import exp

from figures.draw import (
    ADDED,
    BLUE,
    GREY,
    JOINED,
    LINEAR,
    NEW,
    NORM,
    OLD,
    arrow,
    box,
    canvas,
    join,
    line,
    plus,
    shape,
    strip,
    text,
    tint,
)


def bell(ax, x, y, width, colour):
    """A bell curve of the same area, whatever its width."""
    points = [(x + t * width / 8, y + 300 / width * exp(-(t / 8) ** 2 / 2))
              for t in range(-24, 25)]
    shape(ax, points, tint(colour, 0.25), edgecolor=colour)


def normalized(ax, x):
    """Three channels before and after."""
    for shift, width in (-42, 7), (4, 15), (42, 9):
        bell(ax, x + shift, 200, width, GREY)
    arrow(ax, (x, 194), (x, 172))
    box(ax, x, 159, 84, 26, "$\\mu,\\ \\sigma$", NORM)
    arrow(ax, (x, 146), (x, 124))
    for shift in -3, 0, 3:
        bell(ax, x + shift, 82, 11, BLUE)
    for y in 200, 82:
        line(ax, (x - 71, y), (x + 71, y))


def two_ways(ax, x, out, gap):
    """x, the way through f, and the way past it up to the gap."""
    strip(ax, x, 232, [OLD] * 4)
    arrow(ax, (x, 223), (x, 200))
    box(ax, x, 187, 60, 26, "$f$", LINEAR)
    arrow(ax, (x, 174), (x, 160))
    strip(ax, x, 151, [NEW] * out)
    arrow(ax, (x, 142), (x, 125))
    arrow(ax, (x, 212), (x + 48, 212), (x + 48, 115), (x + gap, 115))
    arrow(ax, (x, 105), (x, 91))


def draw():
    """All three, each with its name and its formula."""
    ax = canvas(262)
    normalized(ax, 76)
    two_ways(ax, 226, 4, 9)
    plus(ax, 226, 115)
    strip(ax, 226, 82, [ADDED] * 4)
    two_ways(ax, 372, 2, 18)
    join(ax, 372, 115)
    strip(ax, 372, 82, [OLD] * 4 + [JOINED] * 2)
    for x, name, formula in ((76, "Normalize", r"$(x - \mu) / \sigma$"),
                             (226, "Add", "$x + f(x)$"),
                             (372, "Concatenate", "$[\\,x,\\ f(x)\\,]$")):
        text(ax, x, 44, name, weight="bold", fontsize=15)
        text(ax, x, 18, formula)
    return ax
