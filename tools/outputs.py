"""Where the outputs of executed chapters are kept, for the runner and for Sphinx.

As a Sphinx extension it lets myst-nb take outputs from here, so that
``jupyter-book build .`` executes only what has no outputs yet.
"""
import hashlib
import os
import sys
from pathlib import Path

import myst_nb.core.execute.cache as myst_nb_cache
from jupyter_cache.cache.main import JupyterCacheBase

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = ROOT / "chapters"
sys.path.insert(0, str(CHAPTERS))
import fashion  # noqa: E402


class Store(JupyterCacheBase):
    """A jupyter-cache that goes by code and tags: a new caption executes nothing."""

    def create_hashed_notebook(self, nb, nb_metadata=("kernelspec",), cell_metadata=("tags",)):
        """The notebook without Markdown cells, and its key."""
        return super().create_hashed_notebook(nb, nb_metadata, cell_metadata)

    def merge_match_into_notebook(self, nb, nb_meta=("kernelspec", "language_info"),
                                  cell_meta=()):
        """The notebook with the outputs kept for it and its own metadata."""
        return super().merge_match_into_notebook(nb, nb_meta, cell_meta)


def open_store(_path=None):
    """The outputs that belong to the shared modules, budget and data as they are now."""
    state = hashlib.sha256()
    for module in sorted(CHAPTERS.glob("*.py")):
        state.update(module.read_bytes())
    state.update(f"{os.environ.get('BUDGET', '')}, {fashion.source()}".encode())
    return Store(ROOT / "_build" / "outputs" / state.hexdigest()[:16])


def setup(_app):
    """Give myst-nb this store in place of its own."""
    myst_nb_cache.get_cache = open_store
    return {"parallel_read_safe": True}
