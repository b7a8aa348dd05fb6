"""Normalize, Add, Concatenate.

The book's mark: a bell curve above a plus sign and three stacked bars.
"""
from math import exp

from figures.draw import BLUE, GREEN, ORANGE, canvas, line

STROKE = {"linewidth": 12, "capstyle": "round"}


def draw():
    """A square of 128 points; its strokes lie on the pixels of 32."""
    ax = canvas(128, 128)
    bell = [(64 + x, 74 + 44 * exp(-(x / 21) ** 2 / 2)) for x in range(-54, 55, 2)]
    line(ax, *bell, edgecolor=BLUE, **STROKE)
    line(ax, (10, 30), (50, 30), edgecolor=ORANGE, **STROKE)
    line(ax, (30, 10), (30, 50), edgecolor=ORANGE, **STROKE)
    for y, end in (10, 118), (30, 104), (50, 90):
        line(ax, (74, y), (end, y), edgecolor=GREEN, **STROKE)
    return ax
