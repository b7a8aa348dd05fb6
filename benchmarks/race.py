"""One race, in this process: prints its result as JSON in its last line.

``bench.py`` starts it, with the threads' settings in its environment.
"""
import contextlib
import importlib
import json
import platform
import sys
import time

import torch
import torchvision

import lab


def result(module, function, *rounds):
    """The race's tables (lists of rows), and when, where and how long it was run."""
    start = time.monotonic()
    tables = getattr(importlib.import_module(f"benchmarks.{module}"), function)(*rounds)
    return {"device": lab.device_name(), "device_type": lab.device().type,
            "python": platform.python_version(), "torch": torch.__version__,
            "torchvision": torchvision.__version__, "date": time.strftime("%Y-%m-%d"),
            "seconds": round(time.monotonic() - start),
            "tables": tables if isinstance(tables, tuple) else [tables]}


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):  # the last line is the result's
        told = result(*sys.argv[1:3], *map(int, sys.argv[3:]))
    print(json.dumps(told))
