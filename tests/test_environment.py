"""The set-up: what it installs and when, what it says when it cannot, and the lock."""
import ast
import collections
import errno
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest
from packaging.requirements import Requirement

from tools.shared.source import ROOT

SCRIPT = ROOT / "tools" / "environment.py"
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
HERE = list(sys.version_info[:2])


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """The script, set on an empty checkout; what it would execute is only noted."""
    spec = importlib.util.spec_from_file_location("book_environment", SCRIPT)
    assert spec and spec.loader
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "requirements.txt").write_text("torch\n")
    (tmp_path / "requirements.lock").write_text("torch==2\n")
    for name in ("PYTHON", "LATEST", "TORCH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MAKELEVEL", "1")
    monkeypatch.setattr(module, "ROOT", str(tmp_path))
    monkeypatch.setattr(module.shutil, "disk_usage", disk(free=99e9))
    monkeypatch.setattr(module, "look",
                        lambda: module.seen if module.seen["site"].exists() else None)
    module.seen = {"version": HERE, "base": sys.base_prefix, "pip": True,
                   "site": tmp_path / ".venv" / "site-packages"}
    module.calls = []

    def note(command, log, start):
        module.calls.append(command)
        if "venv" in command:
            module.seen["site"].mkdir(parents=True)
        if "rmtree" in command[-2]:
            shutil.rmtree(command[-1])

    module.really_execute, module.execute = module.execute, note
    return module


def disk(free):
    """A stand-in for ``shutil.disk_usage`` with so many bytes free."""
    usage = collections.namedtuple("usage", "total used free")
    return lambda path: usage(1e12, 1e12 - free, free)


def made_anew(environment):
    """Set up, whether .venv was made in the course of it."""
    environment.calls.clear()
    assert environment.main() == 0
    return any("venv" in command for command in environment.calls)


def test_installs_once_and_again_when_the_versions_change(environment, tmp_path):
    assert made_anew(environment)
    (install,) = (command for command in environment.calls if "install" in command)
    assert install[install.index("-c") + 1] == str(tmp_path / "requirements.lock")
    assert not made_anew(environment) and not environment.calls
    for name in ("requirements.txt", "requirements.lock"):
        (tmp_path / name).write_text("torch==3\n")
        assert not made_anew(environment) and environment.calls == [install]


def test_latest_takes_the_ranges_until_the_lock_is_named(environment, monkeypatch, tmp_path):
    assert environment.main() == 0
    monkeypatch.setenv("LATEST", "1")
    assert not made_anew(environment) and "--upgrade" in environment.calls[0]
    assert str(tmp_path / "requirements.lock") not in environment.calls[0]
    monkeypatch.delenv("LATEST")
    (tmp_path / "requirements.lock").write_text("torch==4\n")
    assert not made_anew(environment) and not environment.calls
    monkeypatch.setenv("LATEST", "0")
    assert not made_anew(environment) and "-c" in environment.calls[0]


def test_torch_without_cuda_comes_first_and_stays(environment, monkeypatch):
    monkeypatch.setenv("TORCH", "cpu")
    assert made_anew(environment)
    first, second = (command for command in environment.calls if "install" in command)
    assert first[first.index("--index-url") + 1] == "https://download.pytorch.org/whl/cpu"
    assert {"--no-deps", "torch", "torchvision", "-c"} <= set(first)
    assert "--index-url" not in second and "-r" in second
    monkeypatch.delenv("TORCH")
    assert not made_anew(environment) and not environment.calls
    monkeypatch.setenv("TORCH", "pypi")
    assert made_anew(environment)


@pytest.mark.parametrize("name", ["TORCH", "LATEST"])
def test_unknown_choice(environment, monkeypatch, capsys, name):
    monkeypatch.setenv(name, "rocm")
    assert environment.main() == 1 and not environment.calls
    assert f"{name}=rocm means nothing here: choose" in capsys.readouterr().err


@pytest.mark.parametrize("change, why", [
    ({"version": [3, 9]}, "its Python 3.9 is none of 3.11 to 3.13"),
    ({"version": [3, 14]}, "its Python 3.14 is none of 3.11 to 3.13"),
    ({"version": [3, 11 + (HERE[1] == 11)]}, "its Python was {}.{} and is now".format(*HERE)),
])
def test_another_python_than_at_the_set_up(environment, capsys, change, why):
    assert environment.main() == 0
    environment.seen.update(change)
    assert made_anew(environment) and why in capsys.readouterr().out


def test_python_gone(environment, capsys, tmp_path):
    assert environment.main() == 0
    (tmp_path / ".venv" / "site-packages").rename(tmp_path / ".venv" / "elsewhere")
    assert made_anew(environment) and "its Python is gone" in capsys.readouterr().out
    assert not (tmp_path / ".venv" / "elsewhere").exists()


def test_only_a_named_python_replaces_another(environment, monkeypatch, capsys):
    assert environment.main() == 0
    environment.seen["base"] = "/usr/another"
    assert not made_anew(environment)
    monkeypatch.setenv("PYTHON", "python3")
    assert made_anew(environment)
    assert "another Python made it, in /usr/another" in capsys.readouterr().out
    monkeypatch.delenv("PYTHON")
    monkeypatch.delenv("MAKELEVEL")
    assert made_anew(environment), "without make, whoever runs the script has named the Python"


def test_linked_environment_of_another_checkout_is_left_alone(environment, tmp_path):
    other = tmp_path / "other"
    (other / "site-packages").mkdir(parents=True)
    (other / "ready.json").write_text('{"folder": "/elsewhere"}')
    (tmp_path / ".venv").symlink_to(other)
    assert made_anew(environment)
    assert (other / "ready.json").exists() and not (tmp_path / ".venv").is_symlink()


def test_missing_pip_is_brought_back(environment, tmp_path):
    assert environment.main() == 0
    environment.seen["pip"] = False
    (tmp_path / "requirements.lock").write_text("torch==3\n")
    assert not made_anew(environment) and "ensurepip" in environment.calls[0]


def test_interrupted_or_failed_set_up_goes_on(environment, monkeypatch, capsys, tmp_path):
    def fail(error):
        def execute(command, log, start):
            if "install" in command:
                raise error
            note(command, log, start)
        monkeypatch.setattr(environment, "execute", execute)

    note = environment.execute
    for error, status, said in (
            (KeyboardInterrupt(), 130, "Stopped. Run this again: it goes on"),
            (environment.SetupError("No network."), 1, "No network."),
            (OSError(errno.ENOSPC, "No space left on device"), 1, "Free some space. Then run")):
        fail(error)
        assert environment.main() == status and said in capsys.readouterr().err
    monkeypatch.setattr(environment, "execute", note)
    assert not made_anew(environment) and len(environment.calls) == 1, "only the install is missing"


def test_too_new_a_python_only_with_latest(environment, monkeypatch, capsys):
    monkeypatch.setattr(environment.sys, "version_info", (3, 14, 0))
    assert environment.main() == 1 and not environment.calls
    assert "3.11 to 3.13 and this is 3.14" in capsys.readouterr().err
    monkeypatch.setenv("LATEST", "1")
    assert made_anew(environment)


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 6, 15), (3, 10, 1)])
def test_old_python(environment, monkeypatch, capsys, version):
    monkeypatch.setattr(environment.sys, "version_info", version)
    assert environment.main() == 1 and not environment.calls
    assert "3.11 or newer is needed and this is {}.{}.".format(*version) in capsys.readouterr().err


def test_old_pythons_can_read_the_script(tmp_path):
    """By its syntax, and by each old interpreter that this machine has."""
    tree = ast.parse(SCRIPT.read_bytes().decode("ascii"), feature_version=(3, 7))
    new = (ast.JoinedStr, ast.AnnAssign, ast.Nonlocal, ast.AsyncFunctionDef)
    assert not [node for node in ast.walk(tree)
                if isinstance(node, new) or getattr(node, "cause", None)]
    (tmp_path / "tools").mkdir()
    script = shutil.copy(SCRIPT, tmp_path / "tools")
    for name in ("python2.7", "python3.6", "python3.8", "python3.9", "python3.10"):
        if shutil.which(name) and not subprocess.call([name, "-c", ""], stderr=subprocess.DEVNULL):
            done = subprocess.run([name, script], capture_output=True, text=True)
            assert done.returncode == 1 and "3.11 or newer is needed" in done.stderr, name


def test_no_venv_module(environment, monkeypatch, capsys):
    monkeypatch.setitem(environment.sys.modules, "ensurepip", None)
    assert environment.main() == 1 and not environment.calls
    assert "python3-venv" in capsys.readouterr().err


def test_small_disk(environment, monkeypatch, capsys):
    monkeypatch.setattr(environment.sys, "platform", "linux")
    monkeypatch.setattr(environment.shutil, "disk_usage", disk(free=5e9))
    assert environment.main() == 1 and not environment.calls
    assert "has 5.0 GB free and the set-up needs 10.0" in capsys.readouterr().err
    monkeypatch.setenv("TORCH", "cpu")
    assert environment.main() == 0


def execute(environment, tmp_path, code):
    """Really execute some Python code as a step of the set-up."""
    (tmp_path / "_build").mkdir(exist_ok=True)
    with open(tmp_path / "_build" / "setup.log", "wb") as log:
        environment.really_execute([sys.executable, "-c", code], log, 0)


def test_failed_step_shows_the_logs_end_and_the_cure(environment, tmp_path):
    code = "print('first'); print('line\\n' * 12 + 'No space left on device'); raise SystemExit(2)"
    with pytest.raises(environment.SetupError, match="No space left on device") as caught:
        execute(environment, tmp_path, code)
    said = str(caught.value)
    assert "The disk is full: free some space." in said and "setup.log" in said
    assert "first" not in said


def test_step_tells_of_its_progress_and_has_room_for_temporary_files(
        environment, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(environment, "EVERY", 0.05)
    execute(environment, tmp_path, "import tempfile, time\n"
            "print('Collecting in', tempfile.gettempdir(), flush=True)\ntime.sleep(1)")
    assert "Collecting in" in capsys.readouterr().out
    log = (tmp_path / "_build" / "setup.log").read_text()
    assert log == f"Collecting in {tmp_path / '_build' / 'setup-tmp'}\n"
    assert os.listdir(tmp_path / "_build") == ["setup.log"]


def test_process_that_does_not_end_is_killed(environment, monkeypatch):
    monkeypatch.setattr(environment, "EVERY", 0.05)
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    environment.end_process(process)
    assert process.returncode


def test_real_set_up_in_a_folder_that_is_renamed(tmp_path):
    """Without packages, so without a network: .venv is made, and finds the book's modules."""
    (tmp_path / "old" / "tools").mkdir(parents=True)
    shutil.copy(SCRIPT, tmp_path / "old" / "tools")
    for name in ("requirements.txt", "requirements.lock"):
        (tmp_path / "old" / name).write_text("# nothing\n")
    (tmp_path / "old" / "chapters").mkdir()
    (tmp_path / "old" / "chapters" / "lab.py").write_text("")
    env = {name: value for name, value in os.environ.items()
           if name not in ("PYTHON", "LATEST", "TORCH", "PYTHONPATH")}

    def set_up(folder):
        done = subprocess.run([sys.executable, folder / "tools" / "environment.py"], text=True,
                              env=env, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "Set up in" in set_up(tmp_path / "old") and set_up(tmp_path / "old") == ""
    new = (tmp_path / "old").rename(tmp_path / "new")
    python = new / ".venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    code = "import lab, tools; print(lab.__file__)"
    found = subprocess.run([python, "-c", code], cwd="/", text=True, env=env,
                           capture_output=True, check=True).stdout
    assert found.strip() == str(new / "chapters" / "lab.py")
    assert f"it was made in {tmp_path / 'old'}" in set_up(new)


def locked(**system):
    """The versions that the lock gives a system, by package."""
    lines = [Requirement(line) for line in LOCK.splitlines() if not line.startswith("#")]
    mine = [line for line in lines if not line.marker or line.marker.evaluate(system)]
    versions = {line.name: str(line.specifier).removeprefix("==") for line in mine}
    assert len(versions) == len(mine), "a package stands twice"
    return versions


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_lock_has_a_version_of_everything_that_is_asked_for(python, system):
    versions = locked(python_version=python, python_full_version=f"{python}.9",
                      sys_platform=system, os_name="nt" if system == "win32" else "posix",
                      platform_machine="x86_64")
    asked = [Requirement(line) for line in (ROOT / "requirements.txt").read_text().splitlines()
             if line and not line.startswith("#")]
    stale = [f"{one}: {versions.get(one.name)}" for one in asked
             if not one.specifier.contains(versions.get(one.name, "0"))]
    assert not stale, f"renew requirements.lock with the command in its first lines: {stale}"
    assert ("nvidia-cublas" in versions) == (system == "linux")


def test_lock_says_its_command_and_nothing_of_a_machine():
    assert "uv pip compile --universal" in LOCK.splitlines()[1]
    assert not re.search(r"://|(^|[\s=])/|index-url|find-links", LOCK, re.M)


def test_clone_on_windows_keeps_the_bytes(tmp_path):
    def git(*args):
        subprocess.run(["git", "-c", "core.autocrlf=true", "-c", "core.safecrlf=false",
                        "-c", "user.name=reader", "-c", "user.email=", *args],
                       cwd=tmp_path, check=True, capture_output=True)

    files = {"run.py": b"a\nb\n", "plot.png": b"\x89PNG\r\n\x1a\n", "book.pdf": b"%PDF\r\n"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    shutil.copy(ROOT / ".gitattributes", tmp_path)
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "files")
    git("clone", "--quiet", ".", "clone")
    assert {name: (tmp_path / "clone" / name).read_bytes() for name in files} == files


def test_make_help_lists_every_command_and_variable():
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    shown = "\n" + subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True,
                                  check=True).stdout
    for command in ("setup", "run", "book", "test", "clean", "help"):
        assert f"\n{command} " in shown
    for variable in ("PYTHON", "TORCH", "LATEST", "BUDGET", "FASHION_MNIST_ROOT"):
        assert f"\n{variable}=" in shown
