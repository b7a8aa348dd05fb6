"""Draw the book's figures anew: ``python -m figures`` all of them, or those that are named."""
import argparse

from figures import draw


def main(arguments=None):
    """Write the wanted figures, or all of them."""
    known = draw.names()
    parser = argparse.ArgumentParser(prog="python -m figures",
                                     description="Draw the book's figures as figures/NAME.svg.")
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help=f"one of {', '.join(known)} (default: all of them)")
    wanted = parser.parse_args(arguments).names or known
    if unknown := [name for name in wanted if name not in known]:
        parser.error(f"no figure {', '.join(unknown)}; there are {', '.join(known)}")
    for name in wanted:
        (draw.HERE / f"{name}.svg").write_text(draw.svg(name), encoding="utf-8", newline="\n")
        print(f"figures/{name}.svg")


if __name__ == "__main__":
    main()
