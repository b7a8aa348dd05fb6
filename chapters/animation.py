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
    *others, (still, pdf) = map(still_of, figures)
    frames = list(zip([image for image, _ in others] + [still], captions))
    last, words = len(frames) - 1, html.escape(captions[-1])
    display({"text/html": f'<div class="frames"><figure style="margin: 0">'
                          f'<img alt="{html.escape(alt)}" src="{frames[-1][0]}">'
                          f'<figcaption>{words}</figcaption></figure>'
                          f'<input type="range" min="0" max="{last}" value="{last}" '
                          f'aria-label="Frame" aria-valuetext="{words}" style="width: 100%" '
                          f'data-frames="{html.escape(json.dumps(frames))}" '
                          f'oninput="{_ON_INPUT}"></div>',
             "application/pdf": pdf,
             "text/plain": f"{alt} (A slider on the site moves through it.)"}, raw=True)


def still_of(fig):
    """Close a figure; returns it as a data URI of a small PNG and as a PDF in base64."""
    png, small, pdf = io.BytesIO(), io.BytesIO(), io.BytesIO()
    fig.savefig(png, format="png", dpi=110)
    fig.savefig(pdf, format="pdf", bbox_inches="tight")
    plt.close(fig)
    Image.open(png).convert("RGB").quantize(64).save(small, "png", optimize=True)
    image, page = (base64.b64encode(file.getvalue()).decode() for file in (small, pdf))
    return f"data:image/png;base64,{image}", page
