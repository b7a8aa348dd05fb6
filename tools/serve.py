"""Show the site while you write: a saved change of text is in the browser within seconds.

Nothing that is unchanged is executed. A change of a code cell executes its chapter, at
BUDGET (smoke is the fastest), and keeps the outputs as `make run` does.
"""
import argparse
import logging
import socket
import sys
import time
import warnings
from typing import Any

import sphinx_autobuild.__main__ as autobuild
import sphinx_autobuild.build
from jupyter_book.config import get_final_config
from sphinx.cmd.build import build_main

from tools.shared.building import choose_outputs
from tools.shared.command import WordsError, in_words
from tools.shared.source import ROOT

BUILD = ROOT / "_build" / "serve"
IGNORED = ("_build", ".git", ".venv", "data", "tests")


class Builder(sphinx_autobuild.build.Builder):
    """Builds in a fork of this process, which has imported already what a build needs."""

    def __call__(self, *, changed_paths):
        """Run Sphinx; what it has to say, it prints."""
        print("".join(f"{path} has changed.\n" for path in changed_paths), end="", flush=True)
        start, fresh = time.monotonic(), []
        if any(path.suffix in (".yml", ".css", ".js", ".html") for path in changed_paths):
            write_conf()  # Sphinx does not look whether these have changed
            fresh = ["--fresh-env", "--write-all"]
        failed = build_main([*self.sphinx_args, *fresh])
        print("The build failed: the lines above say why. The old pages stay." if failed else
              f"Built in {time.monotonic() - start:.1f} s: {self.uri}", flush=True)


def refuse_taken(port):
    """Raise WordsError where another program listens at the port; 0 takes a free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as err:
            raise WordsError(f"Port {port} cannot be used ({err.strerror}): another program has "
                             "it. Choose another one: make serve PORT=8001") from err


def write_conf():
    """Write _config.yml as a conf.py, its paths absolute; returns that file's folder."""
    config: dict[str, Any]
    config, _ = get_final_config(user_yaml=ROOT / "_config.yml", sourcedir=ROOT,
                                 cli_config={"latex_individualpages": False})
    config |= {"html_static_path": [str(ROOT / "_static")],
               "templates_path": [str(ROOT / "_templates")],
               "html_logo": str(ROOT / config["html_logo"]),
               "html_favicon": str(ROOT / config["html_favicon"]),
               "external_toc_path": str(ROOT / "_toc.yml"),
               "bibtex_bibfiles": [str(ROOT / path) for path in config["bibtex_bibfiles"]]}
    lines = [f"{key} = {value!r}" for key, value in config.items()]
    BUILD.mkdir(parents=True, exist_ok=True)
    (BUILD / "conf.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return BUILD


def main(argv=None):
    """Serve until Ctrl-C; returns an exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.serve", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000,
                        help="where to serve; 0 takes a free port (default: %(default)s)")
    args = parser.parse_args(argv)
    refuse_taken(args.port)
    choose_outputs(own=False, any_budget=True)  # whatever there is: it is a preview
    ignored = [option for name in IGNORED for option in ("--ignore", str(ROOT / name))]
    logging.disable(logging.INFO)  # warnings are news, the icons' glyphs are not
    warnings.filterwarnings("ignore", category=FutureWarning, message=".*torch")
    autobuild.Builder = Builder
    return autobuild.main([str(ROOT), str(BUILD / "html"), "-c", str(write_conf()), "-q",
                           "-d", str(BUILD / "doctrees"), "--port", str(args.port), *ignored])


if __name__ == "__main__":
    sys.exit(in_words(main))
