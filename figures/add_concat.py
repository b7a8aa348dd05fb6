"""ResNet adds, DenseNet concatenates.

Two modules A and B, drawn twice. A strip below a module is its output, one cell a channel.
Left: the output of A and the output of B are added element by element, and the number of
channels stays as it was. Right: the two outputs are put side by side: in channels from A and
out channels from B, in + out together.
"""
from figures.draw import ADDED, JOINED, LINEAR, NEW, OLD, arrow, box, canvas, join, plus, strip


def modules(ax, x, out, name, gap):
    """A, its output, B, its output, and the way past B, up to the gap."""
    arrow(ax, (x, 296), (x, 278))
    box(ax, x, 263, 72, 30, "$A$", LINEAR)
    arrow(ax, (x, 248), (x, 231))
    strip(ax, x, 222, [OLD] * 4, r"$\mathrm{in}$")
    arrow(ax, (x, 213), (x, 178))
    box(ax, x, 163, 72, 30, "$B$", LINEAR)
    arrow(ax, (x, 148), (x, 131))
    strip(ax, x, 122, [NEW] * out, name)
    arrow(ax, (x, 113), (x, 88))
    arrow(ax, (x, 199), (x + 62, 199), (x + 62, 78), (x + gap, 78))


def draw():
    """Both ways to join the outputs."""
    ax = canvas(298)
    modules(ax, 104, 4, r"$\mathrm{in}$", 9)
    plus(ax, 104, 78)
    strip(ax, 104, 40, [ADDED] * 4, r"$\mathrm{in}$")
    modules(ax, 352, 2, r"$\mathrm{out}$", 18)
    join(ax, 352, 78)
    strip(ax, 352, 40, [OLD] * 4 + [JOINED] * 2, r"$\mathrm{in} + \mathrm{out}$")
    for x in 104, 352:
        arrow(ax, (x, 69), (x, 49))
        arrow(ax, (x, 31), (x, 8))
    return ax
