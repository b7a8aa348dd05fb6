"""Pictures that a reader moves, as a cell's output: one piece of HTML, nothing is loaded.

``explore.js`` beside this file draws them. Where scripts are stripped, and in print, the
still stands in their place.
"""
import html
import json
from pathlib import Path

from IPython.display import display

from animation import still_of

KINDS = "normalize", "shares", "moving_average", "flow", "unravelled", "dense"
SCRIPT = Path(__file__).with_suffix(".js")


def show(kind, data, still, alt):
    """Show the picture ``kind``, one of KINDS, of a run's numbers.

    data: a dict for the script, of numbers and lists alone; what each kind takes says the
        cell that shows it.
    still: a Figure for print and for viewers without scripts; it is closed.
    alt: what the picture shows, in words, for both.
    Raises ValueError for an unknown kind or a number that is not finite.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no picture {kind}; there are {', '.join(KINDS)}")
    numbers = json.dumps(data | {"alt": alt}, allow_nan=False).replace("</", "<\\/")
    script = SCRIPT.read_text(encoding="utf-8")
    image, page = still_of(still)
    name = f"explore-{kind.replace('_', '-')}"
    display({"text/html": f'<div class="explorable" id="{name}">'
                          f'<img alt="{html.escape(alt)}" src="{image}"></div>'
                          f"<script>(() => {{\nconst module = undefined;\n{script}\n"
                          f'explore("{name}", "{kind}", {numbers});\n}})();</script>',
             "application/pdf": page,
             "text/plain": f"{alt} (A picture to move, on the site and in a notebook.)"}, raw=True)
