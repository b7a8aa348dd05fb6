"""All connections of a dense block of five layers.

The input x0 and five layers stand in a row. From each output an arc leads to every later
layer: 15 arcs. Below each layer stands the number of outputs that it reads, 1 to 5.
"""
from matplotlib.patches import FancyArrowPatch

from figures.draw import GREEN, INK, LINEAR, box, canvas, text, tint

LAYERS, LEFT, PITCH, LOW = 5, 34, 77, 66
SIDE = 30


def arc(ax, start, end):
    """An arc from an output to a later layer, higher for a longer way."""
    x, y = LEFT + start * PITCH + 5, LEFT + end * PITCH - 5
    ax.add_patch(FancyArrowPatch(
        (x, LOW + SIDE / 2 + 1), (y, LOW + SIDE / 2 + 1), arrowstyle="-|>", mutation_scale=8,
        connectionstyle=f"arc3,rad={-0.42 if end - start > 1 else -0.5}", facecolor=INK,
        edgecolor=INK, linewidth=1, shrinkA=0, shrinkB=0))


def draw():
    """The row, its arcs, and the count below."""
    ax = canvas(190)
    for end in range(1, LAYERS + 1):
        for start in range(end):
            arc(ax, start, end)
    for i in range(LAYERS + 1):
        x = LEFT + i * PITCH
        box(ax, x, LOW, SIDE, SIDE, f"$x_{i}$", tint(GREEN, 0.15 + 0.1 * i) if i else LINEAR)
        text(ax, x, LOW - 32, f"layer {i}" if i else "input", fontsize=11)
        text(ax, x, LOW - 52, f"reads {i}" if i else "", fontsize=11)
    return ax
