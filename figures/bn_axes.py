"""Which elements share one mean and one variance.

Left: the activations of a fully connected layer, m rows by d columns; the m elements of one
column share their statistics. Right: the activations of a convolutional layer, m examples of
c channels of p by q elements; the m p q elements of one channel, in all examples, share their
statistics.
"""
from figures.draw import NORM, PLAIN, THIN, arrow, bar, box, canvas, shape, span, text

ROWS, COLUMNS, CHOSEN = 4, 4, 1  # m, d or c, and the highlighted one
BOTTOM, PITCH = 76, 50  # of the rows
TOP = BOTTOM + ROWS * PITCH


def matrix(ax, left, width=36):
    """The m by d elements of a fully connected layer."""
    for column in range(COLUMNS):
        fill = NORM if column == CHOSEN else PLAIN
        for row in range(ROWS):
            bar(ax, left + width * column, BOTTOM + PITCH * row, width, PITCH, fill,
                linewidth=THIN)
    bar(ax, left + width * CHOSEN, BOTTOM, width, TOP - BOTTOM)


def plane(ax, x, y, chosen, p=3, q=3):
    """One channel of one example: p by q elements, seen from the side."""
    def cell(x, y, n, fill=PLAIN, **options):
        shape(ax, [(x, y), (x + 12 * n, y + 4 * n), (x + 12 * n, y + 14 * n), (x, y + 10 * n)],
              fill, **options)

    for i in range(p):
        for j in range(q):
            cell(x + 12 * j, y + 10 * i + 4 * j, 1, NORM if chosen else PLAIN, linewidth=THIN)
    if chosen:
        cell(x, y, p)


def stacks(ax, left, pitch=50):
    """The m by c by p by q elements of a convolutional layer."""
    for row in range(ROWS):
        for column in range(COLUMNS):
            plane(ax, left + pitch * column, BOTTOM + PITCH * row + 4, column == CHOSEN)
    x, y = left + pitch * (COLUMNS - 1), BOTTOM + 4
    span(ax, (x + 43, y + 12), (x + 43, y + 42))
    text(ax, x + 54, y + 26, "$p$")
    span(ax, (x, y - 7), (x + 36, y + 5))
    text(ax, x + 22, y - 14, "$q$")


def axes(ax, left, right, name):
    """The two axes that both layers have, with their lengths."""
    span(ax, (left, TOP + 9), (right, TOP + 9))
    text(ax, (left + right) / 2, TOP + 21, name)
    span(ax, (left - 11, BOTTOM), (left - 11, TOP))
    text(ax, left - 23, (BOTTOM + TOP) / 2, "$m$")


def statistics(ax, x, index, size):
    """What the highlighted elements share: two statistics of so many elements."""
    arrow(ax, (x, BOTTOM - 5), (x, 44))
    box(ax, x + 10, 23, 138, 42,
        rf"$\mu_{index} = \dfrac{{1}}{{{size}}}\,\sum x,\ \ \sigma_{index}^2$", NORM)


def draw():
    """Both kinds of layer, side by side."""
    ax = canvas(306)
    matrix(ax, 38)
    axes(ax, 38, 182, "$d$")
    statistics(ax, 92, "B", "m")
    stacks(ax, 240)
    axes(ax, 240, 426, "$c$")
    statistics(ax, 308, "k", r"m\,p\,q")
    return ax
