"""Where the outputs of executed chapters are kept: a folder a run, text and pictures apart.

A run is kept under the key of what ran: its code cells and tags, the modules of
``chapters/`` that they import, and where it ran (budget, kind of device, data). Comments,
docstrings, prose, captions and alt texts are no part of it. There are two stores with the
same files: ``published/`` (committed; what the site and the PDF show) and
``_build/outputs`` (this machine's runs).
"""
import ast
import base64
import copy
import dataclasses
import functools
import hashlib
import json
import os
import shutil
import time
from pathlib import Path

import nbformat

from tools.shared.command import WordsError
from tools.shared.source import CHAPTERS, ROOT, code_cells

REAL = "Fashion-MNIST"  # the data of a run that may be published, as chapters/fashion.py says
FACTS = "application/vnd.normalize-add-concatenate.facts+json"
OWN, PUBLISHED = ROOT / "_build" / "outputs", ROOT / "published"
ENDINGS = {"image/svg+xml": "svg", "application/pdf": "pdf", "image/png": "png",
           "text/html": "html"}  # what stands in files of its own
BINARY = ("application/pdf", "image/png")
GENERATED = "by tools/run.py; python -m tools.outputs lists it; do not edit"


class DamagedError(WordsError):
    """A kept run that cannot be read; says which file, and the cure."""


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a chapter runs: what its outputs depend on besides its code."""
    budget: str  # one of machine.BUDGETS
    device: str  # the kind: cpu, cuda or mps
    data: str  # REAL, or what stands in for it


def _shape(node):
    """A syntax tree without positions, comments, docstrings and empty fields."""
    if isinstance(node, list):
        return [_shape(one) for one in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = {name: value for name, value in ast.iter_fields(node)
              if value not in (None, []) and name not in ("kind", "type_comment", "ctx")}
    body = fields.get("body")
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) \
            and body and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = body[1:]
    return [type(node).__name__, *([name, _shape(value)] for name, value in fields.items())]


@functools.cache  # a build asks for each several times
def code_hash(source):
    """A hash of what a piece of Python does; of its text where it is no plain Python."""
    try:
        text = json.dumps(_shape(ast.parse(source)))
    except SyntaxError:
        text = source
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def modules(sources, folder=None):
    """The modules of ``chapters/`` that some pieces of code import, and what these import."""
    found, waiting, folder = {}, list(sources), folder or CHAPTERS
    while waiting:
        try:
            tree = ast.parse(waiting.pop())
        except SyntaxError:  # a line of IPython's own, which imports nothing
            continue
        for node in ast.walk(tree):
            names = ([alias.name for alias in node.names] if isinstance(node, ast.Import) else
                     [node.module] if isinstance(node, ast.ImportFrom) and node.module else [])
            for path in (folder / f"{name}.py" for name in names):
                if path.name not in found and path.is_file():
                    found[path.name] = path.read_text(encoding="utf-8")
                    waiting.append(found[path.name])
                    script = path.with_suffix(".js")  # that it puts into outputs
                    if script.is_file():
                        found[script.name] = script.read_text(encoding="utf-8")
    return dict(sorted(found.items()))


def cell_hash(cell):
    """What a code cell does, and its tags."""
    tags = " ".join(sorted(cell.metadata.get("tags", [])))
    return code_hash(cell.source) + hashlib.sha256(tags.encode()).hexdigest()[:4]


def code_key(nb):
    """What a chapter's outputs depend on: its code cells, and the modules that they import."""
    codes = code_cells(nb)
    imported = modules(cell.source for cell in codes)
    return {"modules": {name: code_hash(text) for name, text in imported.items()},
            "cells": [cell_hash(cell) for cell in codes]}


def _digest(*parts):
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


class Run:
    """One kept run of a chapter, as it lies in its folder."""

    def __init__(self, folder):
        self.folder = folder
        try:
            self.record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
            self.key, self.cells = self.record["key"], self.record["cells"]
            self.place = Place(**self.record["place"])
            if self.record["sha256"] != _checksum(self.record):
                raise ValueError("it was changed by hand")
        except (OSError, ValueError, KeyError, TypeError) as err:
            raise DamagedError(f"{folder / 'run.json'} is damaged ({err}). {self._cure()}") from err

    def _cure(self):
        if self.folder.is_relative_to(PUBLISHED):
            return f"Bring it back: git checkout -- {self.folder.relative_to(ROOT).as_posix()}"
        return "Delete that folder; `make run` then executes the chapter again."

    @property
    def facts(self):
        """What the chapter handed over as data in its last cell; empty where it did not."""
        return next((output["data"][FACTS] for output in reversed(self.cells[-1]["outputs"])
                     if FACTS in output.get("data", {})), {}) if self.cells else {}

    def fill(self, nb):
        """Give the notebook's code cells their outputs, in place; returns the notebook."""
        for cell, kept in zip(code_cells(nb), self.cells, strict=True):
            cell.outputs = [nbformat.from_dict(self._with_files(one)) for one in kept["outputs"]]
            cell.execution_count = kept["execution_count"]
        nb.metadata["language_info"] = nbformat.from_dict(self.record["language_info"])
        return nb

    def _with_files(self, output):
        """An output with its files' contents in their names' places."""
        if "data" not in output:
            return output
        return output | {"data": {kind: self._read(kind, value["file"], value["sha256"])
                                  if isinstance(value, dict) and "file" in value else value
                                  for kind, value in output["data"].items()}}

    def _read(self, kind, name, sha256):
        path = self.folder / name
        try:
            content = path.read_bytes()
        except OSError as err:
            raise DamagedError(f"{path} cannot be read ({err.strerror}). {self._cure()}") from err
        if hashlib.sha256(content).hexdigest() != sha256:
            raise DamagedError(f"{path} is damaged or was changed by hand. {self._cure()}")
        return base64.b64encode(content).decode() if kind in BINARY else content.decode()


def _checksum(record):
    """The hash of all outputs, their files' hashes included."""
    return hashlib.sha256(json.dumps(record["cells"], sort_keys=True).encode()).hexdigest()


def _take_apart(output, number, files):
    """An output as JSON; its pictures go into ``files``: name to bytes."""
    output = json.loads(json.dumps(output))
    for kind, value in output.get("data", {}).items():
        if kind not in ENDINGS:
            continue
        text = "".join(value)
        content = base64.b64decode(text) if kind in BINARY else text.encode()
        sha256 = hashlib.sha256(content).hexdigest()
        name = f"cell{number:03d}-{sha256[:8]}.{ENDINGS[kind]}"
        files[name] = content
        output["data"][kind] = {"file": name, "sha256": sha256}
    return output


def write(nb, key, place, seconds, target):
    """Keep an executed notebook's outputs as the folder ``target``, under the key of its code.

    Written beside it, read back, then renamed: a full disk or Ctrl-C leaves no half run.
    Raises OSError where there is no room, in which case nothing is kept.
    """
    files, cells = {}, []
    for number, cell in enumerate(code_cells(nb), start=1):
        cells.append({"execution_count": cell.execution_count,
                      "outputs": [_take_apart(one, number, files) for one in cell.outputs]})
    record = {"generated": GENERATED, "place": dataclasses.asdict(place),
              "finished": time.strftime("%Y-%m-%d %H:%M:%S"), "seconds": round(seconds, 1),
              "language_info": nb.metadata.get("language_info", {}), "key": key,
              "cells": cells}
    record["sha256"] = _checksum(record)
    files["run.json"] = (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()
    put(target, files)


def put(target, files):
    """Make ``target`` a folder of these files (name to bytes), or leave it as it was."""
    fresh = target.with_name(f".{target.name}-{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        fresh.mkdir(parents=True)
        for name, content in files.items():
            (fresh / name).write_bytes(content)
            if (fresh / name).read_bytes() != content:
                raise OSError(None, "what was written cannot be read back", str(fresh / name))
        shutil.rmtree(target, ignore_errors=True)
        try:
            fresh.replace(target)
        except OSError:
            if not (target / "run.json").exists():  # else another process has kept the same
                raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def own_folder(name, key, place):
    """Where this machine keeps a chapter's run of that code and at that place."""
    return OWN / name / _digest(key, dataclasses.asdict(place))


def own_run(name, nb, place):
    """This machine's run of the chapter as it is now, at that place; None if there is none.

    A damaged one is told and counts as none: it will be made anew.
    """
    folder = own_folder(name, code_key(nb), place)
    if not (folder / "run.json").exists():
        return None
    try:
        run = Run(folder)
        run.fill(copy.deepcopy(nb))
        return run
    except DamagedError as err:
        print(f"{err} It counts as none.", flush=True)
        return None


def own_runs(name, nb):
    """This machine's runs of the chapter as it is now, the newest first, at any place."""
    key, found = code_key(nb), []
    for path in (OWN / name).glob("[!.]*/run.json"):
        try:
            found.append(Run(path.parent))
        except DamagedError as err:
            print(f"{err} It counts as none.", flush=True)
    return sorted((run for run in found if run.key == key),
                  key=lambda run: run.record["finished"], reverse=True)


def published_run(name, nb=None):
    """The published run; None if there is none, or ``nb`` and it differ in what runs.

    Raises DamagedError, with the cure, where it was edited or cut.
    """
    folder = PUBLISHED / name
    if not (folder / "run.json").exists():
        return None
    run = Run(folder)
    return run if nb is None or run.key == code_key(nb) else None


def expected_seconds(name, nb, place):
    """How long a run took that was like this one; None if there was none."""
    before = [*own_runs(name, nb), *filter(None, [published_run(name)])]
    return next((run.record["seconds"] for run in before
                 if (run.place.budget, run.place.device) == (place.budget, place.device)), None)


def publish(name, run):
    """Make this the published run of a chapter."""
    put(PUBLISHED / name, {path.name: path.read_bytes() for path in Path(run.folder).iterdir()})


def shown_run(name, nb):
    """The run that this build shows: the published one, else this machine's newest, else None.

    With the variable ``OUTPUTS=own`` this machine's comes first.
    """
    stores = [published_run, lambda name, nb: next(iter(own_runs(name, nb)), None)]
    if os.environ.get("OUTPUTS") == "own":
        stores.reverse()
    return stores[0](name, nb) or stores[1](name, nb)
