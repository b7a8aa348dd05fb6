"""What two processes send each other in a step with synchronized batch normalization.

Two processes side by side, and between them three messages that go both ways. Forward, for each
layer: count, mean and M of the own part, after which both know the mean and variance of all.
Backward, for each layer: two sums, of g and of g times x hat. Once a step: the gradients of all
weights, which are averaged.
"""
from figures.draw import GREY, NORM, WIDTH, arrow, box, canvas, text, tint

LEFT, MIDDLE, RIGHT = 62, WIDTH / 2, WIDTH - 62
HEAD, FORWARD, BACKWARD, STEP = 216, 168, 100, 32
WIRE = tint(GREY, 0.35)


def process(ax, x, number):
    """A process: what it does on its way through a step."""
    box(ax, x, (HEAD + STEP) / 2 - 2, 122, HEAD - STEP + 44)
    text(ax, x, HEAD, f"process {number}", fontweight="bold", fontsize=11)
    for y, label in ((FORWARD, "forward"), (BACKWARD, "backward"), (STEP, "update")):
        text(ax, x, y, label)
    for top, bottom in ((HEAD - 14, FORWARD), (FORWARD, BACKWARD), (BACKWARD, STEP)):
        arrow(ax, (x, top - (top < HEAD - 14) * 12), (x, bottom + 12))


def message(ax, y, label, when, fill):
    """What goes both ways, and how often."""
    for x in (LEFT + 61, RIGHT - 61):
        arrow(ax, (x, y), (MIDDLE + (70 if x > MIDDLE else -70), y), style="<|-|>")
    box(ax, MIDDLE, y, 140, 30, label, fill)
    text(ax, MIDDLE, y - 26, when, fontsize=10)


def draw():
    """The processes left and right, the messages between them in the order of a step."""
    ax = canvas(244)
    process(ax, LEFT, 1)
    process(ax, RIGHT, 2)
    message(ax, FORWARD, r"$n_r,\ \mu_r,\ M_r$", "each layer: merge", NORM)
    message(ax, BACKWARD, r"$\sum g,\ \sum g\,\hat{x}$", "each layer: add", NORM)
    message(ax, STEP, "all gradients", "once: average", WIRE)
    return ax
