"""The transition layer at a pixel.

Left, a grid of four by four pixels, one square of two by two marked. At each of its four
pixels stands a column of channels; the same matrix W shortens each of them. The mean of the
four short columns is the column of one pixel of the output, a grid of two by two, right.
"""
from figures.draw import CONCAT, GREEN, LINEAR, POOL, arrow, bar, box, canvas, text, tint

PIXEL, CHANNEL = 20, 11


def pixels(ax, x, y, side, marked):
    """A grid of side x side pixels; the marked ones, counted from the top left, are filled."""
    for row in range(side):
        for column in range(side):
            fill = tint(GREEN, 0.5) if (row, column) in marked else "none"
            bar(ax, x + column * PIXEL, y + (side - 1 - row) * PIXEL, PIXEL, PIXEL, fill)


def channels(ax, x, y, number, fill):
    """A column of so many channels, centred on the height y."""
    for i in range(number):
        bar(ax, x, y - number * CHANNEL / 2 + i * CHANNEL, CHANNEL, CHANNEL, fill)


def draw():
    """Pixels, their columns, the matrix, the mean, the pixel of the output."""
    ax, middle = canvas(216), 118
    pixels(ax, 4, middle - 40, 4, {(0, 0), (0, 1), (1, 0), (1, 1)})
    text(ax, 44, middle - 62, r"$c \times h \times w$", fontsize=11)
    for i, y in enumerate((middle + 72, middle + 24, middle - 24, middle - 72)):
        arrow(ax, (86, middle + 20), (124, y))
        channels(ax, 128, y, 4, LINEAR)
        arrow(ax, (143, y), (164, y))
        box(ax, 186, y, 40, 24, "$W$", CONCAT)
        arrow(ax, (207, y), (230, y))
        channels(ax, 234, y, 2, tint(GREEN, 0.5))
        arrow(ax, (249, y), (284, middle + (1.5 - i) * 8))
    text(ax, 133, 12, "$c$", fontsize=11)
    text(ax, 186, 12, "the same $W$", fontsize=11)
    text(ax, 240, 12, "$c'$", fontsize=11)
    box(ax, 308, middle, 46, 44, "mean", POOL)
    arrow(ax, (332, middle), (352, middle))
    channels(ax, 356, middle, 2, tint(GREEN, 0.5))
    arrow(ax, (371, middle), (400, middle + 8))
    pixels(ax, 404, middle - 20, 2, {(0, 0)})
    text(ax, 410, middle - 42, r"$c' \times h/2 \times w/2$", fontsize=11, ha="center")
    return ax
