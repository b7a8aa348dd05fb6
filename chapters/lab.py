"""What the chapters share, under one name: the device, data, training loop, checks and plots.

A chapter's own subject (batch norm, residual and dense blocks) is never here.
``BUDGET=smoke|cpu|gpu`` says how much to train; by default what the device can do.
"""
from machine import VERSION, budget, device, device_name, exact_float32, has_bf16, pick

# isort: split
# The rest loads torch, and machine settles before how its threads wait.
from images import Data, fashion_mnist
from plots import COLORS, plot_runs, style, title
from report import FACTS, Progress, Record, check_equal, claim, run_facts, say
from training import History, evaluate, predict, train

__all__ = ["COLORS", "FACTS", "Data", "History", "Progress", "Record", "budget", "check_equal",
           "claim", "device", "device_name", "evaluate", "fashion_mnist", "has_bf16", "pick",
           "plot_runs", "predict", "run_facts", "say", "setup", "title", "train"]


def setup():
    """The look of plots; exact float32; names the device, and warns of the smoke budget."""
    style()
    exact_float32()
    print(f"{device_name()}; budget {budget()}; torch {VERSION}")
    if budget() == "smoke":
        print("Smoke budget: it shows that the chapter runs. Its numbers mean nothing.")
