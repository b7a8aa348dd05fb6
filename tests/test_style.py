"""The linter and the type checker find nothing."""
import subprocess
import sys

import pytest

from tools.shared.source import ROOT


@pytest.mark.parametrize("checker", [["ruff", "check", "--no-cache", "."], ["pyright"]])
def test_checkers_find_nothing(checker):
    done = subprocess.run([sys.executable, "-m", *checker], cwd=ROOT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout[-5000:]


def test_what_loads_torch_is_what_trains():
    """Commands that do not train start quickly."""
    code = ("import sys, importlib; [importlib.import_module(f'tools.{name}') for name in "
            "('book', 'formulas', 'outputs', 'pdf', 'publish', 'run', 'serve')]; "
            "importlib.import_module('benchmarks.bench'); print('torch' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True)
    assert done.stdout == "False\n", done.stderr
