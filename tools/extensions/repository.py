"""A Sphinx extension: the site's buttons point at the repository that it is built from.

The address is ``repository.url`` of ``_config.yml``, unless GitHub's own variable or the
checkout's remote names another one: a fork's buttons then point at the fork, and its
site is said to be at the fork's GitHub Pages.
"""
from urllib.parse import urlsplit

from docutils import nodes
from sphinx.util.docutils import SphinxRole

from tools.shared.source import pages_address, repository_address


def set_address(_app, config):
    """Give the theme the repository, and the extensions the site's own address."""
    options = config.html_theme_options
    repository = repository_address(options["repository_url"])
    if repository != options["repository_url"]:
        options["repository_url"], config.html_baseurl = repository, pages_address(repository)
    config.ogp_site_url = config.html_baseurl
    config.notfound_urls_prefix = urlsplit(config.html_baseurl).path


class Colab(SphinxRole):
    """The role ``{colab}`NAME```: a link that opens a chapter's notebook in Colab."""

    def run(self):
        """The link."""
        options = self.config.html_theme_options
        host, repository = options["launch_buttons"]["colab_url"], options["repository_url"]
        path = f"{urlsplit(repository).path}/blob/{options['repository_branch']}"
        url = f"{host}/github{path}/chapters/{self.text}.ipynb"
        return [nodes.reference("", "Run in Colab", refuri=url)], []


def setup(app):
    """Set the addresses before the theme and the extensions read them."""
    app.add_role("colab", Colab())
    app.connect("config-inited", set_address, priority=400)
    return {"parallel_read_safe": True}
