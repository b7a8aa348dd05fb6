"""Three residual blocks, and the eight paths through them.

Left: three blocks in a row, each adds its input to what it computes. Right: the same as eight
separate paths from the input to the output, sorted by how many blocks they pass: one passes
none, three pass one, three pass two, one passes all three. Their sum is the output.
"""
from itertools import combinations

from figures.draw import LINEAR, arrow, box, canvas, line, plus, text

ROWS = 190, 130, 70          # the middle of each block
TOP, BOTTOM = 236, 32
LEFT, SHORTCUT = 40, 42      # the column of the blocks, how far the shortcut is from it
FIRST, STEP = 178, 37        # the first path, from one to the next


def name(i):
    """The label of block i."""
    return f"$g_{i + 1}$"


def chain(ax):
    """The three blocks with their shortcuts."""
    text(ax, LEFT, TOP + 12, "$x_0$")
    above = TOP + 2
    for i, y in enumerate(ROWS):
        arrow(ax, (LEFT, above), (LEFT, y + 11))
        box(ax, LEFT, y, 40, 22, name(i), LINEAR)
        fork, total = y + 23, y - 25
        arrow(ax, (LEFT, fork), (LEFT + SHORTCUT, fork), (LEFT + SHORTCUT, total),
              (LEFT + 9, total))
        arrow(ax, (LEFT, y - 11), (LEFT, total + 9))
        plus(ax, LEFT, total)
        above = total - 9
    arrow(ax, (LEFT, above), (LEFT, BOTTOM - 12))
    text(ax, LEFT, BOTTOM - 21, "$x_3$")


def paths(ax):
    """All paths side by side, from one line to one sum."""
    columns = [taken for length in range(4) for taken in combinations(range(3), length)]
    ends = FIRST, FIRST + STEP * (len(columns) - 1)
    middle = sum(ends) / 2
    text(ax, middle, TOP + 12, "$x_0$")
    line(ax, (ends[0], TOP), (ends[1], TOP))
    for column, taken in enumerate(columns):
        x, above = FIRST + STEP * column, TOP
        for i in taken:
            arrow(ax, (x, above), (x, ROWS[i] + 11))
            box(ax, x, ROWS[i], 29, 22, name(i), LINEAR)
            above = ROWS[i] - 11
        line(ax, (x, above), (x, BOTTOM))
    for side in ends:
        arrow(ax, (side, BOTTOM), (middle + (9 if side > middle else -9), BOTTOM))
    plus(ax, middle, BOTTOM)
    text(ax, middle, BOTTOM - 21, "$x_3$")


def draw():
    """The blocks and their paths."""
    ax = canvas(258)
    chain(ax)
    text(ax, 126, 136, "=", fontsize=22)
    paths(ax)
    return ax
