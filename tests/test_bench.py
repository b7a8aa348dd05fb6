"""The races run, keep what is finished, and the book's tables are what they measured."""
import json
import subprocess
import sys

import pytest

import lab
from benchmarks import accuracy, bench, costs, epochs
from tools.extensions import races
from tools.shared.execution import THREADS
from tools.shared.source import ROOT


@pytest.fixture
def smoke(monkeypatch, stand_in):
    """The smallest budget on the stand-in."""
    monkeypatch.setenv("BUDGET", "smoke")
    monkeypatch.setenv("FASHION_MNIST_ROOT", str(stand_in))


@pytest.mark.parametrize("name", sorted(set(bench.RACES) - {"build", "memory"}))
def test_races_run_and_are_kept(smoke, tmp_path, name):
    assert bench.main([name, "--rounds", "1", "--results", str(tmp_path)]) == 0
    [path] = tmp_path.glob("*.json")
    tables = json.loads(path.read_text())[name]["tables"]
    assert all(tables) and races.race(name, tmp_path).count("\n") > sum(map(len, tables))


def test_memory_is_measured_in_a_process_of_its_own(smoke):
    before, peak = list(costs.train_some_steps(0).values())[1:]
    assert 0 < before <= peak


def test_a_command_is_timed_and_its_memory_counted(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import time; held = bytes(b'1' * 300 * 2 ** 20); time.sleep(1)")
    row = costs.timed("a script", script)
    assert row["s"] >= 1 and 300 < row["peak memory, MiB"] < 1000
    script.write_text("raise SystemExit(3)")
    with pytest.raises(RuntimeError, match="script.py failed"):
        costs.timed("a script", script)


def test_d2l_and_lab_learn_the_same(smoke):
    task = dict(network="LeNet + BN", batch_size=32, lr=1.0, resize=None, num_train=2048,
                num_test=500, num_epochs=2)
    _, ratios, accuracies = epochs.duel(task, fast=False, rounds=1, target=0)
    assert min(ratios[key]["median"] for key in ("times faster", "at most")) > 0
    assert ratios["reached"] is True
    theirs, ours = (accuracies[f"{who}, test accuracy"]["median"] for who in ("d2l", "lab"))
    assert min(theirs, ours) > 0.2


def test_seconds_to_an_accuracy():
    history = lab.History("x", seconds=[2.0, 3.0, 4.0], val_accuracy=[0.5, 0.8, 0.9])
    assert accuracy.seconds_to(history, 0.7) == 5.0
    assert accuracy.seconds_to(history, 0.9) is None


def test_a_later_race_leaves_the_earlier_ones(tmp_path):
    older, newer, other = ({"device": device, "seconds": seconds} for device, seconds in
                           (("Tesla T4", 1), ("Tesla T4", 2), ("NVIDIA H100", 1)))
    for name, result in ("a", older), ("b", older), ("a", other), ("a", newer):
        path = bench.keep(tmp_path, name, result)
    assert path.name == "tesla-t4.json"
    assert json.loads(path.read_text()) == {"a": newer, "b": older}
    assert sorted(one.name for one in tmp_path.iterdir()) == ["nvidia-h100.json", "tesla-t4.json"]


def test_smoke_results_stay_out_of_the_book(smoke, capsys):
    with pytest.raises(SystemExit):
        bench.main(["scratch"])
    assert "name another folder with --results" in capsys.readouterr().err


def test_unknown_race_is_named(capsys):
    with pytest.raises(SystemExit):
        bench.main(["sprint"])
    assert "no race sprint; there are epochs" in capsys.readouterr().err


def test_tables():
    rows = [{"a": {"median": 1.234, "low": 0.9876, "high": 250.4}, "ok": True},
            {"a": 0.93456, "b": None}]
    assert races.table(rows).splitlines()[2:] == [
        "| 1.23 (0.988 to 250) | ✓ | – |", "| 0.9346 | – | – |"]


def test_missing_results_are_named(tmp_path):
    assert "`make bench`" in races.race("limit", tmp_path)


def test_a_damaged_file_is_told_before_the_race(smoke, tmp_path, capsys):
    (tmp_path / "cpu.json").write_text('{"epochs": <<<<<<< HEAD')
    assert bench.main(["scratch", "--results", str(tmp_path)]) == 1
    assert "cpu.json is damaged" in capsys.readouterr().err


def test_published_results_are_of_real_runs():
    """Every device's are well-formed, and a CPU's are complete."""
    complete = False
    for path in (ROOT / "benchmarks" / "results").glob("*.json"):
        told = bench.read(path)
        assert set(told) <= set(bench.RACES), path
        for name, result in told.items():
            assert all(result["tables"]) and result["device"] and result["torch"], (path, name)
        complete |= (set(told) == set(bench.RACES)
                     and {result["device_type"] for result in told.values()} == {"cpu"})
    assert complete


def test_threads_wait_as_the_launcher_says(smoke):
    """Whatever is imported first: the settings are there before the process starts."""
    code = f"import torch, os; print([os.environ[name] for name in {list(THREADS)}])"
    done = subprocess.run([sys.executable, "-c", code], env=bench.environment(), text=True,
                          capture_output=True, check=True)
    assert done.stdout.strip() == str(list(THREADS.values()))
    alone = {name: value for name, value in bench.environment().items() if name not in THREADS}
    done = subprocess.run([sys.executable, "-c", code.replace("import", "import machine,", 1)],
                          env=alone, text=True, capture_output=True, check=True)
    assert done.stdout.strip() == str(list(THREADS.values())), "chapters/machine.py differs"
