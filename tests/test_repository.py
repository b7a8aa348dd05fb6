"""The repository's address, and the buttons that use it."""
from types import SimpleNamespace

import pytest
from test_book import page

from tools.extensions import repository
from tools.shared import source

DEFAULT = "https://github.com/someone/book"


def remote(monkeypatch, url):
    """Pretend that this is the checkout's remote."""
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    monkeypatch.setattr(source, "git", lambda *command: url)


@pytest.mark.parametrize("url", ["https://github.com/a-fork/my.book",
                                 "git@github.com:a-fork/my.book.git",
                                 "https://token@github.com/a-fork/my.book.git/"])
def test_a_forks_remote(monkeypatch, url):
    remote(monkeypatch, url)
    assert source.repository_address(DEFAULT) == "https://github.com/a-fork/my.book"


@pytest.mark.parametrize("url", ["", "/srv/book", "https://example.org/a/b.git"])
def test_no_github_remote(monkeypatch, url):
    remote(monkeypatch, url)
    assert source.repository_address(DEFAULT) == DEFAULT


def test_without_the_program_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    assert source.git("--version") == "" and source.repository_address(DEFAULT) == DEFAULT


def test_githubs_variable_wins(monkeypatch):
    remote(monkeypatch, "https://github.com/a-fork/book")
    monkeypatch.setenv("GITHUB_REPOSITORY", "other/book")
    assert source.repository_address(DEFAULT) == "https://github.com/other/book"


@pytest.mark.parametrize("name", source.chapter_names())
def test_buttons_lead_to_the_notebook(book, name):
    links = {link["href"] for link in page(book, f"chapters/{name}").select("a[href]")}
    [colab] = [link for link in links if "colab.research.google.com" in link]
    owner, _, path = colab.partition("/github/")[2].partition("/blob/main/")
    assert path == f"chapters/{name}.ipynb"
    assert any(link.startswith(f"https://github.com/{owner}") for link in links)


@pytest.mark.parametrize("repo, site", [("Someone/book", "https://someone.github.io/book/"),
                                        ("someone/Someone.github.io", "https://someone.github.io/")])
def test_where_a_repository_is_published(repo, site):
    assert source.pages_address(f"https://github.com/{repo}") == site


@pytest.mark.parametrize("name, site", [("someone/book", "https://book.example.org/"),
                                        ("a-fork/book", "https://a-fork.github.io/book/")])
def test_a_forks_site_is_its_own(monkeypatch, name, site):
    """The configured address, which may be a domain of its own, holds for the repository alone."""
    monkeypatch.setenv("GITHUB_REPOSITORY", name)
    config = SimpleNamespace(html_theme_options={"repository_url": DEFAULT},
                             html_baseurl="https://book.example.org/")
    repository.set_address(None, config)
    assert config.html_theme_options["repository_url"] == f"https://github.com/{name}"
    assert config.html_baseurl == config.ogp_site_url == site
    assert site.endswith(config.notfound_urls_prefix)
