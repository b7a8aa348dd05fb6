"""A Sphinx extension: checks, claims and tasks in a cell's output are seen, not only read.

In a terminal and in notebooks they stay lines that begin with a mark.
"""
import re

KINDS = {"✓": "yes", "✗": "no", "–": "open", "○": "open"}
# A mark at a line's start; a long claim goes on in indented lines.
CLAIM = re.compile(rf"^((?:<pre><span></span>)?)([{''.join(KINDS)}]) (.*(?:\n  .*)*)\n",
                   re.MULTILINE)
OUTPUT = re.compile(r'<div class="output stream [^>]*><div class="highlight"><pre>.*?</pre>',
                    re.DOTALL)


def strip(match):
    """A line of its own kind."""
    before, mark, text = match.groups()
    return f'{before}<span class="claim claim-{KINDS[mark]}">{mark} {text}</span>\n'


def see(_app, _page, _template, context, _doctree):
    """Mark the claims of a page's outputs."""
    if "body" in context:
        context["body"] = OUTPUT.sub(
            lambda output: CLAIM.sub(strip, output[0].replace("<pre>", "\n<pre>", 1)).replace(
                "\n<pre>", "<pre>", 1), context["body"])


def setup(app):
    """See to every page."""
    app.connect("html-page-context", see)
    return {"parallel_read_safe": True}
