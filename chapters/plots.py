"""How the book's plots look, and the plots that several chapters draw."""
import os
import statistics

import matplotlib.pyplot as plt
from cycler import cycler
from matplotlib_inline.backend_inline import set_matplotlib_formats

import fashion
from machine import budget

# Okabe and Ito's palette: told apart by readers with any colour vision.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
WORDS = {"train_loss": "Training loss (nats)", "val_loss": "Validation loss (nats)",
         "train_accuracy": "Training accuracy", "val_accuracy": "Validation accuracy"}


def style():
    """Plots as SVG (site), PDF (print), PNG (notebooks), whatever the reader's own settings."""
    os.environ.setdefault("SOURCE_DATE_EPOCH", "0")  # equal pictures, equal bytes
    backend = plt.get_backend()
    plt.rcdefaults()
    plt.switch_backend(backend)
    set_matplotlib_formats("svg", "pdf", "png")  # JupyterLab shows new readers the PNG only
    plt.rcParams.update({
        "axes.grid": True, "axes.prop_cycle": cycler(color=COLORS),
        "axes.spines.right": False, "axes.spines.top": False,
        "figure.constrained_layout.use": True, "figure.figsize": (8, 3.2),
        "font.size": 11, "grid.alpha": 0.3, "legend.frameon": False, "svg.hashsalt": "book"})


def title(ax, text, source):
    """Title a plot of results; it says so when the data are not the real ones, or few."""
    marks = [f"{source}, not Fashion-MNIST"] * (source != fashion.REAL)
    marks += ["smoke budget"] * (budget() == "smoke")
    ax.set_title(f"{text}\n({'; '.join(marks)})" if marks else text)


def plot_runs(runs, title_text, keys=("train_loss", "val_accuracy")):
    """Curves by epoch; ``runs`` maps a label to the Histories of its seeds.

    The line is their median, the band their range, at each epoch over the seeds that reached
    it; one that stopped early ends there.
    """
    fig, axes = plt.subplots(1, len(keys), squeeze=False)
    for ax, key in zip(axes[0], keys):
        for label, histories in runs.items():
            rows = [getattr(history, key) for history in histories]
            there = [[row[epoch] for row in rows if len(row) > epoch]
                     for epoch in range(max(map(len, rows), default=0))]
            epochs = range(1, len(there) + 1)
            ax.plot(epochs, list(map(statistics.median_low, there)), marker="o", label=label)
            ax.fill_between(epochs, list(map(min, there)), list(map(max, there)), alpha=0.2)
        ax.set(xlabel="Epoch", ylabel=WORDS[key])
        ax.xaxis.get_major_locator().set_params(integer=True)
        title(ax, title_text, next(iter(runs.values()))[0].source)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncol=3)
    return fig, axes[0]
