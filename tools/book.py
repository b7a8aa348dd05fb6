"""Build the site at _build/html from the chapters and their outputs, executing nothing.

The outputs are the published ones; a chapter that has none which agree with it takes those
of this machine's last run, and that is said.
"""
import argparse
import sys
import time

from tools.shared.building import build, choose_outputs, remarks
from tools.shared.command import in_words
from tools.shared.source import CHAPTERS, ROOT

HTML = ROOT / "_build" / "html"


def main(argv=None):
    """Build, say where the site is; returns an exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.book", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--own", action="store_true",
                        help="show this machine's last run, not the published one")
    parser.add_argument("--links", action="store_true",
                        help="try every link to another site instead of building")
    args = parser.parse_args(argv)
    start = time.monotonic()
    choose_outputs(args.own)
    if args.links:
        return build("linkcheck")
    status = build("html")
    for page in [*HTML.glob("*.html"), *(HTML / CHAPTERS.name).glob("*.html")]:
        source = ROOT / page.relative_to(HTML).with_suffix(".md")
        if page.stem not in ("404", "genindex", "search") and not source.exists():
            page.unlink()  # of a page that is no more
    if status or not (HTML / "index.html").exists():
        print("The site was not built: the warnings above say why.", file=sys.stderr)
        return status or 1
    print(f"Built in {time.monotonic() - start:.0f} s. Open {(HTML / 'index.html').as_uri()}")
    for remark in remarks():
        print(remark)
    return 0


if __name__ == "__main__":
    sys.exit(in_words(main))
