"""A chapter as a notebook that stands alone: what it shares is in its set-up cell."""
import base64
import copy
import hashlib
import json
import re
import zlib
from typing import Any
from urllib.parse import urlsplit

import nbformat

from tools.shared.markdown import Chapter, fold, small_png
from tools.shared.reading import minutes_to_read
from tools.shared.source import (
    ROOT,
    chapter_names,
    code_cells,
    config,
    heading,
    number,
    pages_address,
    repository_address,
)
from tools.shared.store import modules

PARAMETERS = '''\
#@title How much to train: auto is what this machine can do in a few minutes
BUDGET = "auto" #@param ["auto", "smoke", "slow", "cpu", "t4", "gpu"]
'''
SETUP = '''\
#@title Set-up: run this cell first
# Written by tools/publish.py. It puts the modules that the chapter shares beside this notebook,
# unless they are there already, and installs what is missing.
import base64, importlib.util, json, os, subprocess, sys, zlib
from pathlib import Path

PACKAGES = {packages!r}
MODULES = json.loads(zlib.decompress(base64.b64decode("{modules}")))
for file, text in MODULES.items():
    if not Path(file).exists():
        Path(file).write_text(text, encoding="utf-8")
    elif Path(file).read_text(encoding="utf-8") != text:
        print(f"{{file}} differs from the book's and is left as it is.")
for module, package in PACKAGES.items():
    if importlib.util.find_spec(module) is None:
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", *package], check=True)
if BUDGET != "auto":
    os.environ["BUDGET"] = BUDGET
print("Ready:", ", ".join(MODULES), "are beside this notebook.")
'''
IMPORT = re.compile(r"^import lab\b.*$", re.MULTILINE)
GUARDED = '''\
try:
    {line}
except ModuleNotFoundError:
    raise ModuleNotFoundError("lab is not here: run the set-up cell above") from None'''
COLAB_BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
DATA_URI = re.compile(r"data:image/png;base64,[\w+/=]+")
FORM: dict[str, Any] = {"cellView": "form", "jupyter": {"source_hidden": True}}


def packages(nb):
    """What a chapter imports and a machine may lack: module to pip's arguments."""
    needed = {"torch": ["torch", "torchvision"], "torchvision": ["torchvision"],
              "matplotlib": ["matplotlib"], "IPython": ["ipython"],
              "cloudpickle": ["cloudpickle"]}
    if any(re.search(r"^(from|import) d2l", cell.source, re.MULTILINE) for cell in code_cells(nb)):
        [d2l] = re.findall(r"^d2l==.*$", (ROOT / "requirements.txt").read_text(encoding="utf-8"),
                           re.MULTILINE)
        # Without its dependencies, which pin old releases of what Colab brings.
        needed |= {"pandas": ["pandas"], "requests": ["requests"], "d2l": ["--no-deps", d2l]}
    return needed


def setup_cells(nb):
    """The menu of budgets, and the cell that writes the shared modules and installs packages."""
    texts = json.dumps(modules(cell.source for cell in code_cells(nb)))
    packed = base64.b64encode(zlib.compress(texts.encode(), 9)).decode()
    source = SETUP.format(packages=packages(nb), modules=packed)
    return [nbformat.v4.new_code_cell(PARAMETERS.strip(), metadata={
                "cellView": "form", "tags": ["parameters", "portable"]}),
            nbformat.v4.new_code_cell(source.strip(), metadata={**FORM, "tags": ["portable"]})]


def site_address(book):
    """Where the site is: a fork's own, if its checkout or GitHub says that it is one."""
    address = repository_address(book["repository"]["url"])
    same = address == book["repository"]["url"]
    return (book["html"]["baseurl"] if same else pages_address(address)).rstrip("/")


def opening(name, nb, run, book):
    """The first lines: a badge that opens the notebook in Colab, and whose outputs it holds."""
    facts, site = run.facts, site_address(book)
    minutes = divmod(facts["run_seconds"], 60)
    place = f"Chapter {number(name)}" if number(name) else "A page"
    path = urlsplit(repository_address(book["repository"]["url"])).path
    colab = (f"{book['launch_buttons']['colab_url']}/github{path}/blob/"
             f"{book['repository']['branch']}/chapters/{name}.ipynb")
    return (f"[![Open in Colab]({COLAB_BADGE})]({colab})\n\n"
            f"*{place} of [{book['title']}]({site}/chapters/{name}.html). The outputs are "
            f"those of a run on {facts['device']}, {facts['date']}, budget {facts['budget']}, "
            f"{minutes[0]} min {minutes[1]} s. About {minutes_to_read(nb)} minutes to read.*")


def portable(name, nb, run):
    """The chapter ``nb``, with the outputs of ``run``, as a notebook that stands alone."""
    book = config()
    site = site_address(book)
    labels = {heading(other).label: f"{site}/chapters/{other}.html" for other in chapter_names()}
    chapter = Chapter(number(name), nb.cells, labels)
    cells, folded = [nbformat.v4.new_markdown_cell(opening(name, nb, run, book))], False
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            text, folded = fold(chapter.markdown(cell.source), folded)
            # A solution ends a cell.
            cells += map(nbformat.v4.new_markdown_cell,
                         filter(None, re.split(r"(?<=</details>)\s+", text)))
            continue
        if not any(one.cell_type == "code" for one in cells):
            cells += setup_cells(nb)
        cells.append(_code(cell, folded))
        if chapter.caption(cell):
            cells.append(nbformat.v4.new_markdown_cell(chapter.caption(cell)))
    _number_cells(cells)
    return nbformat.v4.new_notebook(cells=cells, metadata={
        "accelerator": "GPU", "colab": {"gpuType": "T4", "provenance": []},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": run.record["language_info"],
        "book": {"generated": f"by tools/publish.py from chapters/{name}.md, do not edit"}})


def _code(cell, folded):
    """A code cell with its outputs and the metadata that other programs understand."""
    tags = list(cell.metadata.get("tags", []))
    metadata: dict[str, Any] = {"tags": tags} if tags else {}
    if folded or "hide-input" in tags:
        metadata |= copy.deepcopy(FORM)
    if folded:
        metadata["jupyter"]["outputs_hidden"] = True
    source = IMPORT.sub(lambda found: GUARDED.format(line=found[0]), cell.source, count=1)
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
    new = nbformat.v4.new_code_cell(source, metadata=metadata,
                                    outputs=[_shown(output, alt) for output in cell.outputs])
    new.execution_count = cell.execution_count
    return new


def _shown(output, alt):
    """An output as notebook programs show it best: a picture as PNG alone, with its words.

    GitHub cleans SVG of its labels, and no program shows a PDF.
    """
    output = copy.deepcopy(output)
    data = output.get("data", {})
    for kind in "image/svg+xml", "application/pdf":
        data.pop(kind, None)
    if "image/png" in data:
        small = small_png(base64.b64decode(data["image/png"]))
        data["image/png"] = base64.b64encode(small).decode()
        if alt:
            output.metadata["image/png"] = {"alt": alt}
            data["text/plain"] = alt  # what is shown where pictures are not
    return output


def _number_cells(cells):
    """Give each cell an id that depends on what it says and not on when it was written."""
    seen = set()
    for cell in cells:
        salt = 0
        while True:
            words = DATA_URI.sub("", cell.source)  # pictures depend on matplotlib's version
            text = f"{cell.cell_type} {salt} {words}".encode()
            cell["id"] = hashlib.sha256(text).hexdigest()[:8]
            if cell["id"] not in seen:
                break
            salt += 1
        seen.add(cell["id"])


def text_of(notebook):
    """The notebook as the text of its file."""
    nbformat.validate(notebook)
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
