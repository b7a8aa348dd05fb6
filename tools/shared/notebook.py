"""A chapter as a notebook that stands alone: what it shares is in its first cell."""
import copy
import hashlib
import json
import re
from typing import Any

import nbformat

from tools.shared.markdown import Chapter, attachments, fold
from tools.shared.source import ROOT, chapter_names, code_cells, config, heading
from tools.shared.store import modules

SETUP = '''\
#@title Set-up: run this cell first
# Written by tools/publish.py. It puts what the chapters share beside this notebook,
# unless it is there already, and installs what is missing.
import importlib.util
import subprocess
import sys
from pathlib import Path

PACKAGES = {packages!r}
MODULES = {{}}
{modules}
for file, text in MODULES.items():
    if not Path(file).exists():
        Path(file).write_text(text, encoding="utf-8")
    elif Path(file).read_text(encoding="utf-8") != text:
        print(f"{{file}} differs from the book's and is left as it is.")
for module, package in PACKAGES.items():
    if importlib.util.find_spec(module) is None:
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", *package], check=True)
'''


def packages(nb):
    """What a chapter imports and a machine may lack: module to pip's arguments."""
    needed = {"torch": ["torch", "torchvision"], "torchvision": ["torchvision"],
              "matplotlib": ["matplotlib"], "IPython": ["ipython"]}
    if any(re.search(r"^(from|import) d2l", cell.source, re.MULTILINE) for cell in code_cells(nb)):
        [d2l] = re.findall(r"^d2l==.*$", (ROOT / "requirements.txt").read_text(encoding="utf-8"),
                           re.MULTILINE)
        # Without its dependencies, which pin old releases of what Colab brings.
        needed |= {"pandas": ["pandas"], "requests": ["requests"], "d2l": ["--no-deps", d2l]}
    return needed


def setup_cell(nb):
    """The folded first cell: the shared modules, and the packages that the chapter needs."""
    texts = modules(cell.source for cell in code_cells(nb))
    if any(chr(39) * 3 in text for text in texts.values()):
        raise ValueError("a shared module holds three single quotes: use double ones")
    written = "".join(f"MODULES[{name!r}] = r{chr(39) * 3}{text}{chr(39) * 3}\n"
                      for name, text in texts.items())
    source = SETUP.format(packages=packages(nb), modules=written)
    return nbformat.v4.new_code_cell(source.strip(), metadata={
        "cellView": "form", "jupyter": {"source_hidden": True}, "tags": ["portable"]})


def portable(name, nb, run):
    """The chapter ``nb``, with the outputs of ``run``, as a notebook that stands alone."""
    book, facts = config(), run.facts
    number = chapter_names().index(name) + 1
    site = book["html"]["baseurl"].rstrip("/")
    pages = {heading(other).label: f"{site}/chapters/{other}.html" for other in chapter_names()}
    chapter = Chapter(number, nb.cells, pages)
    cells, folded = [setup_cell(nb)], False
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            text, folded = fold(chapter.markdown(cell.source), folded)
            cells += _texts(text, attachments(cell.source))
            continue
        cells.append(_code(cell, folded))
        if chapter.caption(cell):
            cells.append(nbformat.v4.new_markdown_cell(chapter.caption(cell)))
    cells.insert(0, nbformat.v4.new_markdown_cell(
        f"*Chapter {number} of [{book['title']}]({site}/chapters/{name}.html). The outputs are "
        f"those of a run on {facts['device']}, {facts['date']}, budget {facts['budget']}, "
        f"{facts['run_seconds'] // 60} min {facts['run_seconds'] % 60} s.*"))
    _number_cells(cells)
    return nbformat.v4.new_notebook(cells=cells, metadata={
        "accelerator": "GPU", "colab": {"gpuType": "T4", "provenance": []},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": run.record["language_info"],
        "book": {"generated": f"by tools/publish.py from chapters/{name}.md, do not edit"}})


def _texts(text, drawings):
    """Markdown cells of a text, which ends a cell where a solution ends."""
    for part in filter(None, re.split(r"(?<=</details>)\s+", text)):
        cell = nbformat.v4.new_markdown_cell(part)
        shown = {name: one for name, one in drawings.items() if f"attachment:{name}" in part}
        if shown:
            cell["attachments"] = shown
        yield cell


def _code(cell, folded):
    """A code cell with its outputs and the metadata that other programs understand."""
    tags = list(cell.metadata.get("tags", []))
    metadata: dict[str, Any] = {"tags": tags} if tags else {}
    if folded or "hide-input" in tags:
        metadata |= {"cellView": "form", "jupyter": {"source_hidden": True}}
    if folded:
        metadata["jupyter"]["outputs_hidden"] = True
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
    new = nbformat.v4.new_code_cell(cell.source, metadata=metadata,
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
    if alt and "image/png" in data:
        output.metadata["image/png"] = {"alt": alt}
        data["text/plain"] = alt  # what is shown where pictures are not
    return output


def _number_cells(cells):
    """Give each cell an id that depends on what it says and not on when it was written."""
    seen = set()
    for cell in cells:
        salt = 0
        while True:
            text = f"{cell.cell_type} {salt} {cell.source}".encode()
            cell["id"] = hashlib.sha256(text).hexdigest()[:8]
            if cell["id"] not in seen:
                break
            salt += 1
        seen.add(cell["id"])


def text_of(notebook):
    """The notebook as the text of its file."""
    nbformat.validate(notebook)
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
