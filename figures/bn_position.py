"""Where batch normalization stands: before the activation function.

Top: a fully connected layer. The input u becomes x = W u + b, batch normalization with its
scale gamma and shift beta makes y of it, and the activation function phi comes last. Bottom: a
convolutional layer, with a convolution in the place of the product.
"""
from figures.draw import LINEAR, NORM, RELU, arrow, box, canvas, text

STOPS = [10, 80, 167, 254, 318, 372, 436]  # of what stands in a row
HALVES = [8, 38, 9, 32, 9, 22, 17]  # half the width of each
FILLS = {1: LINEAR, 3: NORM, 5: RELU}  # the boxes among them
NORMALIZE = "BN\n" + r"$\gamma,\ \beta$"


def row(ax, y, step, size):
    """One layer, from its input to its output; size is that of x."""
    labels = ["$u$", step, "$x$", NORMALIZE, "$y$", r"$\phi$", r"$\phi(y)$"]
    for i, label in enumerate(labels):
        if i in FILLS:
            box(ax, STOPS[i], y, 2 * HALVES[i], 44, label, FILLS[i])
        else:
            text(ax, STOPS[i], y, label)
        if i:
            arrow(ax, (STOPS[i - 1] + HALVES[i - 1] + 2, y), (STOPS[i] - HALVES[i] - 2, y))
    text(ax, STOPS[2], y - 20, size)


def draw():
    """Both kinds of layer, one above the other."""
    ax = canvas(124)
    row(ax, 97, "$Wu + b$", r"$m \times d$")
    row(ax, 31, "conv", r"$m \times c \times p \times q$")
    return ax
