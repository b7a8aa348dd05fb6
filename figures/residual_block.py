"""A plain block, a residual block, and one whose shortcut has a convolution.

Left: a plain block; the layers in the dashed box must learn f(x) itself. Middle: a residual
block; a shortcut adds the input x to the output, so the layers learn only the difference
g(x) = f(x) - x. Right: where the number of channels changes, a 1x1 convolution on the shortcut
changes that of x. In all three, a ReLU comes last.
"""
from figures.draw import LINEAR, NORM, RELU, arrow, box, canvas, plus, text

LAYERS = ["conv 3×3", "BN", "ReLU", "conv 3×3", "BN"]
FILLS = {"conv 3×3": LINEAR, "BN": NORM, "ReLU": RELU}
TOP, STEP, WIDTH = 280, 36, 76  # the first layer, those below it
BOTTOM, SUM, LAST = TOP - 4 * STEP, 76, 38  # last layer, plus sign, ReLU


def layers(ax, x, learns):
    """The two convolutions, and below them what they learn together."""
    box(ax, x, (TOP + BOTTOM) / 2 - 9, WIDTH + 30, TOP - BOTTOM + 54,
        linestyle=(0, (4, 3)))
    for i, name in enumerate(LAYERS):
        y = TOP - i * STEP
        box(ax, x, y, WIDTH, 24, name, FILLS[name])
        if i:
            arrow(ax, (x, y + STEP - 12), (x, y + 12))
    text(ax, x, BOTTOM - 24, learns)


def block(ax, x, learns, shortcut=None):
    """One block; shortcut is how far to the right the input passes by."""
    text(ax, x, 332, "$x$")
    arrow(ax, (x, 323), (x, TOP + 12))
    layers(ax, x, learns)
    arrow(ax, (x, BOTTOM - 36), (x, SUM + 9 if shortcut else LAST + 12))
    if shortcut:
        arrow(ax, (x, 313), (x + shortcut, 313), (x + shortcut, SUM), (x + 9, SUM))
        plus(ax, x, SUM)
        arrow(ax, (x, SUM - 9), (x, LAST + 12))
    box(ax, x, LAST, WIDTH, 24, "ReLU", RELU)
    arrow(ax, (x, LAST - 12), (x, 4))


def draw():
    """The three blocks, from the input on top to the output."""
    ax = canvas(342)
    block(ax, 55, "$f(x)$")
    block(ax, 181, "$g(x)=f(x)-x$", 65)
    block(ax, 322, "$g(x)$", 95)
    box(ax, 417, (TOP + BOTTOM) / 2, 70, 24, "conv 1×1", LINEAR)
    return ax
