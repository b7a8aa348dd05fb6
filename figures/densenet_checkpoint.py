"""What a dense block of three layers keeps for the backward pass, without and with checkpoints.

Left: each of the three layers keeps its own concatenation, x0, then x0 and x1, then x0, x1 and
x2, and each of these a second time, after normalization and ReLU. Right: with checkpoints the
outputs x0, x1 and x2 are kept once each.
"""
from figures.draw import GREEN, LINEAR, bar, canvas, text, tint

WIDTH, INPUT, GROWTH, LOW = 26, 56, 28, 44


def column(ax, x, blocks, hatch=None, first=0):
    """The outputs first to blocks, one above the other."""
    y = LOW
    for i in range(first, blocks + 1):
        height = GROWTH if i else INPUT
        fill = tint(GREEN, 0.25 + 0.15 * (i - 1)) if i else LINEAR
        bar(ax, x, y, WIDTH, height, fill, **({"hatch": hatch} if hatch else {}))
        if not hatch:
            text(ax, x + WIDTH / 2, y + height / 2, f"$x_{i}$", fontsize=12)
        y += height


def draw():
    """Six columns, and beside them the three outputs alone."""
    ax = canvas(184)
    for layer in range(3):
        x = 10 + layer * 92
        column(ax, x, layer)
        column(ax, x + WIDTH + 8, layer, hatch="////")
        text(ax, x + WIDTH + 4, LOW - 14, f"layer {layer + 1}", fontsize=11)
    text(ax, 136, 8, "read, and again after BN and ReLU", fontsize=12, va="bottom")
    for i in range(3):
        column(ax, 318 + i * (WIDTH + 16), i, first=i)
    text(ax, 374, 8, "with checkpoints", fontsize=12, va="bottom")
    return ax
