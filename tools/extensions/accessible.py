"""A Sphinx extension: mends what axe finds in the HTML that Sphinx writes."""


def mend(_app, _page, _template, context, _doctree):
    """Drop the bibliography's ARIA roles, which promise list items that are none."""
    if "body" in context:
        for role in ' role="list"', ' role="doc-biblioentry"':
            context["body"] = context["body"].replace(role, "")


def setup(app):
    """Mend every page."""
    app.connect("html-page-context", mend)
    return {"parallel_read_safe": True}
