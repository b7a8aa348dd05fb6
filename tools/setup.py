"""Set the book up: a virtual environment in .venv with what requirements.txt lists.

Needs nothing but Python itself. Does nothing where the environment is already as
requirements.txt says.
"""
# Old syntax on purpose: an old Python must get as far as the message below.
import hashlib
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
READY = os.path.join(VENV, "ready")  # the requirements that were installed, as a hash
PYTHON = os.path.join(VENV, "Scripts" if os.name == "nt" else "bin", "python")
GIGABYTES = 8  # torch with its CUDA libraries, unpacked, and pip's copy while it installs


def problem():
    """What keeps this machine from being set up, with the cure; None if nothing does."""
    if sys.version_info < (3, 11):
        return ("Python 3.11 or newer is needed and this is {}.{}. Install one, then name it: "
                "make setup PYTHON=python3.12".format(*sys.version_info[:2]))
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return ("This Python has no venv module. On Debian and Ubuntu: "
                "apt install python3-venv. Then run this again.")
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < GIGABYTES:
        return ("The disk that holds {} has {:.1f} GB free and the set-up needs {}. "
                "Free some space, then run this again.".format(ROOT, free, GIGABYTES))
    return None


def wanted():
    """The hash of requirements.txt."""
    with open(os.path.join(ROOT, "requirements.txt"), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def is_ready():
    """Whether .venv holds what requirements.txt lists now."""
    if not os.path.exists(READY):
        return False
    with open(READY) as file:
        return file.read() == wanted()


def main():
    """Create .venv and install into it; returns an exit status."""
    if is_ready():
        return 0
    trouble = problem()
    if trouble:
        print(trouble, file=sys.stderr)
        return 1
    print("Setting up .venv: about 6 GB, some minutes, most of it PyTorch.", flush=True)
    pip = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check"]
    try:
        if not os.path.exists(PYTHON):
            subprocess.check_call([sys.executable, "-m", "venv", VENV])
        subprocess.check_call(pip + ["-r", os.path.join(ROOT, "requirements.txt")])
    except (OSError, subprocess.CalledProcessError) as err:
        print("The set-up failed ({}). The lines above say why. Mend that and run this again: "
              "it goes on where it stopped; or delete .venv to start afresh.".format(err),
              file=sys.stderr)
        return 1
    with open(READY, "w") as file:
        file.write(wanted())
    print("Set up.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
