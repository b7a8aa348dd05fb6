"""List the kept outputs: the published ones, and with --own this machine's.

For each chapter: where and when it ran, whether the chapter still agrees with it, and with
--cells what each cell put out.
"""
import argparse
import sys

from tools.shared import store
from tools.shared.building import told, why_unpublished
from tools.shared.command import in_words
from tools.shared.source import ROOT, chapter_names, read_chapter


def describe(run):
    """The run's folder, place, time and size in a line."""
    size = sum(path.stat().st_size for path in run.folder.iterdir())
    return (f"  {run.folder.relative_to(ROOT).as_posix()}: {told(run)}, {run.record['seconds']:.0f}"
            f" s, {size / 1e6:.1f} MB")


def cells(run):
    """What each cell put out, in a line a cell."""
    for number, cell in enumerate(run.cells, start=1):
        kinds = [one.get("name") or "+".join(value["file"] if isinstance(value, dict) and
                                             "file" in value else kind
                                             for kind, value in one.get("data", {}).items())
                 for one in cell["outputs"]]
        if kinds:
            yield f"    cell {number}: {', '.join(kinds)}"


def main(argv=None):
    """Print the list; returns an exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.outputs", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER", help="which ones (default: all)")
    parser.add_argument("--own", action="store_true", help="this machine's runs, too")
    parser.add_argument("--cells", action="store_true", help="what each cell put out")
    args = parser.parse_args(argv)
    if unknown := set(args.chapters) - set(chapter_names()):
        parser.error(f"no chapter {', '.join(sorted(unknown))}; "
                     f"there are {', '.join(chapter_names())}")
    for name in args.chapters or chapter_names():
        nb = read_chapter(name)
        published = store.published_run(name)
        agrees = published and store.published_run(name, nb)
        print(f"{name}: " + ("published" if agrees else why_unpublished(name, nb)))
        for run in filter(None, [published, *(store.own_runs(name, nb) if args.own else [])]):
            print(describe(run), *(cells(run) if args.cells else []), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(in_words(main))
