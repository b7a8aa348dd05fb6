"""The graph of the standardization: three paths from x to x hat.

Path 1 leads from x straight to the difference of x and the mean, path 2 to that difference
through the mean, path 3 through the variance and its root s to the division. The difference,
divided by s, is x hat.
"""
from figures.draw import GREY, NORM, arrow, box, canvas, text, tint

FORK, MEAN, ROOT, MINUS, DIVIDE = 40, 132, 236, 268, 372
TOP, MIDDLE, BOTTOM = 142, 82, 22
STATISTIC = tint(GREY, 0.35)


def number(ax, x, y, label, derivative):
    """Which path it is, and what it is worth."""
    text(ax, x, y + 13, f"{label}", fontweight="bold", fontsize=11)
    text(ax, x + 12, y + 13, derivative, fontsize=10, ha="left")


def draw():
    """x on the left, the statistics below, x hat on the right."""
    ax = canvas(166)
    text(ax, 12, TOP, "$x$")
    arrow(ax, (22, TOP), (MINUS - 20, TOP))
    arrow(ax, (FORK, TOP), (FORK, MIDDLE), (MEAN - 24, MIDDLE))
    arrow(ax, (FORK, MIDDLE), (FORK, BOTTOM), (MEAN - 24, BOTTOM))
    box(ax, MEAN, MIDDLE, 48, 28, r"$\mu_B$", STATISTIC)
    box(ax, MEAN, BOTTOM, 48, 28, r"$\sigma_B^2$", STATISTIC)
    arrow(ax, (MEAN + 24, MIDDLE), (MINUS, MIDDLE), (MINUS, TOP - 14))
    box(ax, MINUS, TOP, 40, 28, "−", NORM)
    arrow(ax, (MEAN + 24, BOTTOM), (ROOT - 24, BOTTOM))
    box(ax, ROOT, BOTTOM, 48, 28, "$s$", STATISTIC)
    arrow(ax, (ROOT + 24, BOTTOM), (DIVIDE, BOTTOM), (DIVIDE, TOP - 14))
    arrow(ax, (MINUS + 20, TOP), (DIVIDE - 20, TOP))
    text(ax, (MINUS + DIVIDE) / 2, TOP + 13, r"$x-\mu_B$", fontsize=11)
    box(ax, DIVIDE, TOP, 40, 28, "÷", NORM)
    arrow(ax, (DIVIDE + 20, TOP), (424, TOP))
    text(ax, 438, TOP, r"$\hat{x}$")
    number(ax, 120, TOP, "1", "direct")
    number(ax, 58, MIDDLE, "2", "$1/m$")
    number(ax, 276, BOTTOM, "3", r"$\hat{x}/m$")
    return ax
