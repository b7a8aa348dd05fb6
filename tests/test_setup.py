"""The set-up script: when it works, and what it says when it cannot."""
import collections
import importlib.util
import shutil
import subprocess

import pytest

from tools.shared.source import ROOT

SPEC = importlib.util.spec_from_file_location("book_setup", ROOT / "tools" / "setup.py")


@pytest.fixture
def book_setup(tmp_path, monkeypatch):
    """The script, set on an empty checkout; pip and venv are only noted."""
    module = importlib.util.module_from_spec(SPEC)
    SPEC.loader.exec_module(module)
    (tmp_path / "requirements.txt").write_text("torch\n")
    monkeypatch.setattr(module, "ROOT", str(tmp_path))
    monkeypatch.setattr(module, "VENV", str(tmp_path / ".venv"))
    monkeypatch.setattr(module, "READY", str(tmp_path / ".venv" / "ready"))
    monkeypatch.setattr(module, "PYTHON", str(tmp_path / ".venv" / "python"))
    module.calls = []

    def note(command):
        module.calls.append(command)
        (tmp_path / ".venv").mkdir(exist_ok=True)

    monkeypatch.setattr(module.subprocess, "check_call", note)
    return module


def test_installs_once_and_again_when_the_requirements_change(book_setup, tmp_path):
    assert book_setup.main() == 0 and len(book_setup.calls) == 2
    assert book_setup.main() == 0 and len(book_setup.calls) == 2
    (tmp_path / "requirements.txt").write_text("torch>=3\n")
    assert book_setup.main() == 0 and len(book_setup.calls) > 2


def test_failed_install_is_not_ready(book_setup, monkeypatch, capsys):
    def fail(command):
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(book_setup.subprocess, "check_call", fail)
    assert book_setup.main() == 1 and not book_setup.is_ready()
    assert "goes on where it stopped" in capsys.readouterr().err


def test_old_python(book_setup, monkeypatch, capsys):
    monkeypatch.setattr(book_setup.sys, "version_info", (3, 9, 2))
    assert book_setup.main() == 1 and not book_setup.calls
    assert "Python 3.11 or newer is needed and this is 3.9" in capsys.readouterr().err


def test_no_venv_module(book_setup, monkeypatch, capsys):
    monkeypatch.setitem(book_setup.sys.modules, "ensurepip", None)
    assert book_setup.main() == 1 and not book_setup.calls
    assert "python3-venv" in capsys.readouterr().err


def test_full_disk(book_setup, monkeypatch, capsys):
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(book_setup.shutil, "disk_usage", lambda path: usage(9e9, 8e9, 1e9))
    assert book_setup.main() == 1 and not book_setup.calls
    assert "has 1.0 GB free and the set-up needs 8" in capsys.readouterr().err


def test_make_help_lists_every_command():
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for command in ("setup", "run", "book", "test", "clean", "help"):
        assert f"\n{command} " in f"\n{shown}"
