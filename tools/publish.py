"""Write chapters/NAME.ipynb: each chapter as a notebook that works anywhere, with outputs.

The outputs are the published ones where code and tags still agree with them, so a changed
sentence is published in seconds; else those of this machine's last run, which thereby become
the published ones. Those must be fit for it: real data, no smoke budget, no failed cell, no
claim without its tick, no change that is not committed.
"""
import argparse
import re
import shutil
import sys

from tools.shared import store
from tools.shared.command import in_words
from tools.shared.notebook import portable, text_of
from tools.shared.source import CHAPTERS, chapter_names, code_cells, git, read_chapter


def objections(nb, run):
    """Why these outputs must not be published, in words."""
    found = []
    for number, cell in enumerate(code_cells(nb), start=1):
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"cell {number} failed with {output.ename}")
            # A long claim goes on in indented lines.
            for claim in re.findall(r"^✗ (?:not in this run: )?(.*(?:\n  .*)*)",
                                    output.get("text", ""), re.MULTILINE):
                found.append(f"cell {number}: this run does not show that "
                             + " ".join(claim.split()))
    if run.place.data != store.REAL:
        found.append(f"the data are {run.place.data}, not {store.REAL}")
    if run.place.budget == "smoke":
        found.append("the budget is smoke")
    if not run.facts:
        found.append("its last cell hands over no facts: it must be lab.run_facts(data)")
    return found


def uncommitted():
    """The chapters' sources that differ from the last commit."""
    if not shutil.which("git"):
        print("The program git is not here: whether the chapters are committed is not checked.",
              file=sys.stderr)
    listed = git("status", "--porcelain", "--", f"{CHAPTERS.name}/*.md", f"{CHAPTERS.name}/*.py")
    return [line.split(maxsplit=1)[1] for line in listed.splitlines()]


def choose(name, nb, fresh):
    """The run to publish, which fills ``nb``, and the objections to it; no run is None."""
    published = None if fresh else store.published_run(name, nb)
    if published:
        return published, objections(published.fill(nb), published)
    refused = None
    for run in store.own_runs(name, nb):
        found = objections(run.fill(nb), run)
        if not found:
            return run, []
        refused = refused or (run, found)
    return refused or (None, ["there are no outputs for it as it is now: run `make run` first"])


def publish(name, fresh=False):
    """Write one chapter's notebook; returns the objections, none if it was written."""
    nb = read_chapter(name)
    run, found = choose(name, nb, fresh)
    if run is None or found:
        return found
    is_new = not run.folder.is_relative_to(store.PUBLISHED)
    if is_new and (dirty := uncommitted()):
        return [f"{', '.join(dirty)} differ from the last commit. Commit first, so that the "
                "published outputs belong to a known state"]
    if is_new:
        store.publish(name, run)
    target = CHAPTERS / f"{name}.ipynb"
    target.write_text(text_of(portable(name, nb, run)), encoding="utf-8", newline="\n")
    print(f"chapters/{name}.ipynb: {target.stat().st_size / 1e6:.1f} MB, outputs of "
          f"{'this machine, ' if is_new else 'the published run, '}{run.record['finished']}")
    return []


def main(argv=None):
    """Publish the chapters; returns an exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.publish", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    names = chapter_names()
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER",
                        help=f"which ones (default: all): {', '.join(names)}")
    parser.add_argument("--fresh", action="store_true",
                        help="take this machine's last run, even where the published one agrees")
    args = parser.parse_args(argv)
    if unknown := set(args.chapters) - set(names):
        parser.error(f"no chapter {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    status = 0
    for name in args.chapters or names:
        for objection in publish(name, args.fresh):
            print(f"chapters/{name}.md is not published: {objection}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(in_words(main))
