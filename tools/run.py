"""Execute the book's chapters and keep their outputs for the site.

A chapter is executed again only where what runs has changed: its code cells and their tags,
the modules that they import, the budget, the kind of device, the data. So an interrupted run
goes on where it stopped, and a changed sentence, caption or comment executes nothing.
"""
import argparse
import sys

from tools.shared import execution, store
from tools.shared.command import in_words
from tools.shared.source import chapter_names, read_chapter


def arguments(argv):
    """The command line's; an unknown chapter ends here."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.run", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="BUDGET=smoke|slow|cpu|t4|gpu in the environment says how much to train; "
               "FASHION_MNIST_ROOT names a folder that holds FashionMNIST/raw.")
    names = chapter_names()
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER",
                        help=f"which ones (default: all): {', '.join(names)}")
    parser.add_argument("--force", action="store_true", help="execute unchanged chapters too")
    args = parser.parse_args(argv)
    unknown = set(args.chapters) - set(names)
    if unknown:
        parser.error(f"no chapter {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    args.chapters = args.chapters or names
    return args


def make_sure(name, place, root, force):
    """Have a chapter's outputs, by executing it if need be; raises execution.FailedError."""
    nb = read_chapter(name)
    if not force and store.own_run(name, nb, place):
        print(f"{name}: unchanged, its outputs are kept (--force executes it all the same)")
    else:
        execution.run(name, nb, place, root)


def main(argv=None):
    """Run the command line; returns an exit status."""
    args, failed = arguments(argv), []
    place, root = execution.settle()
    print(f"Data: {place.data}; budget {place.budget}; device {place.device}", flush=True)
    for name in args.chapters:
        try:
            make_sure(name, place, root, args.force)
        except execution.FailedError as err:
            print(f"\n{err}", file=sys.stderr, flush=True)
            failed.append(name)
    if failed:
        print(f"Failed: {', '.join(failed)}. The outputs of the others are kept.", file=sys.stderr)
    elif place.data != store.REAL:
        print("This run used drawn stand-in data: its accuracies say nothing about "
              f"{store.REAL}. `make book` shows the published results on the real data.")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(in_words(main))
