"""What GitHub runs: linted, on every promised Python, careful with what it deploys."""
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tools.shared.source import ROOT

WORKFLOWS = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
             for path in (ROOT / ".github" / "workflows").glob("*.yml")}
JOBS = WORKFLOWS["book"]["jobs"]


def commands(job):
    """The lines that a job's steps run."""
    return "\n".join(step.get("run", "") for step in job["steps"]).splitlines()


def lint(root):
    """zizmor's verdict on a repository's workflows and its dependabot.yml."""
    zizmor = Path(sys.executable).with_name("zizmor")
    return subprocess.run([zizmor, "--offline", "--strict-collection", root], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def test_lint_finds_nothing():
    done = lint(ROOT / ".github")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("good, bad", [("runs-on:", "run-on:"),
                                       ("persist-credentials: false", "fetch-depth: 1"),
                                       (r"@[0-9a-f]{40}", "@main")])
def test_lint_can_fail(tmp_path, good, bad):
    copy = shutil.copytree(ROOT / ".github", tmp_path / ".github")
    path = copy / "workflows" / "book.yml"
    text, count = re.subn(good, bad, path.read_text(encoding="utf-8"))
    assert count
    path.write_text(text, encoding="utf-8")
    assert lint(tmp_path).returncode != 0


def test_only_a_complete_site_is_deployed_when_every_job_has_passed():
    assert set(JOBS["deploy"]["needs"]) == set(JOBS) - {"deploy"} and "push" in JOBS["deploy"]["if"]
    steps = [step.get("run", step.get("uses")) for step in JOBS["build"]["steps"]]
    guard = next(i for i, step in enumerate(steps)
                 if step.startswith("test -s _build/html/index.html"))
    upload = next(i for i, step in enumerate(steps) if "upload-pages-artifact" in step)
    assert steps.index("make book") < guard < upload


def test_every_promised_python_runs_the_tests():
    images = [JOBS["build"]["container"], *JOBS["tests"]["strategy"]["matrix"]["container"]]
    assert images == [f"python:3.{minor}-bookworm" for minor in (11, 12, 13)]
    assert all(".ci/run" in commands(JOBS[name]) for name in ("build", "tests"))


def test_other_systems_run_and_build_the_book():
    assert {"make run", "make book"} <= set(commands(JOBS["macos"]))
    windows = "\n".join(commands(JOBS["windows"]))
    for command in ("tools/environment.py", r".venv\Scripts\python -m tools.run",
                    r".venv\Scripts\python -m tools.book"):
        assert command in windows
    assert all(JOBS[name]["env"]["BUDGET"] == "smoke" for name in ("macos", "windows"))


def test_the_monthly_run_takes_the_newest_packages():
    assert WORKFLOWS["monthly"]["env"]["LATEST"] == 1
    assert "LATEST" not in str(WORKFLOWS["book"])


def test_skipped_tests_fail_in_ci():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert script.index("export NO_SKIPS=1 PYTEST_ADDOPTS=\"-rs ") < script.index("make test")


def test_workflows_call_what_exists():
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    lines = [line for workflow in WORKFLOWS.values() for job in workflow["jobs"].values()
             for line in commands(job) if line.startswith("make ")]
    assert lines
    for line in lines:
        assert f"\n{line.removeprefix('make ')}:" in targets, line
