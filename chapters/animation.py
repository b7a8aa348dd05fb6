"""A picture with a slider, in one piece of HTML: no script, font or server is loaded."""
import base64
import html
import io

import matplotlib.pyplot as plt
from IPython.display import display
from PIL import Image

# The browser shows the chosen frame and its caption; the arrow keys move the slider.
_ON_INPUT = ("const all = this.parentNode.querySelectorAll('figure');"
             "all.forEach((one, i) => one.style.display = i == this.value ? 'block' : 'none');"
             "this.setAttribute('aria-valuetext',"
             "all[this.value].querySelector('figcaption').textContent)")


def slider(draw, captions, alt):
    """Show ``draw(i)``, a new Figure, for i = 0 to len(captions) - 1 under a slider.

    ``captions`` says in a few words what each frame shows, ``alt`` what the picture
    shows. In print there is the last frame alone.
    """
    figures = [draw(i) for i in range(len(captions))]
    last = len(figures) - 1
    parts = [_frame(fig, captions[i], alt, i == last) for i, fig in enumerate(figures)]
    pdf = io.BytesIO()
    figures[-1].savefig(pdf, format="pdf", bbox_inches="tight")
    for fig in figures:
        plt.close(fig)
    display({"text/html": f'<div class="frames">{"".join(parts)}<input type="range" min="0" '
                          f'max="{last}" value="{last}" aria-label="Frame" '
                          f'aria-valuetext="{html.escape(captions[-1])}" '
                          f'style="width: 100%" oninput="{_ON_INPUT}"></div>',
             "application/pdf": base64.b64encode(pdf.getvalue()).decode(),
             "text/plain": f"{alt} (A slider on the site moves through it.)"}, raw=True)


def _frame(fig, caption, alt, shown):
    """One frame as HTML: a small PNG of at most 64 colours, and its caption."""
    png, small = io.BytesIO(), io.BytesIO()
    fig.savefig(png, format="png", dpi=110)
    Image.open(png).convert("RGB").quantize(64).save(small, "png", optimize=True)
    data = base64.b64encode(small.getvalue()).decode()
    return (f'<figure style="display: {"block" if shown else "none"}; margin: 0">'
            f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'
            f"<figcaption>{html.escape(caption)}</figcaption></figure>")
