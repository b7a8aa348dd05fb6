"""A residual block that activates last, and one that activates first.

Left: the block of the first residual networks; the ReLU behind the sum is also on the shortcut's
way. Right: the pre-activation block; normalization and ReLU stand in front of each convolution,
and from block to block x passes through additions alone.
"""
from figures.draw import LINEAR, NORM, RELU, arrow, box, canvas, plus, text

FILLS = {"conv 3×3": LINEAR, "BN": NORM, "ReLU": RELU}
TOP, STEP, WIDTH, ASIDE = 278, 34, 76, 62  # the first layer, those below it, the shortcut


def block(ax, x, title, layers, last=()):
    """The layers of g(x), the sum, and what comes behind it."""
    text(ax, x, 344, title)
    text(ax, x, 324, "$x$")
    arrow(ax, (x, 315), (x, TOP + 12))
    for i, name in enumerate(layers):
        y = TOP - i * STEP
        box(ax, x, y, WIDTH, 24, name, FILLS[name])
        if i:
            arrow(ax, (x, y + STEP - 12), (x, y + 12))
    bottom, total = TOP - (len(layers) - 1) * STEP - 12, 70
    arrow(ax, (x, bottom), (x, total + 9))
    arrow(ax, (x, 306), (x + ASIDE, 306), (x + ASIDE, total), (x + 9, total))
    plus(ax, x, total)
    for name in last:
        arrow(ax, (x, total - 9), (x, 48))
        box(ax, x, 36, WIDTH, 24, name, FILLS[name])
    arrow(ax, (x, 24 if last else total - 9), (x, 2))


def draw():
    """Both blocks, from the input on top to the output."""
    ax = canvas(354)
    block(ax, 130, "activation last", ["conv 3×3", "BN", "ReLU", "conv 3×3", "BN"], ["ReLU"])
    block(ax, 330, "activation first",
          ["BN", "ReLU", "conv 3×3", "BN", "ReLU", "conv 3×3"])
    return ax
