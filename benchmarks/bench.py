"""Run the races and keep their results in benchmarks/results, a file for each device.

Each race runs in a process of its own, its contestants in turns. A race that is finished is
kept at once, so an interrupted run loses only the race it was in.
"""
import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tools.shared import execution, store
from tools.shared.source import CHAPTERS, ROOT

RESULTS = ROOT / "benchmarks" / "results"
# Race: (module, function, whether it takes the number of rounds); by worth.
RACES = {"epochs": ("loops", "epochs", True), "d2l": ("chase", "race", True),
         "limit": ("limit", "steps", True), "best": ("best", "race", True),
         "finish": ("loops", "finish", True), "terms": ("limit", "terms", True),
         "networks": ("costs", "trained", True), "learning": ("loops", "learning", False),
         "ablation": ("best", "ablation", True), "profile": ("limit", "operations", False),
         "scratch": ("costs", "scratch", True), "busy": ("busy", "race", True),
         "build": ("costs", "build", False)}


def environment(root=None):
    """The environment of a race: how threads wait, the data, and the chapters' modules."""
    paths = [str(CHAPTERS), *filter(None, [os.environ.get("PYTHONPATH")])]
    return execution.environment(root) | {"PYTHONPATH": os.pathsep.join(paths)}


def run_race(name, rounds, root):
    """A race's tables, and when, where and how long it was run.

    Raises RuntimeError where the race failed; what it said stands above.
    """
    module, function, takes_rounds = RACES[name]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.race", module, function, *[str(rounds)] * takes_rounds],
        cwd=ROOT, env=environment(root), stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"The race {name} failed: the lines above say why.")
    return json.loads(done.stdout.splitlines()[-1]) | {"rounds": rounds if takes_rounds else 1}


def keep(folder, name, result):
    """Put one race's result into its device's file, beside the others; returns the file."""
    path = folder / (re.sub(r"\W+", "-", result["device"].lower()).strip("-") + ".json")
    results = read(path) if path.exists() else {}
    folder.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(results | {name: result}, indent=1) + "\n", encoding="utf-8")
    fresh.replace(path)
    return path


def read(path):
    """The results in a file; a ValueError names it and the cure where it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as err:
        raise ValueError(f"{path} is damaged ({err}). Bring it back with git checkout, or delete "
                         "it.") from err


def arguments(argv):
    """The command line's, once they are sound."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("races", nargs="*", metavar="RACE",
                        help=f"which ones (default: all): {', '.join(RACES)}")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contestant (5)")
    parser.add_argument("--results", type=Path, default=RESULTS,
                        help="the folder to write to (default: benchmarks/results)")
    parser.add_argument("--installed", action="store_true",
                        help="only opponents whose packages are there: needs no network")
    args = parser.parse_args(argv)
    if unknown := set(args.races) - set(RACES):
        parser.error(f"no race {', '.join(sorted(unknown))}; there are {', '.join(RACES)}")
    if args.rounds < 1:
        parser.error("--rounds must be at least 1")
    for path in args.results.glob("*.json"):
        read(path)  # a damaged file is told now, and not after an hour
    return parser, args


def main(argv=None):
    """Run the command line; returns an exit status."""
    try:
        parser, args = arguments(argv)
        if args.installed:
            os.environ["OPPONENTS"] = "installed"
        place, root = execution.settle()
        if args.results == RESULTS and (
                place.budget == "smoke" or place.data != store.REAL):
            parser.error("the smoke budget or drawn data measure nothing that the book may show: "
                         "name another folder with --results")
        for number, name in enumerate(args.races or RACES, start=1):
            print(f"[{number}/{len(args.races or RACES)}] {name}", flush=True)
            path = keep(args.results, name, run_race(name, args.rounds, root))
    except (execution.UnfitError, OSError, RuntimeError, ValueError) as err:
        print(err, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The races that were finished are kept.", file=sys.stderr)
        return 130
    print(f"Kept in {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
