"""Batch normalization's two paths of data: training and prediction.

Above, training: x goes to the mean and variance of its own batch and to the standardization,
which uses them; gamma and beta make y of the result. A dashed arrow leads from the batch's
statistics to a record, the moving mean and variance. Below, prediction: x goes straight to the
standardization, which uses the record.
"""
from figures.draw import GREY, NORM, arrow, box, canvas, text, tint

X, STATISTICS, STANDARDIZE, AFFINE, Y = 72, 162, 282, 374, 440
TRAIN, BATCH, MOVING, EVAL = 182, 128, 72, 18


def path(ax, y, name):
    """From x to y, with the name of the mode in front."""
    text(ax, 0, y + 16, name, ha="left", fontweight="bold", fontsize=11)
    text(ax, X, y, "$x$")
    arrow(ax, (X + 10, y), (STANDARDIZE - 46, y))
    box(ax, STANDARDIZE, y, 92, 30, "standardize", NORM)
    arrow(ax, (STANDARDIZE + 46, y), (AFFINE - 26, y))
    box(ax, AFFINE, y, 52, 30, r"$\gamma,\ \beta$", NORM)
    arrow(ax, (AFFINE + 26, y), (Y - 10, y))
    text(ax, Y, y, "$y$")


def draw():
    """Training above, prediction below, the record between them."""
    ax = canvas(218)
    path(ax, TRAIN, "training")
    path(ax, EVAL, "prediction")
    box(ax, STATISTICS, BATCH, 124, 30, r"batch: $\mu_B,\ \sigma_B^2$", NORM)
    box(ax, STATISTICS, MOVING, 124, 30, "moving average", tint(GREY, 0.35))
    arrow(ax, (X + 16, TRAIN), (X + 16, BATCH), (STATISTICS - 62, BATCH))
    arrow(ax, (STATISTICS + 62, BATCH), (STANDARDIZE, BATCH), (STANDARDIZE, TRAIN - 15))
    arrow(ax, (STATISTICS, BATCH - 15), (STATISTICS, MOVING + 15), linestyle=(0, (4, 3)))
    arrow(ax, (STATISTICS + 62, MOVING), (STANDARDIZE, MOVING), (STANDARDIZE, EVAL + 15))
    text(ax, STATISTICS + 10, (BATCH + MOVING) / 2, "noted after each batch", ha="left",
         fontsize=10)
    return ax
