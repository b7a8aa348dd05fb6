"""ResNet adds, DenseNet concatenates.

Two modules A and B, drawn twice. A strip below a module is its output, one
cell a channel. Left: the output of A and the output of B are added element by
element, and the number of channels stays as it was. Right: the two outputs
are put side by side: in channels from A and out channels from B, in + out
together.
"""
from draw import CONCAT, LINEAR, ORANGE, SKY
from draw import arrow, bar, box, canvas, plus, shape, text, tint

CELL = 18
A, B = {"fill": tint(SKY, 0.5)}, {"fill": tint(ORANGE, 0.5), "hatch": "////"}


def strip(ax, x, y, fills, label):
    """Channels side by side around x, and their number on the left."""
    left = x - len(fills) * CELL / 2
    for i, fill in enumerate(fills):
        bar(ax, left + i * CELL, y - CELL / 2, CELL, CELL, **fill)
    text(ax, left - 8, y, label, ha="right")


def halves(ax, x, y, count):
    """Paint A over one half of each cell of a strip of B."""
    for i in range(count):
        left, low = x + (i - count / 2) * CELL, y - CELL / 2
        shape(ax, [(left, low), (left, low + CELL), (left + CELL, low + CELL)],
              **A)


def modules(ax, x, out, name, gap):
    """A, its output, B, its output, and the way past B, up to the gap."""
    arrow(ax, (x, 296), (x, 278))
    box(ax, x, 263, 72, 30, "$A$", LINEAR)
    arrow(ax, (x, 248), (x, 231))
    strip(ax, x, 222, [A] * 4, r"$\mathrm{in}$")
    arrow(ax, (x, 213), (x, 178))
    box(ax, x, 163, 72, 30, "$B$", LINEAR)
    arrow(ax, (x, 148), (x, 131))
    strip(ax, x, 122, [B] * out, name)
    arrow(ax, (x, 113), (x, 88))
    arrow(ax, (x, 199), (x + 62, 199), (x + 62, 78), (x + gap, 78))


def draw():
    """Both ways to join the outputs."""
    ax = canvas(298)
    modules(ax, 104, 4, r"$\mathrm{in}$", 9)
    plus(ax, 104, 78)
    strip(ax, 104, 40, [B] * 4, r"$\mathrm{in}$")
    halves(ax, 104, 40, 4)
    modules(ax, 352, 2, r"$\mathrm{out}$", 18)
    box(ax, 352, 78, 36, 20, "[ , ]", CONCAT)
    strip(ax, 352, 40, [A] * 4 + [B] * 2, r"$\mathrm{in} + \mathrm{out}$")
    for x in 104, 352:
        arrow(ax, (x, 69), (x, 49))
        arrow(ax, (x, 31), (x, 8))
    return ax
