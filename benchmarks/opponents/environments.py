"""An opponent's own environment: made on demand, with the book's packages below its own.

So torch is the same for all, nothing is installed twice, and the book needs no opponent.
"""
import hashlib
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from benchmarks.opponents import HERE
from tools.shared.source import ROOT

FOLDER = ROOT / "_build" / "opponents"


def is_ready(name):
    """Whether an opponent needs no environment, or has the one that its pins ask for."""
    ready = FOLDER / name / "ready"
    return not pins(name).exists() or (ready.exists() and ready.read_text() == state(name))


def pins(name):
    """The file that says which packages an opponent needs besides the book's."""
    return HERE / f"{name}.txt"


def state(name):
    """What an environment is made of: the pins and the Python."""
    return hashlib.sha256(pins(name).read_bytes() + sys.version.encode()).hexdigest()


def python(name):
    """The interpreter of an opponent's environment; the book's own where it needs no more.

    Raises RuntimeError, with the cure, where its packages cannot be had.
    """
    if not pins(name).exists():
        return sys.executable
    folder = FOLDER / name
    interpreter = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if is_ready(name):
        return str(interpreter)
    print(f"Making {folder} for {name}", flush=True)
    run(sys.executable, "-m", "venv", "--clear", "--without-pip", folder)
    own = run(interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    Path(own.strip(), "book.pth").write_text(sysconfig.get_path("purelib") + "\n")
    if any(line[0] != "#" for line in pins(name).read_text().splitlines()):
        run(sys.executable, "-m", "pip", "--python", interpreter, "install", "--no-deps",
            "--quiet", "--disable-pip-version-check", "--requirement", pins(name))
    (folder / "ready").write_text(state(name))
    return str(interpreter)


def run(*command):
    """What a command prints; RuntimeError with its complaint where it fails."""
    done = subprocess.run(command, text=True, capture_output=True)
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(map(str, command))} failed:\n{done.stderr.strip()[-2000:]}\nAn opponent's "
            "packages come from PyPI: connect to the network and run again, or leave out whose "
            "packages are not there: python -m benchmarks.bench --installed")
    return done.stdout
