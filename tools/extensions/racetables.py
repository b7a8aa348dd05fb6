"""The tables of the page of results: a function each, rows of a race to tables.

A table is a list of rows, each a dict of at most five columns, head to cell; a cell is words, a
number, or a spread (median, low, high). Keys of the races' rows that a picture alone needs are
left out here.
"""


def percent(share):
    """A share in words."""
    return f"{share:.0%}"


def times(ratio):
    """A ratio in words: below 1 it is no accuracy, which has four digits."""
    return f"{ratio:.2f}"


def epochs(rows):
    """A table for each network and terms; memory in float32, before any other training."""
    tables = {}
    for row in rows:
        terms = "bfloat16, channels last" if row["fast"] else "float32"
        head = f"{row['network']}, {terms}, {row['images']:,} images"
        line = {head: row["loop"], "epoch, s": row["epoch, s"],
                "images/s": round(row["images/s"])}
        if not row["fast"]:
            line |= {"memory, MiB": round(row["memory, MiB"]), "lines": row["lines"]}
        tables.setdefault(head, []).append(line)
    return list(tables.values())


def d2l(rows):
    """One table."""
    return [[{"d2l's network, test accuracy":
              f"{row['network']}, {row['accuracy']:.3f} ({row['source']})",
              "d2l, s": row["d2l, s"], "book, s": row["book, s"], "times sooner": row["ratio"],
              "runs that pass": f"{row['passed']} of {row['runs']}"} for row in rows]]


def finish(rows):
    """One table."""
    return [[{"loop": row["loop"], "epochs": row["epochs"], "training, s": row["training, s"],
              "test accuracy": row["test accuracy"]} for row in rows]]


def reach(epoch_rows, learning_rows, goals=(0.90, 0.93), minutes=(1, 5)):
    """Seconds of each loop to an accuracy, and its accuracy after minutes.

    From the seconds of its epoch of ResNet-20 at its fastest and the test accuracy by epochs;
    an accuracy is taken at the longest schedule that fits.
    """
    fastest = {row["loop"]: row["epoch, s"]["median"] for row in epoch_rows
               if row["network"] == "ResNet-20"}  # the fast rows stand behind the others
    table = []
    for loop, seconds in fastest.items():
        line: dict = {"loop": loop}
        for goal in goals:
            needed = [row["epochs"] for row in learning_rows if row["test accuracy"] > goal]
            line[f"s to {goal:.2f}"] = round(seconds * min(needed)) if needed else None
        for number in minutes:
            done = [row["test accuracy"] for row in learning_rows
                    if row["epochs"] * seconds <= 60 * number]
            line[f"after {number} min"] = max(done) if done else None
        table.append(line)
    return [table]


def limit(rows):
    """The steps, and the rates."""
    return [[{"network": row["network"], "steps": row["steps"], "step, ms": row["step, ms"],
              "bare step, ms": row["bare step, ms"], "ratio": row["ratio"]} for row in rows],
            [{"network": row["network"], "precision": row["precision"],
              "GFLOP/s": round(row["GFLOP/s"]),
              "matrix product, GFLOP/s": round(row["matrix product, GFLOP/s"]),
              "share": percent(row["share"])} for row in rows]]


def terms(rows):
    """A table for each network."""
    tables = {}
    for row in rows:
        tables.setdefault(row["network"], []).append(
            {row["network"]: row["terms"], "step, ms": row["step, ms"],
             "times faster": times(row["times faster"]), "compiling, s": row.get("compiling, s"),
             "paid back after epochs": row.get("paid back after epochs")})
    return list(tables.values())


def networks(rows):
    """One table."""
    return [[{"network": row["network"], "parameters": row["parameters"],
              "multiply-adds": row["multiply-adds"],
              "kept, MiB": round(row["kept memory, MiB"]),
              "10,000 images, s": row["10,000 images, s"]} for row in rows]]


def scratch(rows):
    """One table."""
    return [[row | {"times nn.BatchNorm2d": times(row["times nn.BatchNorm2d"])} for row in rows]]


def best(rows):
    """One table."""
    return [[{"seed": str(row["seed"]), "epochs": row["epochs"],
              "training, s": round(row["training, s"]), "test accuracy": row["test accuracy"],
              "by ten views": row["by ten views"]} for row in rows]]


def ablation(rows):
    """One table."""
    return [[{"recipe": row["recipe"], "validation accuracy": row["validation accuracy"],
              "change": f"{row['change']:+.4f}".replace("-", "−"),
              "standard error": row["standard error"]} for row in rows]]


def profile(rows):
    """One table, in per cent."""
    return [[{key: percent(value) if isinstance(value, float) else value
              for key, value in row.items()} for row in rows]]


TABLES = {one.__name__: one for one in (epochs, d2l, finish, limit, terms, networks, scratch,
                                        best, ablation, profile)}
