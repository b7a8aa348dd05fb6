"""What GitHub runs: linted, and careful with what it deploys."""
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tools.shared.source import ROOT


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
                                       ("@3d3c42e5aac5ba805825da76410c181273ba90b1", "@main")])
def test_lint_can_fail(tmp_path, good, bad):
    copy = shutil.copytree(ROOT / ".github", tmp_path / ".github")
    path = copy / "workflows" / "book.yml"
    assert good in path.read_text()
    path.write_text(path.read_text().replace(good, bad))
    assert lint(tmp_path).returncode != 0


def test_only_a_complete_site_is_deployed():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "book.yml").read_text())["jobs"]
    assert jobs["deploy"]["needs"] == "build" and "push" in jobs["deploy"]["if"]
    steps = [step.get("run", step.get("uses")) for step in jobs["build"]["steps"]]
    guard = next(i for i, step in enumerate(steps)
                 if step.startswith("test -s _build/html/index.html"))
    upload = next(i for i, step in enumerate(steps) if "upload-pages-artifact" in step)
    assert steps.index("make book") < guard < upload


def test_workflows_call_what_exists():
    targets = (ROOT / "Makefile").read_text()
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            for line in "\n".join(step.get("run", "") for step in job["steps"]).splitlines():
                if line.startswith("make "):
                    assert f"\n{line.removeprefix('make ')}:" in targets, line
