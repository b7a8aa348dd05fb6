"""How the book's plots look, and the plots that several chapters draw."""
import itertools
import os
import statistics

import matplotlib.pyplot as plt
from cycler import cycler
from matplotlib_inline.backend_inline import set_matplotlib_formats

import fashion
from machine import budget

# Okabe and Ito's palette: told apart by readers with any colour vision.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# The book's ideas, in plots as in drawings.
PLAIN, NORMALIZE, ADD, CONCATENATE = "0.45", "#0072B2", "#E69F00", "#009E73"


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
        "figure.constrained_layout.use": True, "figure.figsize": (8, 3.2), "figure.dpi": 150,
        "font.size": 11, "grid.alpha": 0.3, "legend.frameon": False, "svg.hashsalt": "book",
        # Print shops want no Type 3 fonts; symbols look as in the formulas of the text.
        "pdf.fonttype": 42, "mathtext.fontset": "stix"})


def title(ax, text, source):
    """Title a plot of results; it says so when the data are not the real ones, or few."""
    marks = [f"{source}, not Fashion-MNIST"] * (source != fashion.REAL)
    marks += ["smoke budget"] * (budget() == "smoke")
    ax.set_title(f"{text}\n({'; '.join(marks)})" if marks else text)


def smooth(losses, window=20):
    """The mean of the last ``window`` losses at each step; of fewer at the start."""
    sums = [0.0, *itertools.accumulate(losses)]
    return [(sums[i] - sums[max(0, i - window)]) / min(i, window) for i in range(1, len(sums))]


def plot_band(ax, x, rows, label, **style):
    """The median of the rows as a line, their range as a band, as far as each row reaches."""
    there = [[row[i] for row in rows if len(row) > i] for i in range(max(map(len, rows)))]
    style["marker"] = style.get("marker", "o") if len(there) < 30 else None  # no blots
    [line] = ax.plot(x[:len(there)], list(map(statistics.median_low, there)), label=label,
                     **style)
    ax.fill_between(x[:len(there)], list(map(min, there)), list(map(max, there)),
                    color=line.get_color(), alpha=0.2, linewidth=0)


def plot_runs(runs, title_text, window=20, styles=None):
    """Training loss by step, a mean over ``window`` steps, and validation accuracy.

    ``runs`` maps a label to the Histories of its seeds; ``styles`` a label to matplotlib's
    keywords for its line. The line is the seeds' median, the band their range; a run that
    stopped early ends there.
    """
    fig, axes = plt.subplots(1, 2)
    for label, histories in runs.items():
        style = (styles or {}).get(label, {})
        losses = [smooth(history.loss, window) for history in histories]
        plot_band(axes[0], range(1, 1 + max(map(len, losses))), losses, label, **style)
        longest = max((history.curve for history in histories), key=len)
        plot_band(axes[1], [step for step, _, _ in longest],
                  [[accuracy for _, _, accuracy in history.curve] for history in histories],
                  label, **style)
    axes[0].set(xlabel="Step", ylabel="Training loss (nats)")
    axes[1].set(xlabel="Step", ylabel="Validation accuracy")
    for ax in axes:
        title(ax, title_text, next(iter(runs.values()))[0].source)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncol=3)
    return fig, axes
