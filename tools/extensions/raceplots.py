"""The pictures of the page of results: a function each, rows of a race to a Figure and its alt.

Grey is plain and other people's, blue normalizes, orange adds, green concatenates, as everywhere.
"""
import statistics

from matplotlib.figure import Figure

from figures.draw import BLUE, GREEN, GREY, INK, ORANGE, WIDTH

FAMILIES = {"normalize": BLUE, "add": ORANGE, "concatenate": GREEN}
NARROW = 290  # points: a picture's width on a phone
ROW = 19  # points from one row to the next


def colour(network):
    """The colour of a network's idea."""
    return (GREEN if "Dense" in network else BLUE if "BN" in network
            else ORANGE if "Res" in network else GREY)


def panels(rows, columns=1, left=150, head=34, foot=44):
    """Axes beside each other, with one row of text for each of ``rows`` on their left."""
    height = head + foot + ROW * len(rows)
    fig = Figure(figsize=(WIDTH / 72, height / 72))
    wide = (WIDTH - left - 12 * columns) / columns
    axes = [fig.add_axes(((left + i * (wide + 12)) / WIDTH, foot / height, wide / WIDTH,
                          ROW * len(rows) / height)) for i in range(columns)]
    for ax in axes:
        ax.set(ylim=(len(rows) - 0.5, -0.5), yticks=range(len(rows)))
        ax.set_yticklabels(rows if ax is axes[0] else [""] * len(rows))
        ax.tick_params(length=0, labelsize=9, colors=INK)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.grid(axis="x", alpha=0.3)
        ax.set_axisbelow(True)
    return fig, axes


def dot(ax, row, value, shade, marker="o", text=""):
    """A number, or a spread with its range as a line; ``text`` beside it."""
    middle = end = value
    if isinstance(value, dict):
        middle, end = value["median"], value["high"]
        ax.plot([value["low"], value["high"]], [row, row], color=shade, linewidth=2, alpha=0.6)
    ax.plot([middle], [row], marker=marker, color=shade, markersize=6, markeredgecolor=INK,
            markeredgewidth=0.4, linestyle="none")
    if text:
        ax.annotate(text, (end, row), (7, 0), textcoords="offset points", va="center",
                    fontsize=8, color=INK)


def bar(ax, row, value, shade, text, height=0.62, shift=0.0):
    """A horizontal bar with its number behind it."""
    ax.barh(row + shift, value, height=height, color=shade, edgecolor=INK, linewidth=0.4)
    ax.annotate(text, (value, row + shift), (3, 0), textcoords="offset points", va="center",
                fontsize=8, color=INK)


def for_phone(fig):
    """Make a Figure of one panel narrow: the rows' names stand above them. Whether it is one."""
    if len(fig.axes) > 1:
        return False
    [ax] = fig.axes
    foot = 44
    rows = [label.get_text() for label in ax.get_yticklabels()]
    height = foot + 10 + 1.8 * ROW * len(rows)
    fig.set_size_inches(NARROW / 72, height / 72)
    ax.set_position((8 / NARROW, foot / height, 1 - 16 / NARROW, 1 - (foot + 10) / height))
    ax.set(yticks=[], ylim=(len(rows) - 0.65, -0.85))
    for number, row in enumerate(rows):
        ax.annotate(row, (0, number), (0, 8), xycoords=("axes fraction", "data"), fontsize=9,
                    textcoords="offset points", color=INK)
    return True


def short(value):
    """A number of three digits at most, as people write them."""
    return (f"{value / 1e6:.3g} M" if value >= 1e6 else f"{value / 1e3:.3g} k" if value >= 1e4
            else f"{value:.3g}")


def published(rows, ours):
    """Our networks among what others print.

    rows: those of ``benchmarks/published.json``; ours: network to test accuracies.
    """
    lines = []
    for family, shade in FAMILIES.items():
        lines += [(f"{network} (this book)", values, shade, "D") for network, values in
                  ours.items() if colour(network) == shade]
        lines += [(f"{row['source'].split(',')[0]}: {row['network'].split(',')[0]}",
                   row["accuracy"], GREY, "o") for row in rows if row["family"] == family]
    fig, [ax] = panels([line[0] for line in lines], left=205, head=10)
    for number, (_, values, shade, marker) in enumerate(lines):
        if len(values) > 1:
            ax.plot([min(values), max(values)], [number] * 2, color=shade, linewidth=2, alpha=0.6)
        for value in values if len(values) == 2 else [statistics.median(values)]:
            dot(ax, number, value, shade, marker)
        if min(values) < 0.78:
            ax.annotate(f"◂ from {min(values):.2f}", (0.781, number + 0.45), fontsize=7, color=INK)
    ax.set_xlabel("Test accuracy", fontsize=9)
    ax.set_xlim(0.78, 0.98)
    ax.set_xticks([0.8, 0.85, 0.9, 0.95])
    told = "; ".join(f"{network} {statistics.median(values):.3f}"
                     for network, values in ours.items())
    return fig, (f"Dot plot of test accuracies, 0.78 to 0.98. This book's medians: {told}. Grey, "
                 "around them: the published ones, from 0.59 for the lowest run of d2l's LeNet "
                 "with BN to 0.967 for a Wide ResNet. The table below has all of them.")


def d2l(rows):
    """How many times sooner the published accuracies are passed."""
    fig, [ax] = panels([f"{row['network'].removeprefix('d2l' + chr(39) + 's ')}, "
                        f"{row['accuracy']:.3f} ({row['source'].split(',')[0]})" for row in rows],
                       left=190, head=10)
    words = []
    for number, row in enumerate(rows):
        passed, ratio = row["passed"] == row["runs"], row["ratio"]["median"]
        words.append(f"{ratio:,.0f} times" if passed else "not passed by every run")
        bar(ax, number, ratio if passed else 1, colour(row["network"]), words[-1])
    ax.set_xscale("log")
    ax.minorticks_off()
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.set_xlim(1, 10 * max(row["ratio"]["median"] for row in rows))
    ax.set_xlabel("d2l's ten epochs over the book's seconds (log scale)", fontsize=9)
    told = ", ".join(f"{row['network']} to {row['accuracy']:.3f}: {word}"
                     for row, word in zip(rows, words))
    return fig, f"Bars, log scale: how many times longer d2l takes. {told}."


def epochs(rows):
    """Seconds of an epoch, a panel a network: equal terms in float32, and in the fastest."""
    names = list(dict.fromkeys(row["loop"] for row in rows))
    networks = list(dict.fromkeys(row["network"] for row in rows))
    fig, axes = panels(names, len(networks), left=120, foot=66)
    for ax, network in zip(axes, networks):
        for row in (row for row in rows if row["network"] == network):
            shade = colour(network) if row["loop"] == "lab" else GREY
            dot(ax, names.index(row["loop"]) + (0.2 if row["fast"] else -0.2), row["epoch, s"],
                shade, "D" if row["fast"] else "o")
        ax.set_title(network, fontsize=10)
        ax.set_xlim(0, 1.12 * max(row["epoch, s"]["high"] for row in rows
                                  if row["network"] == network))
        ax.set_xlabel("Seconds of an epoch", fontsize=9)
    for marker, text in (("o", "float32"), ("D", "bfloat16, channels last")):
        axes[0].plot([], [], marker=marker, color=GREY, linestyle="none", label=text)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="lower center", ncol=2,
               fontsize=8, frameon=False)

    def told(network):
        own = [row for row in rows if row["network"] == network]
        return (f"{network}, float32: " + ", ".join(
            f"{row['loop']} {row['epoch, s']['median']:.1f}" for row in own if not row["fast"])
            + "; faster precision: " + ", ".join(
            f"{row['loop']} {row['epoch, s']['median']:.1f}" for row in own if row["fast"]))

    return fig, f"Dot plot of the seconds of an epoch. {'. '.join(map(told, networks))}."


def limit(rows):
    """The step over the bare step, and the share of a matrix product's rate."""
    fig, axes = panels([row["network"] for row in rows], 2, left=90, foot=24)
    for number, row in enumerate(rows):
        shade = colour(row["network"])
        dot(axes[0], number, row["ratio"], shade, text=f"{row['ratio']['median']:.2f}")
        bar(axes[1], number, 100 * row["share"], shade, f"{row['share']:.0%}")
    axes[0].axvline(1, color=INK, linewidth=0.8)
    axes[0].set_xlim(min(0.95, 0.98 * min(row["ratio"]["low"] for row in rows)),
                     max(1.3, 1.05 * max(row["ratio"]["high"] for row in rows)))
    axes[1].set_xlim(0, 100)
    axes[0].set_title("Step over bare step", fontsize=10)
    axes[1].set_title("Per cent of a product's rate", fontsize=10)
    told = "; ".join(f"{row['network']} {row['ratio']['median']:.2f} and {row['share']:.0%}"
                     for row in rows)
    return fig, f"Two panels. The step over the bare step, and the share of the rate: {told}."


def terms(rows):
    """The bare step by precision, layout and compilation, against float32."""
    networks = list(dict.fromkeys(row["network"] for row in rows))
    names = list(dict.fromkeys(row["terms"] for row in rows))
    fig, axes = panels(names, len(networks), left=165)
    for row in rows:
        ax = axes[networks.index(row["network"])]
        bar(ax, names.index(row["terms"]), row["times faster"], colour(row["network"]),
            f"{row['times faster']:.1f}")
    for ax, network in zip(axes, networks):
        ax.set_title(network, fontsize=10)
        ax.set_xlim(0, 1.25 * max(row["times faster"] for row in rows))
        ax.set_xlabel("Times faster", fontsize=9)
    told = "; ".join(f"{row['network']}, {row['terms']}: {row['times faster']:.1f}"
                     for row in rows)
    return fig, f"Bars: how many times faster a bare step is than in float32. {told}."


def networks(rows):
    """Parameters, work, memory and seconds, a panel each, on log scales."""
    keys = {"parameters": "Parameters", "multiply-adds": "Multiply-adds",
            "kept memory, MiB": "Kept, MiB", "10,000 images, s": "Seconds"}
    fig, axes = panels([row["network"] for row in rows], len(keys), left=92, foot=10)
    for ax, (key, head) in zip(axes, keys.items()):
        for number, row in enumerate(rows):
            value = row[key]["median"] if isinstance(row[key], dict) else row[key]
            dot(ax, number, row[key], colour(row["network"]), text=short(value))
        ax.set_xscale("log")
        low, high = ax.get_xlim()
        ax.set_xlim(low / (high / low) ** 0.1, high * (high / low) ** 0.6)  # the numbers
        ax.set_xticks([])
        ax.minorticks_off()
        ax.set_title(head, fontsize=9)
        ax.tick_params(axis="x", labelsize=8)
    told = "; ".join(f"{row['network']} {row['parameters']:,}, {row['multiply-adds'] / 1e6:.1f} "
                     f"million, {row['kept memory, MiB']:.0f}, "
                     f"{row['10,000 images, s']['median']:.1f}" for row in rows)
    return fig, (f"Dots on log scales, a panel each for parameters, multiply-adds, MiB kept and "
                 f"seconds. {told}.")


def ablation(rows):
    """What each part of the recipe is worth, with two standard errors."""
    rows = [row for row in rows if row["change"] or row["standard error"]]
    fig, [ax] = panels([row["recipe"] for row in rows], left=170, head=10)
    for number, row in enumerate(rows):
        points, error = 100 * row["change"], 200 * (row["standard error"] or 0)
        dot(ax, number, {"median": points, "low": points - error, "high": points + error},
            ORANGE if abs(points) > error else GREY)
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set_xlabel("Change of the validation accuracy, points", fontsize=9)
    told = "; ".join(f"{row['recipe']} {100 * row['change']:+.2f}" for row in rows)
    return fig, f"Dots with two standard errors: points that the accuracy changes. {told}."


def finish(rows):
    """Seconds and test accuracy of each contestant."""
    fig, axes = panels([row["loop"] for row in rows], 2, left=120, foot=24)
    for number, row in enumerate(rows):
        shade = ORANGE if row["loop"] == "lab" else GREY
        dot(axes[0], number, row["training, s"], shade,
            text=f"{row['training, s']['median']:.0f}")
        dot(axes[1], number, row["test accuracy"], shade,
            text=f"{row['test accuracy']['median']:.4f}")
    axes[0].set_xlim(0, 1.15 * max(row["training, s"]["high"] for row in rows))
    axes[1].margins(x=0.35)
    axes[1].locator_params(axis="x", nbins=3)
    axes[0].set_title("Seconds", fontsize=10)
    axes[1].set_title("Test accuracy", fontsize=10)
    told = "; ".join(f"{row['loop']} {row['training, s']['median']:.0f} s, "
                     f"{row['test accuracy']['median']:.4f}" for row in rows)
    return fig, f"Two panels of dots: seconds and test accuracy of the same training. {told}."


PLOTS = {one.__name__: one for one in (d2l, epochs, finish, limit, terms, networks, ablation)}
