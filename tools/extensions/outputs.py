"""A Sphinx extension: myst-nb takes the chapters' outputs from the book's own stores.

So ``jupyter-book build .`` executes only a chapter that has no outputs as it is now; those
are then kept as ``make run`` keeps them.
"""
import myst_nb.core.execute
from docutils import nodes
from myst_nb.core.execute import ExecutionError, NotebookClientBase

from tools.shared import execution, store
from tools.shared.building import remarks
from tools.shared.source import CHAPTERS, code_cells


def join_streams(outputs):
    """The outputs, with what a cell printed without a break as one text.

    myst-nb's own option joins all texts of a cell: what was printed below a picture or a
    table would move above it.
    """
    joined = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if (output["output_type"] == last.get("output_type") == "stream"
                and output["name"] == last["name"]):
            last["text"] += output["text"]
        else:
            joined.append(output)
    return joined


class StoredOutputs(NotebookClientBase):
    """Fills a chapter's notebook from the stores; executes it where they have nothing."""

    def start_client(self):
        """Fill the notebook; raises ExecutionError with the failure in words."""
        assert self.path  # chapters are files
        name = self.path.stem
        run = store.shown_run(name, self.notebook)
        if run is None:
            self.logger.warning(f"{name} has no outputs as it is now: executing it", subtype="exec")
            try:
                run = execution.run(name, self.notebook, *execution.settle())
            except (execution.UnfitError, execution.FailedError) as err:
                raise ExecutionError(str(err)) from err
        run.fill(self.notebook)
        for cell in code_cells(self.notebook):
            for output in cell.outputs:  # data for the page of results: nothing to show
                output.get("data", {}).pop(store.FACTS, None)
            cell.outputs = join_streams(cell.outputs)
        self.exec_metadata = {
            "mtime": (run.folder / "run.json").stat().st_mtime, "runtime": run.record["seconds"],
            "method": "cache", "succeeded": True, "error": None, "traceback": None}


def announce(_app, config):
    """Say on every page where the book shows drawn data or the smoke budget."""
    if told := remarks():
        config.html_theme_options["announcement"] = " ".join(told)


def depend_on_modules(app, docname, _content):
    """Have a chapter read again where a module that it may import has changed."""
    if docname.startswith(f"{CHAPTERS.name}/"):
        for module in CHAPTERS.glob("*.py"):
            app.env.note_dependency(str(module))


def keep_latex(_app, doctree):
    """Leave LaTeX of an output, such as a table, to LaTeX: myst-nb takes it for a formula."""
    for block in list(doctree.findall(nodes.math_block)):
        if "text_latex" in block["classes"]:
            block.replace_self(nodes.raw("", block.astext(), format="latex"))


def setup(app):
    """Put it in the place of myst-nb's own cache."""
    myst_nb.core.execute.NotebookClientCache = StoredOutputs
    app.connect("config-inited", announce)
    app.connect("source-read", depend_on_modules)
    app.connect("doctree-read", keep_latex, priority=400)  # before formulas are looked at
    return {"parallel_read_safe": True}
