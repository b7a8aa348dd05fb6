"""Where the outputs of executed chapters are kept, for the runner and for Sphinx.

There are two stores: this machine's own runs, and the published notebooks
``chapters/*.ipynb``. As a Sphinx extension this module lets myst-nb take outputs from
them, so that ``jupyter-book build .`` executes only what has no outputs yet.
"""
import hashlib
import os
import sys
from pathlib import Path

import myst_nb.core.execute.cache as myst_nb_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.cache.main import JupyterCacheBase

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = ROOT / "chapters"
sys.path.insert(0, str(CHAPTERS))
import fashion  # noqa: E402


class Store(JupyterCacheBase):
    """A jupyter-cache that goes by code and tags: a new caption executes nothing.

    What it lacks is taken from ``fallback``, another Store.
    """
    fallback = None

    def create_hashed_notebook(self, nb, nb_metadata=("kernelspec",), cell_metadata=("tags",)):
        """The notebook without Markdown cells, and its key."""
        return super().create_hashed_notebook(nb, nb_metadata, cell_metadata)

    def match_cache_notebook(self, nb):
        """The record of a notebook's outputs; KeyError where there are none."""
        try:
            return super().match_cache_notebook(nb)
        except KeyError:
            if self.fallback:
                return self.fallback.match_cache_notebook(nb)
            raise

    def merge_match_into_notebook(self, nb, nb_meta=("kernelspec", "language_info"),
                                  cell_meta=()):
        """The notebook with the outputs kept for it and its own metadata."""
        owner = self
        try:
            super().match_cache_notebook(nb)
        except KeyError:
            owner = self.fallback or self
        return JupyterCacheBase.merge_match_into_notebook(owner, nb, nb_meta, cell_meta)

    def keep(self, nb, name, seconds):
        """Keep a chapter's outputs; ``seconds`` is how long it ran."""
        bundle = CacheBundleIn(nb, str(CHAPTERS / f"{name}.md"),
                               data={"execution_seconds": seconds})
        self.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)


def modules_hash():
    """One hash of the modules that the chapters share."""
    state = hashlib.sha256()
    for module in sorted(CHAPTERS.glob("*.py")):
        state.update(module.read_bytes())
    return state.hexdigest()[:16]


def _folder():
    return ROOT / "_build" / "outputs"


def own_store():
    """This machine's outputs for the shared modules, budget and data as they are now."""
    state = f"{modules_hash()}, {os.environ.get('BUDGET', '')}, {fashion.source()}"
    return Store(_folder() / hashlib.sha256(state.encode()).hexdigest()[:16])


def published_store():
    """The published notebooks' outputs, for the shared modules as they are now."""
    return Store(_folder() / f"published-{modules_hash()}")


def prefer(which):
    """Say whether the site shows ``own`` or ``published`` outputs where it has both."""
    _folder().mkdir(parents=True, exist_ok=True)
    (_folder() / "preferred").write_text(which)


def site_store(_path=None):
    """The store that the site is built from."""
    preferred = _folder() / "preferred"
    stores = [own_store(), published_store()]
    if preferred.exists() and preferred.read_text() == "published":
        stores.reverse()
    stores[0].fallback = stores[1]
    return stores[0]


def setup(_app):
    """Give myst-nb this store in place of its own."""
    myst_nb_cache.get_cache = site_store
    return {"parallel_read_safe": True}
