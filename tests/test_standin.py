"""The stand-in: official format, the same every time, learnable, never half a folder."""
import subprocess
import sys

import pytest
import torch

import fashion
from tools import standin
from tools.shared.source import ROOT


def make(root):
    """A small stand-in below a folder: what its files hold, by name."""
    raw = standin.make(root, 2000, 500, progress=False) / "FashionMNIST" / "raw"
    return {path.name: path.read_bytes() for path in raw.iterdir()}


def test_the_book_reads_it_and_a_nearest_mean_learns_it_in_part(tmp_path, monkeypatch):
    assert make(tmp_path).keys() == {*fashion.MD5, fashion.MARKER}
    monkeypatch.setenv("FASHION_MNIST_ROOT", str(tmp_path))
    X, y, X_test, y_test, source = fashion.load()
    assert source == fashion.STAND_IN
    assert X.shape == (2000, 28, 28) and X_test.shape == (500, 28, 28)
    assert y.bincount().tolist() == [200] * 10 and y_test.bincount().tolist() == [50] * 10
    assert 0.05 < (y[1:] == y[:-1]).float().mean() < 0.2  # shuffled: 0.1 is expected
    assert X[:, 0].max() == 0 and X.max() > 200  # on black
    assert len(torch.cat([X, X_test]).flatten(1).unique(dim=0)) == 2500  # no image twice
    means = torch.stack([X[y == k].float().mean(0).flatten() for k in range(10)])
    nearest = torch.cdist(X_test.float().flatten(1), means).argmin(1)
    assert 0.6 < (nearest == y_test).float().mean() < 0.95


def test_two_runs_give_the_same_bytes(tmp_path):
    files = make(tmp_path / "one")
    assert make(tmp_path / "two") == files
    # No time and no name in the gzip header.
    assert all(files[name][3] == 0 and files[name][4:8] == bytes(4) for name in fashion.MD5)


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    write = standin.write

    def interrupted(path, array):
        assert not (path.parent / standin.MARKER).exists()
        if path.name == standin.NAMES[-1]:
            raise KeyboardInterrupt
        write(path, array)

    monkeypatch.setattr(standin, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path)
    assert not list((tmp_path / "FashionMNIST").iterdir())


def test_a_whole_one_is_kept(tmp_path):
    whole = make(tmp_path)
    standin.make(tmp_path, 20, 10, progress=False)
    assert make(tmp_path) == whole


@pytest.mark.parametrize("name", [*standin.NAMES, standin.MARKER])
def test_a_damaged_one_is_drawn_again(tmp_path, name):
    whole = make(tmp_path)
    damaged = tmp_path / "FashionMNIST" / "raw" / name
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert make(tmp_path) == whole


def test_other_data_are_left_alone(tmp_path):
    real = tmp_path / "FashionMNIST" / "raw" / standin.NAMES[0]
    real.parent.mkdir(parents=True)
    real.write_bytes(b"real")
    with pytest.raises(OSError, match="raw: .*holds no other data"):
        make(tmp_path)
    assert real.read_bytes() == b"real" and list(real.parent.parent.iterdir()) == [real.parent]


def test_the_command_says_what_it_drew_or_what_is_wrong(tmp_path):
    make(tmp_path)
    (tmp_path / "file").write_text("")

    def run(*arguments):
        return subprocess.run([sys.executable, ROOT / "tools" / "standin.py", *arguments],
                              capture_output=True, text=True)

    assert "NOT Fashion-MNIST" in run(tmp_path).stdout
    assert "ROOT/FashionMNIST/raw" in run("--help").stdout
    failed = run(tmp_path / "file" / "root")
    assert failed.returncode == 1 and "Traceback" not in failed.stderr
    assert str(tmp_path / "file" / "root") in failed.stderr and "Give a folder" in failed.stderr
