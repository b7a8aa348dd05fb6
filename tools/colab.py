"""Execute the published notebooks as Colab would: its versions, an empty folder, no checkout.

The versions are those of googlecolab/backend-info. The environment is made in _build/colab
(6 GB; TORCH=cpu takes PyTorch without CUDA, 2 GB) and used again. The budget is BUDGET, or
smoke; FASHION_MNIST_ROOT names the data, else the notebook downloads them.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time

from tools.environment import CPU_INDEX
from tools.shared.command import WordsError, in_words
from tools.shared.source import CHAPTERS, ROOT, chapter_names

COLAB = ROOT / "_build" / "colab"
PYTHON = COLAB / ("Scripts" if os.name == "nt" else "bin") / "python"
VERSION = "3.13"
# 2026-08.
TORCH = ["torch==2.11.0", "torchvision==0.26.0"]
PACKAGES = ["ipython==7.34.0", "ipykernel==6.17.1", "jupyter_client==7.4.9", "traitlets==5.7.1",
            "matplotlib==3.10.0", "matplotlib-inline==0.2.2", "numpy==2.1.3", "pandas==2.2.3",
            "requests", "pillow", "cloudpickle==3.1.2", "setuptools<81", "nbclient"]
EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient
name = sys.argv[1]
nb = nbformat.read(name, as_version=4)
NotebookClient(nb, timeout=None, kernel_name="python3").execute()
told = "".join(output.get("text", "") for cell in nb.cells if cell.cell_type == "code"
               for output in cell.outputs if output.get("name") == "stderr")
if "Warning" in told:
    sys.exit(f"{name} warned:\\n{told}")
"""


def make_environment(python):
    """Have Colab's versions in _build/colab."""
    ready = COLAB / "ready.txt"
    wanted = "\n".join([*TORCH, *PACKAGES, os.environ.get("TORCH", "")])
    if ready.exists() and ready.read_text(encoding="utf-8") == wanted:
        return
    found = shutil.which(python)
    if not found or subprocess.run([found, "--version"], capture_output=True).returncode:
        raise WordsError(f"Colab has Python {VERSION}, and there is no {python} here. Install it, "
                         "or name another one with --python.")
    print("Installing Colab's versions in _build/colab (some minutes)", flush=True)
    shutil.rmtree(COLAB, ignore_errors=True)
    subprocess.run([found, "-m", "venv", COLAB], check=True)
    index = ["--index-url", CPU_INDEX] if os.environ.get("TORCH") == "cpu" else []
    for packages in ([*index, *TORCH], PACKAGES):
        if subprocess.run([PYTHON, "-m", "pip", "install", "-q", *packages]).returncode:
            raise WordsError("Colab's versions could not be installed: the lines above say why.")
    ready.write_text(wanted, encoding="utf-8")


def execute(name):
    """Execute a notebook in an empty folder; raises WordsError where it fails or warns."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(CHAPTERS / f"{name}.ipynb", folder)
        env = {**os.environ, "BUDGET": os.environ.get("BUDGET") or "smoke"}
        done = subprocess.run([PYTHON, "-c", EXECUTE, f"{name}.ipynb"], cwd=folder, env=env)
    if done.returncode:
        raise WordsError(f"chapters/{name}.ipynb does not run with Colab's versions: the lines "
                         "above say where.")
    print(f"chapters/{name}.ipynb runs with Colab's versions "
          f"({time.monotonic() - start:.0f} s)", flush=True)


def main(argv=None):
    """Run the command line; returns an exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.colab", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=f"python{VERSION}",
                        help="the Python to make the environment with (default: %(default)s)")
    args = parser.parse_args(argv)
    make_environment(args.python)
    for name in chapter_names():
        execute(name)
    return 0


if __name__ == "__main__":
    sys.exit(in_words(main))
