"""Set the book up: a virtual environment in .venv with the versions of requirements.lock.

Needs nothing but Python itself. Does nothing where .venv is as it should be. Environment
variables choose, and a choice holds until another is named:

``PYTHON``  the Python to make .venv with (where ``make`` runs this; else the one that runs it)
``LATEST``  1: the newest versions that requirements.txt allows; 0: those of the lock
``TORCH``   cpu: PyTorch without CUDA, from PyTorch's own index; pypi: PyPI's
"""
# ruff: noqa: UP010, UP032
# Old syntax on purpose: Python 2.7 and 3.6 must get as far as the message below.
from __future__ import print_function

import errno
import hashlib
import importlib
import json
import os
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
OLDEST, NEWEST = (3, 11), (3, 13)
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
EVERY = 10  # seconds between two lines of progress
CURES = {"No space left on device": "The disk is full: free some space.",
         "connection broken": "There is no way to the packages: is there a network, a proxy?"}


class SetupError(Exception):
    """What keeps the book from being set up, with the cure."""


def path(*parts):
    """The path of a file in the checkout."""
    return os.path.join(ROOT, *parts)


def venv_python():
    """The path of the .venv's interpreter."""
    return path(".venv", *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))


def make_folder(folder):
    """Make a folder where there is none."""
    if not os.path.isdir(folder):
        os.makedirs(folder)


def read_record():
    """What the last set-up noted about .venv; empty if there was none."""
    try:
        with open(path(".venv", "ready.json")) as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def write_record(**record):
    """Note what .venv is, whole or not at all."""
    with open(path(".venv", "ready.part"), "w") as file:
        json.dump(record, file)
    os.replace(path(".venv", "ready.part"), path(".venv", "ready.json"))


def choice(name, values, record):
    """What the variable says, else what the last set-up did, else the first value."""
    value = os.environ.get(name) or record.get(name) or values[0]
    if value not in values:
        raise SetupError("{}={} means nothing here: choose {}.".format(
            name, value, " or ".join(values)))
    return value


def wanted(latest):
    """The hash of the files that say what to install."""
    files = ["requirements.txt"] if latest == "1" else ["requirements.txt", "requirements.lock"]
    digest = hashlib.sha256()
    for name in files:
        with open(path(name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def look():
    """What the .venv's Python says of itself, as a dict; None if it does not run."""
    code = ("import importlib.util, json, sys, sysconfig; print(json.dumps(dict("
            "version=sys.version_info[:2], base=sys.base_prefix, "
            "site=sysconfig.get_path('purelib'), "
            "pip=bool(importlib.util.find_spec('pip')))))")
    try:
        said = subprocess.check_output([venv_python(), "-I", "-c", code],
                                       stderr=subprocess.STDOUT)
        return json.loads(said.decode())
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None


def fits(version, latest):
    """Whether the book is for this Python; a newer one may be tried with LATEST=1."""
    return OLDEST <= tuple(version) and (latest == "1" or tuple(version) <= NEWEST)


def fault(seen, record, latest, torch):
    """Why .venv must be made anew; None if it can stay."""
    if seen is None:
        return "its Python is gone"
    version = "{}.{}".format(*seen["version"])
    if not fits(seen["version"], latest):
        return "its Python {} is none of {}".format(version, span())
    if record.get("version", seen["version"]) != seen["version"]:
        return "its Python was {}.{} and is now {}".format(*record["version"] + [version])
    if record.get("folder", ROOT) != ROOT:
        return "it was made in {}".format(record["folder"])
    # Without make, whoever runs this has named the Python.
    named = "PYTHON" in os.environ or "MAKELEVEL" not in os.environ
    here = [list(sys.version_info[:2]), os.path.realpath(sys.base_prefix)]
    if named and here != [seen["version"], os.path.realpath(seen["base"])]:
        return "another Python made it, in {}".format(seen["base"])
    if record.get("TORCH", torch) != torch:
        return "it holds another PyTorch than TORCH={}".format(torch)
    return None


def span():
    """The Pythons that the book is for, in words."""
    return "{}.{} to {}.{}".format(*OLDEST + NEWEST)


def has_module(name):
    """Whether this Python can import it."""
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def check_python(latest):
    """SetupError unless .venv can be made with the Python that runs this."""
    version = "{}.{}".format(*sys.version_info[:2])
    if sys.version_info[:2] < OLDEST:
        raise SetupError("Python 3.11 or newer is needed and this is {}. Install one, then name "
                         "it: make setup PYTHON=python3.12".format(version))
    if not fits(sys.version_info[:2], latest):
        raise SetupError("The book's versions are for Python {} and this is {}. Name another: "
                         "make setup PYTHON=python3.12, or try the newest packages: make setup "
                         "LATEST=1".format(span(), version))
    if not all(map(has_module, ("ensurepip", "venv"))):
        raise SetupError("This Python has no venv module. On Debian and Ubuntu: apt install "
                         "python3-venv. Then run this again.")


def check_disk(torch):
    """SetupError unless the disk can hold .venv and what pip unpacks meanwhile.

    Returns about how many gigabytes .venv will have.
    """
    final, needed = (7, 10) if torch == "pypi" and sys.platform == "linux" else (2, 4)
    here = sum(os.lstat(os.path.join(folder, name)).st_size
               for folder, _, names in os.walk(path(".venv")) for name in names)
    free = shutil.disk_usage(ROOT).free
    if free + here < needed * 1e9:
        raise SetupError("The disk that holds {} has {:.1f} GB free and the set-up needs {:.1f}. "
                         "Free some space, then run this again.".format(
                             ROOT, free / 1e9, needed - here / 1e9))
    return final


def pip_commands(latest, torch):
    """The commands that fill .venv."""
    pip = [venv_python(), "-I", "-u", "-m", "pip", "--disable-pip-version-check", "--no-input",
           "install", "--progress-bar", "off"]
    # As constraints: the lock's CUDA libraries only come if the PyTorch in .venv asks for them.
    lock = ["--upgrade", "--upgrade-strategy", "eager"] if latest == "1" else [
        "-c", path("requirements.lock")]
    commands = [pip + lock + ["-r", path("requirements.txt")]]
    if torch == "cpu":
        commands.insert(0, pip + lock + ["--no-deps", "--index-url", CPU_INDEX,
                                         "torch", "torchvision"])
    return commands


def clock(start):
    """Minutes and seconds since then."""
    return "{}:{:02d}".format(*divmod(int(time.time() - start), 60))


def last_lines(count):
    """The end of the log."""
    with open(path("_build", "setup.log"), "rb") as file:
        return file.read().decode("utf-8", "replace").splitlines()[-count:]


def end_process(process):
    """Wait until it has ended: Ctrl-C has reached it, too, and it may tidy up; else kill it."""
    try:
        process.wait(EVERY)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def execute(command, log, start):
    """Run a command, its output in the log; SetupError with the log's end if it fails."""
    # The temporary folder of the system may be small; this one is on the disk that was checked.
    temporary = path("_build", "setup-tmp")
    make_folder(temporary)
    env = dict(os.environ, TMPDIR=temporary, TEMP=temporary, TMP=temporary)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                               stderr=subprocess.STDOUT, env=env)
    try:
        while process.poll() is None:
            try:
                process.wait(EVERY)
            except subprocess.TimeoutExpired:
                line = "".join(last_lines(1)).strip()
                print("{:>6}  {}".format(clock(start), line[:80]), flush=True)
    finally:
        end_process(process)
        shutil.rmtree(temporary, ignore_errors=True)
    if process.returncode:
        end = "\n".join(last_lines(12))
        cures = [cure for sign, cure in CURES.items() if sign in end]
        raise SetupError("{}\n\nThe set-up failed. Above is the end of {}. {} Then run this again: "
                         "it goes on where it stopped; or delete .venv to start afresh.".format(
                             end, path("_build", "setup.log"),
                             " ".join(cures) or "Mend what it says."))


def write_paths(site):
    """Let every process of .venv import the checkout's packages and modules.

    The paths are relative to site-packages, so that they hold in a renamed folder, too.
    """
    lines = "".join(os.path.relpath(folder, os.path.realpath(site)) + "\n"
                    for folder in (ROOT, path("chapters"), path("tools", "shared")))
    book = os.path.join(site, "book.pth")
    if os.path.exists(book):
        with open(book) as file:
            if file.read() == lines:
                return
    with open(book, "w") as file:
        file.write(lines)


def remove_venv(python, log, start):
    """Remove .venv; one that is half removed stands in _build, where nothing uses it."""
    old = path("_build", "old-venv")
    if os.path.islink(path(".venv")):
        os.unlink(path(".venv"))
    elif os.path.lexists(path(".venv")):
        if os.path.lexists(old):
            shutil.rmtree(old)
        os.rename(path(".venv"), old)
    if os.path.lexists(old):
        remove = "import shutil, sys; print('Removing the old .venv'); shutil.rmtree(sys.argv[1])"
        execute([python, "-I", "-u", "-c", remove, old], log, start)


def make_venv(log, start):
    """Make .venv, empty, in place of the one that there may be; returns what it says of itself."""
    python = getattr(sys, "_base_executable", sys.executable)  # not the active .venv's own
    remove_venv(python, log, start)
    execute([python, "-I", "-m", "venv", path(".venv")], log, start)
    seen = look()
    if seen is None:
        raise SetupError("{} was made and does not run. Name another Python: make setup "
                         "PYTHON=python3.12".format(venv_python()))
    return seen


def fill_venv(seen, record, log, start):
    """Install into .venv what the record's choices say."""
    if not seen["pip"]:
        execute([venv_python(), "-I", "-m", "ensurepip"], log, start)
    for command in pip_commands(record["LATEST"], record["TORCH"]):
        execute(command, log, start)
    write_paths(seen["site"])


def set_up():
    """Make .venv what it should be; raises SetupError where that is not possible."""
    if sys.version_info < (3,):  # noqa: UP036
        check_python("0")
    record = read_record()
    latest = choice("LATEST", ("0", "1"), record)
    torch = choice("TORCH", ("pypi", "cpu"), record)
    seen = look()
    why = fault(seen, record, latest, torch)
    if seen and not why and record.get("requirements") == wanted(latest):
        write_paths(seen["site"])
        return
    work = "what has changed"
    if why:
        check_python(latest)
        work = ("about {} GB, most of it PyTorch; 3 to 20 minutes, which depends on the "
                "network".format(check_disk(torch)))
        if os.path.lexists(path(".venv")):
            print("Making .venv anew: {}.".format(why))
    print("Setting up .venv: {}. pip's words go to _build/setup.log.".format(work), flush=True)
    start = time.time()
    make_folder(path("_build"))
    with open(path("_build", "setup.log"), "wb") as log:
        if why or seen is None:
            seen = make_venv(log, start)
        record = dict(version=seen["version"], folder=ROOT, TORCH=torch, LATEST=latest)
        write_record(**record)
        fill_venv(seen, record, log, start)
    write_record(requirements=wanted(latest), **record)
    print("Set up in {}.".format(clock(start)))


def main():
    """Set the book up; returns an exit status, 130 after Ctrl-C."""
    try:
        set_up()
    except SetupError as err:
        print(err, file=sys.stderr)
        return 1
    except OSError as err:
        print("The set-up failed: {}. {} Then run this again.".format(
            err, "Free some space." if err.errno == errno.ENOSPC else "Mend that."),
            file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run this again: it goes on where it stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
