"""What the chapters share, under one name: the device, data, training loop, checks and plots.

A chapter's own subject (batch norm, residual and dense blocks) is never here.
``BUDGET=smoke|slow|cpu|t4|gpu`` says how much to train; by default what the device can do.
"""
from machine import (
    VERSION,
    budget,
    compute_dtype,
    device,
    device_name,
    exact_float32,
    fast_dtype,
    pick,
)

# isort: split
# The rest loads torch, and machine settles before how its threads wait.
from images import Data, fashion_mnist
from plots import (
    ADD,
    COLORS,
    CONCATENATE,
    NORMALIZE,
    PLAIN,
    plot_band,
    plot_runs,
    smooth,
    style,
    title,
)
from processes import ProcessError, run_processes
from report import (
    FACTS,
    Progress,
    Record,
    check_equal,
    claim,
    per_seed,
    run_facts,
    say,
    table,
    your_turn,
)
from training import History, evaluate, predict, train

__all__ = ["ADD", "COLORS", "CONCATENATE", "FACTS", "NORMALIZE", "PLAIN", "Data", "History",
           "ProcessError", "Progress", "Record", "budget", "check_equal", "claim", "compute_dtype",
           "device", "device_name", "evaluate", "fashion_mnist", "fast_dtype", "per_seed",
           "pick", "plot_band", "plot_runs", "predict", "run_facts", "run_processes", "say",
           "setup", "smooth", "table", "title", "train", "your_turn"]


def setup(minutes=None, epochs=None):
    """The look of plots; exact float32; prints the plan of this run.

    minutes: about how long the chapter takes at this budget; epochs: of its main network.
    """
    style()
    exact_float32()
    print(f"{device_name()}; torch {VERSION}")
    dtype = str(fast_dtype()).removeprefix("torch.")
    plan = [f"budget {budget()}", f"large networks in {dtype}"]
    plan += [f"{epochs} epochs of the main one"] if epochs else []
    plan += [f"about {minutes:g} min"] if minutes else []
    print("Plan:", ", ".join(plan))
    if budget() == "smoke":
        print("Smoke budget: it shows that the chapter runs. Its numbers mean nothing.")
