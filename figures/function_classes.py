"""Function classes that are not nested, and function classes that are.

Left: four growing classes F1 to F4, none inside the next. The nearest point of F3 is closer to
the target f* than the nearest point of the larger F4. Right: four nested classes. Each contains
the one before, so the nearest point comes closer to the target from class to class and never
moves away.
"""
from math import cos, radians, sin

from matplotlib.patches import Circle

from figures.draw import GREY, INK, LINE, PEN, YELLOW, canvas, line, text, tint

# Of each class: radius, distance and direction from the target, and how far from the target
# its name stands.
APART = [(16, 58, 170, 74), (26, 36, 225, 62), (37, 19, 300, 56), (56, 42, 35, 98)]
NESTED = [(18, 78, 205, 96), (40, 56, 205, 125), (64, 36, 205, 150), (92, 16, 205, 182)]


def disc(ax, centre, radius, fill):
    """A filled circle."""
    ax.add_patch(Circle(centre, radius, facecolor=fill, **PEN))


def away(x, y, angle, length):
    """The point in this direction, in degrees, and at this distance from (x, y)."""
    return x + length * cos(radians(angle)), y + length * sin(radians(angle))


def panel(ax, x, y, classes):
    """The classes as discs around a target, the largest at the bottom."""
    for i, (radius, distance, angle, name) in reversed([*enumerate(classes)]):
        nearest = away(x, y, angle, distance)
        disc(ax, away(x, y, angle, distance + radius), radius, tint(GREY, 0.7 - 0.2 * i))
        line(ax, (x, y), nearest, linestyle=(0, (3, 2)), zorder=3)
        disc(ax, nearest, 2.5, INK)
        text(ax, *away(x, y, angle, name), f"$F_{i + 1}$")
    ax.plot(x, y, "*", markersize=17, markerfacecolor=YELLOW, markeredgecolor=INK,
            markeredgewidth=LINE, zorder=4)
    text(ax, x - 2, y + 19, "$f^*$")


def draw():
    """The two panels."""
    ax = canvas(208)
    panel(ax, 91, 90, APART)
    panel(ax, 438, 151, NESTED)
    return ax
