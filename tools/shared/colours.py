"""The colours of symbols in formulas, the same on the site, in print and in the notebooks.

In a chapter's TeX ``\\NAME{...}`` gives a symbol its colour. The book's ideas keep theirs: blue
normalizes, orange adds, green concatenates, and grey is what passes through unchanged.
"""
import re

# Name: colour on white, colour on the dark ground of the site. Each is readable there as text.
COLOURS = {"mean": ("#0072B2", "#56B4E9"), "spread": ("#7A4FBF", "#B79CFF"),
           "scale": ("#C04A00", "#FF8A4C"), "shift": ("#B8307C", "#F78FC8"),
           "carried": ("#5F6670", "#A9B1BC"), "branch": ("#946300", "#E69F00"),
           "joined": ("#00795A", "#2FBF95")}
# The same things as they are called in code.
NAMES = {"mean": "mean", "var": "spread", "gamma": "scale", "beta": "shift"}
# Arguments hold braces at most three deep.
_ARGUMENT = r"[^{}]*"
for _ in range(3):
    _ARGUMENT = rf"(?:[^{{}}]|\{{{_ARGUMENT}\}})*"
COLOURED = re.compile(rf"\\({'|'.join(COLOURS)})\{{({_ARGUMENT})\}}")


def plain(tex):
    """TeX without its colours, for programs that do not know the commands above."""
    return COLOURED.sub(r"{\2}", tex)


def inline(tex):
    """TeX with its colours written out, as MathJax and KaTeX both take them."""
    return COLOURED.sub(lambda m: rf"{{\color{{{COLOURS[m[1]][0]}}}{{{m[2]}}}}}", tex)


def latex():
    """The commands' definitions for LaTeX."""
    return "".join(rf"\newcommand{{\{name}}}[1]{{{{\color[HTML]{{{light[1:]}}}#1}}}}" "\n"
                   for name, (light, _) in COLOURS.items())


def css():
    """A rule for each command's class ``tex-NAME``, on white and on the dark ground."""
    def rule(theme, name, colour):
        places = (f'html{theme} {place} .tex-{name}' for place in ("mjx-math", ".highlight"))
        return f"{', '.join(places)} {{ color: {colour}; }}\n"

    return "".join(rule("", name, light) + rule('[data-theme="dark"]', name, dark)
                   for name, (light, dark) in COLOURS.items())
