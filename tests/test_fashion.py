"""The data: where they are looked for, how they are verified, and what bad files say."""
import errno
import gzip
import hashlib
import http.client
import io
import os
import shutil
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import fashion
from tools.shared.source import ROOT

NAMES = list(fashion.MD5)


def idx(tensor):
    """A uint8 tensor as an official gz file's bytes."""
    header = bytes([0, 0, 8, tensor.ndim]) + struct.pack(f">{tensor.ndim}I", *tensor.shape)
    return gzip.compress(header + tensor.numpy().tobytes(), mtime=0)


@pytest.fixture
def official(tmp_path, monkeypatch):
    """A tiny set whose md5 sums pass as the official ones, in FASHION_MNIST_ROOT."""
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    generator = torch.Generator().manual_seed(0)
    for name in NAMES:
        size = (30, 28, 28) if "images" in name else (30,)
        high = 256 if "images" in name else 10
        data = idx(torch.randint(0, high, size, generator=generator, dtype=torch.uint8))
        (raw / name).write_bytes(data)
        monkeypatch.setitem(fashion.MD5, name, hashlib.md5(data).hexdigest())
    monkeypatch.setenv("FASHION_MNIST_ROOT", str(tmp_path))
    return raw


def contents(folder):
    """Every file below a folder with its bytes."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_loads_and_names_the_source(official):
    X, y, X_test, y_test, source = fashion.load()
    assert X.shape == X_test.shape == (30, 28, 28) and X.dtype == torch.uint8
    assert y.shape == y_test.shape == (30,) and y.dtype == torch.int64
    assert source == fashion.REAL == fashion.find()[1]


def test_read_only_data_work(official):
    before = contents(official)
    for path in (*official.iterdir(), official):
        path.chmod(0o555 if path.is_dir() else 0o444)
    fashion.load()
    assert contents(official) == before


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_damaged_file(official, name, damage):
    path = official / name
    good = path.read_bytes()
    bad = {"truncated": good[:-9], "empty": b"",
           "flipped": good[:20] + bytes([good[20] ^ 1]) + good[21:]}[damage]
    path.write_bytes(bad)
    before = contents(official)
    with pytest.raises(ValueError) as error:
        fashion.load()
    message = str(error.value)
    assert str(path) in message and "unset FASHION_MNIST_ROOT" in message
    assert hashlib.md5(bad).hexdigest() in message and fashion.MD5[name] in message
    assert contents(official) == before


def test_different_lengths(official, monkeypatch):
    name = "train-labels-idx1-ubyte.gz"
    data = idx(torch.zeros(29, dtype=torch.uint8))
    (official / name).write_bytes(data)
    monkeypatch.setitem(fashion.MD5, name, hashlib.md5(data).hexdigest())
    with pytest.raises(ValueError, match=r"30 train images but 29 labels.*own file"):
        fashion.load()


def test_root_that_does_not_exist(monkeypatch, tmp_path):
    monkeypatch.setenv("FASHION_MNIST_ROOT", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="nowhere.*unset it"):
        fashion.load()
    assert not (tmp_path / "nowhere").exists()


def test_root_that_lacks_a_file(official):
    (official / NAMES[2]).unlink()
    with pytest.raises(FileNotFoundError, match=NAMES[2]):
        fashion.load()


@pytest.fixture
def mirror(official, monkeypatch, tmp_path_factory):
    """No data at hand, and a mirror that serves the official fixture's files."""
    served = contents(official)
    root = tmp_path_factory.mktemp("checkout")
    monkeypatch.delenv("FASHION_MNIST_ROOT")
    monkeypatch.setattr(fashion, "ROOT", root)
    monkeypatch.setattr(fashion.FashionMNIST, "mirrors", ["http://first/", "http://second/"])

    def urlopen(url, timeout):
        response = io.BytesIO(urlopen.change(served[official / url.rsplit("/", 1)[1]]))
        response.headers = {}
        return response

    urlopen.change = lambda data: data
    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    return root, urlopen


def test_download(mirror, official, capsys):
    root, _ = mirror
    assert fashion.load()[-1] == fashion.REAL
    raw = root / "data" / "FashionMNIST" / "raw"
    assert sorted(path.name for path in raw.iterdir()) == sorted(NAMES)
    assert f"Downloading http://first/{NAMES[0]}" in capsys.readouterr().err


@pytest.mark.parametrize("odd", [OSError("down"), http.client.BadStatusLine("LOGIN"),
                                 http.client.IncompleteRead(b""), TimeoutError()])
def test_second_mirror(mirror, monkeypatch, odd):
    root, urlopen = mirror

    def first_is_odd(url, timeout):
        if "first" in url:
            raise odd
        return urlopen(url, timeout)

    monkeypatch.setattr("urllib.request.urlopen", first_is_odd)
    assert fashion.load()[-1] == fashion.REAL


def test_partial_download_is_never_taken_for_whole(mirror):
    root, urlopen = mirror
    urlopen.change = lambda data: data[:len(data) // 2]
    with pytest.raises(RuntimeError, match="could not be downloaded"):
        fashion.load()
    raw = root / "data" / "FashionMNIST" / "raw"
    assert not any((raw / name).exists() for name in NAMES)
    urlopen.change = lambda data: data
    assert fashion.load()[-1] == fashion.REAL


def test_a_captive_portals_page_is_not_the_data(mirror, capsys):
    _, urlopen = mirror
    urlopen.change = lambda data: b"<html>Log in"
    with pytest.raises(RuntimeError, match="what came is another file, 12 bytes"):
        fashion.load()
    # Each mirror, the two beside torchvision's included, is asked twice.
    assert capsys.readouterr().err.count(NAMES[0]) == 2 * (2 + len(fashion.MIRRORS))


def test_what_others_left_in_the_folder_stays(mirror, official):
    root, _ = mirror
    raw = root / "data" / "FashionMNIST" / "raw"
    (raw / "download-of-another").mkdir(parents=True)
    (raw / "download-of-another" / ".DS_Store").write_bytes(b"x")
    (raw / NAMES[3]).write_bytes((official / NAMES[3]).read_bytes())
    assert fashion.load()[-1] == fashion.REAL
    assert {path.name for path in raw.iterdir()} == {*NAMES, "download-of-another"}


@pytest.mark.parametrize("code, words", [(errno.ENOSPC, "No space left"), (errno.EACCES, "denied")])
def test_a_full_disk_or_a_locked_folder_draws_no_stand_in(mirror, monkeypatch, code, words):
    root, _ = mirror

    def fail(path, content):
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(fashion.Path, "write_bytes", fail)
    with pytest.raises(OSError, match=f"{words}.*Make room there"):
        fashion.load()
    assert not list((root / "data" / "FashionMNIST" / "raw").iterdir())


def test_two_downloads_at_once_share_the_folder(mirror):
    root, _ = mirror
    with ThreadPoolExecutor() as pool:
        found = [one.result()[-1] for one in [pool.submit(fashion.load) for _ in range(4)]]
    assert found == [fashion.REAL] * 4
    raw = root / "data" / "FashionMNIST" / "raw"
    assert {path.name for path in raw.iterdir()} == set(NAMES)


def test_relative_root_is_refused(monkeypatch):
    monkeypatch.setenv("FASHION_MNIST_ROOT", "data")
    with pytest.raises(ValueError, match="FASHION_MNIST_ROOT=data: give the whole path"):
        fashion.load()


def test_on_kaggle_the_switch_is_named(mirror, monkeypatch):
    _, urlopen = mirror
    urlopen.change = lambda data: b""
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    with pytest.raises(RuntimeError, match="On Kaggle switch the network on"):
        fashion.load()


def test_no_network_and_no_script(mirror, monkeypatch):
    def down(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", down)
    with pytest.raises(RuntimeError, match="no route to host.*FASHION_MNIST_ROOT"):
        fashion.load()


def test_no_network_draws_the_stand_in(mirror, monkeypatch, stand_in):
    root, _ = mirror
    (root / "tools").mkdir()
    (root / "tools" / "standin.py").write_text(
        "import shutil, sys\n"
        f"shutil.copytree({str(stand_in)!r}, sys.argv[1], dirs_exist_ok=True)\n")
    monkeypatch.setattr("urllib.request.urlopen", lambda *a, **k: (_ for _ in ()).throw(OSError()))
    X, y, *_, source = fashion.load()
    assert source == fashion.STAND_IN and len(X) == len(y) == 8000


@pytest.mark.parametrize("damage", ["file", "marker"])
def test_damaged_stand_in(tmp_path, monkeypatch, stand_in, damage):
    shutil.copytree(stand_in, tmp_path / "copy")
    raw = tmp_path / "copy" / "FashionMNIST" / "raw"
    path = raw / (NAMES[0] if damage == "file" else fashion.MARKER)
    path.write_bytes(path.read_bytes()[:-1] if damage == "file" else b"")
    monkeypatch.setenv("FASHION_MNIST_ROOT", str(tmp_path / "copy"))
    with pytest.raises(ValueError, match="damaged or not whole"):
        fashion.load()


def test_real_data_set():
    if not (ROOT / "data").exists() and not os.environ.get("CI"):
        pytest.skip("needs the real data set in data/: `make run` fetches it")
    X, y, X_test, y_test, source = fashion.load()
    assert source == fashion.REAL
    assert X.shape == (60000, 28, 28) and X_test.shape == (10000, 28, 28)
    assert y.bincount().tolist() == [6000] * 10 and y_test.bincount().tolist() == [1000] * 10


def test_memory_of_the_whole_set():
    """28x28 pixels take 4 bytes each, once: nothing of the raw files is kept."""
    code = ("import os, sys, torch; sys.path.insert(0, 'chapters'); import lab, fashion\n"
            "def load():\n"
            "    X = torch.zeros(60000, 28, 28, dtype=torch.uint8); X[::2] = 9\n"
            "    y = torch.arange(10).repeat(6000)\n"
            "    return X, y, X[:10000].clone(), y[:10000].clone(), fashion.REAL\n"
            "fashion.load = load\n"
            "rss = lambda: int(open('/proc/self/statm').read().split()[1]) * 4096 / 1e6\n"
            "before = rss(); data = lab.fashion_mnist(); print(rss() - before)\n")
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("reads the process's memory from /proc, which this system lacks")
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                         env={**os.environ, "BUDGET": "cpu"}, check=True).stdout
    assert float(out) < 250
