"""A Sphinx extension: checks, claims and tasks in a cell's output are seen, not only read.

In a terminal and in notebooks they stay lines that begin with a mark.
"""
import re

KINDS = {"✓": "yes", "✗": "no", "–": "open", "○": "open"}
# A mark at a line's start; a long claim goes on in indented lines.
CLAIM = re.compile(rf"^([{''.join(KINDS)}]) .*(?:\n  .*)*$", re.MULTILINE)
OUTPUT = re.compile(r'(<div class="output stream [^>]*><div class="highlight"><pre><span></span>)'
                    r"(.*?)</pre>", re.DOTALL)


def see(_app, _page, _template, context, _doctree):
    """Mark the claims of a page's outputs."""
    if "body" in context:
        def strip(claim):
            return f'<span class="claim claim-{KINDS[claim[1]]}">{claim[0]}</span>'

        context["body"] = OUTPUT.sub(
            lambda output: f"{output[1]}{CLAIM.sub(strip, output[2])}</pre>", context["body"])


def setup(app):
    """See to every page."""
    app.connect("html-page-context", see)
    return {"parallel_read_safe": True}
