"""Write chapters/NAME.ipynb: each chapter as a notebook that works anywhere, with outputs.

The outputs are those of the last `make run`. Nothing is written where the chapter is not
fit to be published: drawn data, the smoke budget, a failed cell, a claim without its tick,
changes that are not committed.
"""
import argparse
import hashlib
import json
import re
import subprocess
import sys

import nbformat

from outputs import CHAPTERS, ROOT, fashion, modules_hash, own_store
from portable import Chapter, attachments, config, fold
from run import chapter_names, read_chapter

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
# d2l without its dependencies, which pin old releases of what Colab brings.
PACKAGES = {"torch": ["torch", "torchvision"], "torchvision": ["torchvision"],
            "matplotlib": ["matplotlib"], "IPython": ["ipython"]}
D2L = {"pandas": ["pandas"], "requests": ["requests"], "d2l": ["--no-deps", "d2l==0.17.0"]}


def facts(nb):
    """What ``lab.run_facts`` printed at the chapter's end, as a dict."""
    codes = [cell for cell in nb.cells if cell.cell_type == "code"]
    text = "".join(out.get("text", "") for out in codes[-1].outputs)
    return {key.lower().replace(" ", "_"): value
            for key, value in re.findall(r"^([A-Z][\w ]+?): +(.*)$", text, re.MULTILINE)}


def objections(nb):
    """Why these outputs must not be published, in words."""
    found, told = [], facts(nb)
    for number, cell in enumerate((c for c in nb.cells if c.cell_type == "code"), start=1):
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"cell {number} failed with {output.ename}")
            text = output.get("text", "")
            for claim in re.findall(r"^✗ not in this run: (.*)", text, re.MULTILINE):
                found.append(f"cell {number}: this run does not show that {claim}")
    if told.get("data") != fashion.REAL:
        found.append(f"the data are {told.get('data', 'unknown')}, not {fashion.REAL}")
    if told.get("budget") not in ("cpu", "gpu"):
        found.append(f"the budget is {told.get('budget', 'unknown')}")
    return found


def setup_cell(nb):
    """The folded first cell: the shared modules, and the packages that the chapter needs."""
    uses_d2l = any(re.search(r"^(from|import) d2l", cell.source, re.MULTILINE)
                   for cell in nb.cells if cell.cell_type == "code")
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(CHAPTERS.glob("*.py"))}
    if any(chr(39) * 3 in text for text in texts.values()):
        raise ValueError("a shared module holds three single quotes: use double ones")
    modules = "".join(f"MODULES[{name!r}] = r{chr(39) * 3}{text}{chr(39) * 3}\n"
                      for name, text in texts.items())
    source = SETUP.format(packages=PACKAGES | (D2L if uses_d2l else {}), modules=modules)
    return nbformat.v4.new_code_cell(source.strip(), metadata={
        "cellView": "form", "jupyter": {"source_hidden": True}, "tags": ["portable"]})


def portable(name, nb):
    """The chapter ``nb``, with outputs, as a notebook that stands alone."""
    told, book = facts(nb), config()
    number = chapter_names().index(name) + 1
    site = book["html"]["baseurl"].rstrip("/")
    pages = {path.group(1): f"{site}/chapters/{other}.html" for other in chapter_names()
             for path in [re.search(r"^\(([\w-]+)\)=", (CHAPTERS / f"{other}.md").read_text(
                 encoding="utf-8"), re.MULTILINE)] if path}
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
        f"those of a run on {told['device']}, {told['date']}, budget {told['budget']}, "
        f"{told['run_time']}.*"))
    _number_cells(cells)
    return nbformat.v4.new_notebook(cells=cells, metadata={
        "accelerator": "GPU", "colab": {"gpuType": "T4", "provenance": []},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "book": {"generated": f"by tools/publish.py from chapters/{name}.md, do not edit",
                 "modules": modules_hash(), **told}})


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
    metadata = {"tags": tags} if tags else {}
    if folded or "hide-input" in tags:
        metadata |= {"cellView": "form", "jupyter": {"source_hidden": True}}
    if folded:
        metadata["jupyter"]["outputs_hidden"] = True
    new = nbformat.v4.new_code_cell(cell.source, metadata=metadata, outputs=cell.outputs)
    new.execution_count = cell.execution_count
    return new


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


def uncommitted():
    """The chapters' sources that differ from the last commit."""
    listed = subprocess.run(["git", "status", "--porcelain", "chapters/*.md", "chapters/*.py"],
                            cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [line[3:] for line in listed.splitlines()]


def publish(name, store):
    """Write one chapter's notebook; returns the objections, none if it was written."""
    try:
        _, nb = store.merge_match_into_notebook(read_chapter(name))
    except KeyError:
        return ["there are no outputs for it as it is now: run `make run` first"]
    found = objections(nb)
    if not found:
        target = CHAPTERS / f"{name}.ipynb"
        target.write_text(text_of(portable(name, nb)), encoding="utf-8")
        print(f"chapters/{name}.ipynb: {target.stat().st_size / 1e6:.1f} MB")
    return found


def main(argv=None):
    """Publish the chapters; returns an exit status."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER", help="which ones (default: all)")
    args = parser.parse_args(argv)
    dirty = uncommitted()
    if dirty:
        print(f"Not committed: {', '.join(dirty)}. Commit first, so that the published outputs "
              "belong to a known state.", file=sys.stderr)
        return 1
    status, store = 0, own_store()
    for name in args.chapters or chapter_names():
        for objection in publish(name, store):
            print(f"chapters/{name}.md is not published: {objection}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
