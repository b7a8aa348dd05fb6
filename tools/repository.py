"""A Sphinx extension: the site's buttons point at the repository that it is built from.

The address is ``repository.url`` of ``_config.yml``, unless GitHub's own variable or the
checkout's remote names another one: a fork's buttons then point at the fork.
"""
import os
import re
import subprocess

from outputs import ROOT


def address(default):
    """The repository's address on GitHub, without a trailing slash."""
    name = os.environ.get("GITHUB_REPOSITORY")
    if not name:
        remote = subprocess.run(["git", "config", "--get", "remote.origin.url"], cwd=ROOT,
                                capture_output=True, text=True).stdout.strip()
        match = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?$", remote)
        name = match and match[1]
    return f"https://github.com/{name}" if name else default


def set_address(_app, config):
    """Give the theme the address."""
    options = config.html_theme_options
    options["repository_url"] = address(options["repository_url"])


def setup(app):
    """Set the address before the theme reads it."""
    app.connect("config-inited", set_address)
    return {"parallel_read_safe": True}
