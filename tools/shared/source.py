"""The book's sources: where they are, which chapters there are, what a chapter says."""
import functools
import os
import re
import subprocess
from pathlib import Path

import yaml

from tools.shared.command import WordsError

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = ROOT / "chapters"


def config():
    """The book's configuration, ``_config.yml``."""
    return read_yaml(ROOT / "_config.yml")


def read_yaml(path):
    """What a YAML file says; a WordsError names the line that is not YAML."""
    try:
        return yaml.safe_load(read(path))
    except yaml.MarkedYAMLError as err:
        line = err.problem_mark.line + 1 if err.problem_mark else 1
        raise WordsError(f"{path}:{line}: this is not YAML: {err.problem}. Mend that line, or see "
                         f"what changed: git diff {path.name}") from err


def git(*command):
    """What git prints about this checkout; nothing without git, or outside a repository."""
    try:
        return subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True,
                              errors="replace").stdout.strip()
    except OSError:  # the program is not here
        return ""


def repository_address(default):
    """The repository's address on GitHub, without a trailing slash.

    GitHub's own variable or the checkout's remote names a fork; else it is ``default``.
    """
    name = os.environ.get("GITHUB_REPOSITORY")
    if not name:
        remote = git("config", "--get", "remote.origin.url")
        match = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?$", remote)
        name = match and match[1]
    return f"https://github.com/{name}" if name else default


def pages_address(repository):
    """Where GitHub Pages publishes a repository."""
    owner, name = repository.split("/")[-2:]
    host = f"{owner}.github.io".lower()
    return f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"


def chapter_names(numbered=False):
    """The chapters of ``_toc.yml``, in order: all that is executed, or those with a number."""
    toc = read_yaml(ROOT / "_toc.yml")
    paths = [entry["file"] for part in toc["parts"] if part.get("numbered") or not numbered
             for entry in part["chapters"]]
    names = [path.split("/")[1] for path in paths if path.startswith(f"{CHAPTERS.name}/")]
    for name in names:
        if not chapter_path(name).is_file():
            raise WordsError(f"{ROOT / '_toc.yml'} names the chapter {name}, and there is no "
                             f"{chapter_path(name)}. Write it, or take its line out.")
    return names


def number(name):
    """The chapter's number in the book; 0 for a page without one, such as the epilogue."""
    names = chapter_names(numbered=True)
    return names.index(name) + 1 if name in names else 0


def chapter_path(name):
    """The file of a chapter."""
    return CHAPTERS / f"{name}.md"


def read_chapter(name):
    """A chapter as a notebook without outputs; ``metadata.source_map`` has its cells' lines."""
    from myst_nb.core.read import read_myst_markdown_notebook  # slow to load

    path = chapter_path(name)
    return read_myst_markdown_notebook(read(path), add_source_map=True, path=path)


def code_cells(nb):
    """The code cells of a notebook."""
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def code_lines(name, nb):
    """The lines, counted from 1, at which the code of a chapter's code cells begins."""
    lines = read(chapter_path(name)).split("\n")
    found = []
    for cell, above in zip(nb.cells, nb.metadata["source_map"], strict=True):
        if cell.cell_type == "code":  # the map leads to the cell or to its options
            first = cell.source.split("\n")[0]
            at = next((i for i in range(above, len(lines)) if lines[i] == first), above)
            found.append(at + 1)
    return found


def read(path):
    """A text file of the book; a WordsError names the line that is not UTF-8."""
    content = path.read_bytes()
    try:
        return content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as err:
        line = content[:err.start].count(b"\n") + 1
        raise WordsError(f"{path}:{line}: this is not UTF-8. Save the file as UTF-8.") from err


class Heading:
    """What a chapter says of itself: its label, title, verb, description."""

    def __init__(self, name):
        text = read(chapter_path(name))
        found = re.match(r"---\n(.*?)\n---\n\s*\(([\w-]+)\)=\n# ([^\n]+: [^\n]+)\n", text,
                         re.DOTALL)
        if not found:
            raise WordsError(f"{chapter_path(name)} must begin with a label and a title such as "
                             "'(ch-name)=' and '# Name: verb', see CONTRIBUTING.md")
        self.name, self.label, self.title = name, found[2], found[3]
        self.verb = self.title.rpartition(": ")[2].capitalize()
        meta = yaml.safe_load(found[1]).get("myst", {}).get("html_meta", {})
        if "description" not in meta:
            raise WordsError(f"{chapter_path(name)} needs a description in its front matter "
                             "(myst: html_meta: description), see CONTRIBUTING.md")
        self.description = meta["description"]


@functools.cache
def heading(name):
    """The chapter's Heading; a WordsError names the file where it is missing."""
    return Heading(name)
