"""The races run, keep what is finished, and the page shows what they measured."""
import json
import re
import subprocess
import sys

import pytest
import torch

import lab
from benchmarks import bench, best, common, costs, loops, networks
from benchmarks.opponents import CONTESTANTS, HERE, environments, worker
from tools import standin
from tools.extensions import raceplots, races, racetables
from tools.shared.definitions import definitions
from tools.shared.execution import THREADS
from tools.shared.source import ROOT, chapter_names

RUN_HERE = sorted(set(bench.RACES) - {"build"})
RECORDS = bench.read(ROOT / "benchmarks" / "results" / "amd-epyc-2-threads.json")


def run_small(patch, root):
    """Set the smallest budget on the data there, in a race's environment."""
    patch.setenv("BUDGET", "smoke")
    for name, value in bench.environment(str(root)).items():
        patch.setenv(name, value)


@pytest.fixture
def smoke(monkeypatch, stand_in):
    """The smallest budget on the stand-in, in a race's environment."""
    run_small(monkeypatch, stand_in)


@pytest.fixture(scope="module")
def raced(tmp_path_factory):
    """The folder with the results of one command that runs all races, on few images: 520 are
    left to train on."""
    folder, root = map(tmp_path_factory.mktemp, ("raced", "few"))
    standin.make(root, num_train=5520, num_test=520, progress=False)
    with pytest.MonkeyPatch.context() as patch:
        run_small(patch, root)
        assert bench.main([*RUN_HERE, "--rounds", "1", "--installed", "--results",
                           str(folder)]) == 0
    return folder


@pytest.mark.parametrize("name", RUN_HERE)
def test_races_run_and_are_kept(raced, name):
    [path] = raced.glob("*.json")
    [rows] = bench.read(path)[name]["tables"]
    text = races.race(name, "A caption.", raced)
    assert rows and text.count("\n| ") >= len(rows)
    assert ("```{figure}" in text) == (name in raceplots.PLOTS)


@pytest.mark.parametrize("name", sorted(CONTESTANTS))
def test_a_contestant_trains_the_network_that_it_was_given(smoke, name):
    """Those whose environment is there; of the others, which a race would make, the syntax."""
    module = CONTESTANTS[name][0]
    if not environments.is_ready(module):
        source = (HERE / f"by_{module}.py").read_text(encoding="utf-8")
        compile(source, f"by_{module}.py", "exec")
        assert "def fit(task" in source
        return
    task = worker.Task("LeNet + BN", 1280, 2, 32, lr=0.2, judge=True)
    with worker.contestants([name]) as present:
        told = present[name].train(task)
    assert told["seconds"] > 0 and told["memory"] > 0
    assert told["accuracy"] > 0.15, "chance is 0.1"


def test_a_contestant_that_fails_is_told_with_its_log(smoke):
    with worker.contestants(["lab"]) as present, pytest.raises(RuntimeError, match="KeyError"):
        present["lab"].train(worker.Task("no such network", 32, 1, 32, lr=0.1))


def test_an_environment_has_the_book_below_its_own_packages(tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "FOLDER", tmp_path)
    monkeypatch.setattr(environments, "HERE", tmp_path)
    assert environments.python("none") == sys.executable
    (tmp_path / "little.txt").write_text("")
    interpreter = environments.python("little")
    code = "import torch, sys; print(torch.__version__, sys.prefix)"
    version, prefix = environments.run(interpreter, "-c", code).split()
    assert (version, prefix) == (torch.__version__, str(tmp_path / "little"))
    assert environments.is_ready("little") and environments.python("little") == interpreter


def test_packages_that_cannot_be_had_are_told(tmp_path):
    with pytest.raises(RuntimeError, match="come from PyPI: connect to the network"):
        environments.run(sys.executable, "-m", "pip", "install", "--no-index", "no-such-thing")


@pytest.mark.parametrize("pins", sorted(HERE.glob("*.txt")), ids=lambda path: path.stem)
def test_opponents_are_pinned_and_no_part_of_the_book(pins):
    lines = [line for line in pins.read_text().splitlines() if not line.startswith("#")]
    assert lines and all(re.fullmatch(r"[\w-]+==[\d.]+", line) for line in lines)
    assert pins.stem not in (ROOT / "requirements.txt").read_text().split("# The tests")[0]


def test_recipes_are_the_chapters():
    record = definitions("batch_norm")["record"]
    assert loops.RECIPES["LeNet + BN"].items() <= record.recipe.items()
    assert set(loops.RECIPES) <= {definitions(name)["record"].network
                                  for name in chapter_names(numbered=True)}


def test_lines_of_code_leave_out_what_explains():
    assert 3 <= loops.lines_of("lab") < loops.lines_of("tensors") < loops.lines_of("lightning")


def test_terms_change_the_precision_and_not_the_network():
    torch.manual_seed(0)
    net, X = networks.make("LeNet + BN").eval(), torch.rand(4, 1, 28, 28)
    exact, fast = (networks.Terms(net, dtype)(X) for dtype in (torch.float32, lab.fast_dtype()))
    assert fast.dtype == torch.float32
    torch.testing.assert_close(exact, net(X))
    torch.testing.assert_close(fast, exact, rtol=0.1, atol=0.1)


def test_kept_memory_counts_each_tensor_once():
    net, X = torch.nn.Sequential(torch.nn.Linear(8, 10), torch.nn.Sigmoid()), torch.ones(4, 8)
    sigmoid, log_softmax, total = (4 * 10 * 4, 4 * 10 * 4, 4)  # of float32; the summed weights
    y = torch.zeros(4, dtype=torch.long)
    assert costs.kept_bytes(net, X, y) == sigmoid + log_softmax + total + y.nbytes


def test_a_command_is_timed_and_its_memory_counted(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import time; held = bytes(b'1' * 300 * 2 ** 20); time.sleep(1)")
    row = costs.timed("a script", script)
    assert row["s"] >= 1 and 300 < row["peak memory, MiB"] < 1000
    script.write_text("raise SystemExit(3)")
    with pytest.raises(RuntimeError, match="script.py failed"):
        costs.timed("a script", script)


def test_views_hold_the_mirror_image():
    """A network that looks at one side only errs on what it sees nothing of."""
    class Left(torch.nn.Module):
        def forward(self, X):
            return torch.stack([X[..., 0].sum((1, 2)), 0.1 * torch.ones(len(X))], 1)

    X = torch.zeros(2, 1, 4, 4)
    X[0, ..., 3] = 1  # bright on the right: class 0
    assert best.by_views(Left(), X, torch.tensor([0, 1])) == 1


def test_whole_data_holds_what_was_held_out(smoke):
    import lab

    data = lab.fashion_mnist()
    whole = common.whole(data)
    assert len(whole.X_train) == len(data.X_train) + len(data.X_val) == len(whole.y_train)
    assert whole.X_test is data.X_test


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
    rows = [{"a": {"median": 1.234, "low": 0.9876, "high": 250.4}, "b": 12345},
            {"a": 0.93456, "b": None}]
    assert races.table(rows).splitlines()[-4:] == [
        "| a | b |", "| ---: | ---: |", "| 1.23 (0.988 to 250) | 12,345 |", "| 0.9346 | – |"]


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_the_page_has_narrow_tables_and_pictures_with_alt_texts(name):
    [rows] = RECORDS[name]["tables"]
    tables = racetables.TABLES[name](rows) if name in racetables.TABLES else [rows]
    assert tables and all(len(row) <= 5 for table in tables for row in table)
    if name in raceplots.PLOTS:
        figure, alt = raceplots.PLOTS[name](rows)
        assert figure.axes and len(alt) > 40


def test_reach_is_the_epochs_that_are_needed_and_fit():
    epochs = [{"network": "ResNet-20", "loop": "lab", "epoch, s": {"median": 20.0}}]
    learning = [{"epochs": 2, "test accuracy": 0.91}, {"epochs": 8, "test accuracy": 0.925}]
    assert racetables.reach(epochs, learning) == [[
        {"loop": "lab", "s to 0.90": 40, "s to 0.93": None, "after 1 min": 0.91,
         "after 5 min": 0.925}]]


def test_missing_results_are_named(tmp_path):
    assert "`make bench`" in races.race("limit", "", tmp_path)
    assert "`make bench`" in races.reach(tmp_path)


def test_a_damaged_file_is_told_before_the_race(smoke, tmp_path, capsys):
    (tmp_path / "cpu.json").write_text('{"epochs": <<<<<<< HEAD')
    assert bench.main(["scratch", "--results", str(tmp_path)]) == 1
    assert "cpu.json is damaged" in capsys.readouterr().err


def test_published_results_are_of_real_runs():
    """Every device's are well-formed; of a race that is not among them the page says so."""
    paths = [*(ROOT / "benchmarks" / "results").glob("*.json")]
    assert paths
    for path in paths:
        told = bench.read(path)
        assert told and set(told) <= set(bench.RACES), path
        for name, result in told.items():
            assert all(result["tables"]) and result["device"] and result["torch"], (path, name)


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


def test_threads_wait_as_the_runtime_itself_says():
    """Not only the variable: GNU's OpenMP tells what it took from it."""
    env = bench.environment() | {"OMP_DISPLAY_ENV": "VERBOSE"}
    done = subprocess.run([sys.executable, "-c", "import torch"], env=env, text=True,
                          capture_output=True, check=True)
    if "GOMP_SPINCOUNT" in done.stderr:  # not so where PyTorch brings another OpenMP
        assert re.search(r"GOMP_SPINCOUNT = '10000'", done.stderr)
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in done.stderr
