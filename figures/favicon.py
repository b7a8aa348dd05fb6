"""Normalize, Add, Concatenate.

The book's mark for a browser tab: a bell above a plus sign and three stacked bars, thick
enough for 16 pixels.
"""
from math import exp

from figures.draw import BLUE, GREEN, ORANGE, bar, canvas, shape


def draw():
    """A square of 16 points, on the grid of its pixels."""
    ax = canvas(16, 16)
    bell = [(x / 4, 9 + 7 * exp(-((x / 4 - 8) / 2.7) ** 2 / 2)) for x in range(65)]
    shape(ax, bell, BLUE, linewidth=0)
    bar(ax, 0, 3, 8, 2, ORANGE, linewidth=0)
    bar(ax, 3, 0, 2, 8, ORANGE, linewidth=0)
    for y, length in (0, 7), (3, 5), (6, 3):
        bar(ax, 9, y, length, 2, GREEN, linewidth=0)
    return ax
