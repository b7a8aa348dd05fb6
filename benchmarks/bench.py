"""Run the races and keep their results in benchmarks/results/cpu.json, cuda.json or mps.json.

Each race measures its contestants in turns, in one process, on this machine. A race that is
finished is kept at once, so an interrupted run loses only the race it was in.
"""
import argparse
import json
import platform
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "chapters"), str(ROOT / "tools"), str(ROOT / "benchmarks")]

import fashion  # noqa: E402
import lab  # noqa: E402 before torch: it settles how PyTorch's threads wait
import torch  # noqa: E402
import torchvision  # noqa: E402

# Race: (module, function, whether it takes the number of rounds).
RACES = {"epochs": ("epochs", "race", True), "to_accuracy": ("accuracy", "time_to_accuracy", True),
         "limit": ("limit", "steps", True), "profile": ("limit", "operations", False),
         "best": ("accuracy", "best", False), "ablation": ("accuracy", "ablation", False),
         "scratch": ("costs", "scratch", True), "memory": ("costs", "memory", False),
         "build": ("costs", "build", False)}


def run_race(name, rounds):
    """A race's tables (lists of rows), and when, where and how long it was run."""
    module, function, takes_rounds = RACES[name]
    start = time.monotonic()
    tables = getattr(__import__(module), function)(*[rounds] * takes_rounds)
    return {"device": lab.device_name(), "python": platform.python_version(),
            "torch": torch.__version__, "torchvision": torchvision.__version__,
            "date": time.strftime("%Y-%m-%d"), "rounds": rounds if takes_rounds else 1,
            "seconds": round(time.monotonic() - start),
            "tables": tables if isinstance(tables, tuple) else [tables]}


def keep(path, name, result):
    """Put one race's result into the file, beside the others."""
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    results[name] = result
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def main(argv=None):
    """Run the command line; returns an exit status."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("races", nargs="*", metavar="RACE",
                        help=f"which ones (default: all): {', '.join(RACES)}")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contestant (3)")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results",
                        help="the folder to write to (default: benchmarks/results)")
    args = parser.parse_args(argv)
    unknown = set(args.races) - set(RACES)
    if unknown:
        parser.error(f"no race {', '.join(sorted(unknown))}; there are {', '.join(RACES)}")
    if args.rounds < 1:
        parser.error("--rounds must be at least 1")
    fit = lab.budget() != "smoke" and fashion.find()[1] == fashion.REAL
    if not fit and args.results == parser.get_default("results"):
        parser.error("the smoke budget or drawn data measure nothing that the book may show: "
                     "name another folder with --results")
    path = args.results / f"{lab.device().type}.json"
    for number, name in enumerate(args.races or RACES, start=1):
        print(f"[{number}/{len(args.races or RACES)}] {name}", flush=True)
        keep(path, name, run_race(name, args.rounds))
    print(f"Kept in {path}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. The races that were finished are kept.")
