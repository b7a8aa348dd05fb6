"""A picture with a slider, in one piece of HTML: no script, font or server is loaded."""
import base64
import html
import io
import json

import matplotlib.pyplot as plt
from IPython.display import display
from PIL import Image

# The browser shows the chosen frame and its caption; the arrow keys move the slider. The other
# frames wait in the slider's own attribute: where scripts are stripped, one picture is left.
_ON_INPUT = ("const all = JSON.parse(this.dataset.frames), one = all[this.value];"
             "const figure = this.parentNode.querySelector('figure');"
             "figure.querySelector('img').src = one[0];"
             "figure.querySelector('figcaption').textContent = one[1];"
             "this.setAttribute('aria-valuetext', one[1])")


def slider(draw, captions, alt):
    """Show ``draw(i)``, a new Figure, for i = 0 to len(captions) - 1 under a slider.

    ``captions`` says in a few words what each frame shows, ``alt`` what the picture
    shows. In print, and where no script runs, there is the last frame alone.
    """
    figures = [draw(i) for i in range(len(captions))]
    frames = [(small_png(fig), caption) for fig, caption in zip(figures, captions)]
    pdf = io.BytesIO()
    figures[-1].savefig(pdf, format="pdf", bbox_inches="tight")
    for fig in figures:
        plt.close(fig)
    last, words = len(frames) - 1, html.escape(captions[-1])
    display({"text/html": f'<div class="frames"><figure style="margin: 0">'
                          f'<img alt="{html.escape(alt)}" src="{frames[-1][0]}">'
                          f'<figcaption>{words}</figcaption></figure>'
                          f'<input type="range" min="0" max="{last}" value="{last}" '
                          f'aria-label="Frame" aria-valuetext="{words}" style="width: 100%" '
                          f'data-frames="{html.escape(json.dumps(frames))}" '
                          f'oninput="{_ON_INPUT}"></div>',
             "application/pdf": base64.b64encode(pdf.getvalue()).decode(),
             "text/plain": f"{alt} (A slider on the site moves through it.)"}, raw=True)


def small_png(fig):
    """A figure as a data URI: a small PNG of at most 64 colours."""
    png, small = io.BytesIO(), io.BytesIO()
    fig.savefig(png, format="png", dpi=110)
    Image.open(png).convert("RGB").quantize(64).save(small, "png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(small.getvalue()).decode()}"
