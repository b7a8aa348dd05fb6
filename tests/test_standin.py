"""The stand-in: official format, the same every time, never half a folder."""
import gzip
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import FashionMNIST
from torchvision.datasets.mnist import read_image_file, read_label_file

TOOLS = Path(__file__).resolve().parent.parent / "tools"
sys.path.insert(0, str(TOOLS))
import standin  # noqa: E402

NUM_TRAIN, NUM_TEST = 2000, 500
FILES = ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
         "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]


def raw(root):
    return root / "FashionMNIST" / "raw"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return standin.make(tmp_path_factory.mktemp("standin"), NUM_TRAIN,
                        NUM_TEST, progress=False)


@pytest.fixture(scope="module")
def arrays(root, tmp_path_factory):
    """Images and labels of both parts, read by torchvision."""
    plain = tmp_path_factory.mktemp("plain") / "idx"
    read = []
    for name in FILES:
        plain.write_bytes(gzip.decompress((raw(root) / name).read_bytes()))
        reader = read_image_file if "images" in name else read_label_file
        read.append(reader(str(plain)))
    return read


def test_make_returns_root_and_leaves_only_the_files(root):
    assert root.is_dir()
    assert [path.name for path in (root / "FashionMNIST").iterdir()] == ["raw"]
    assert set(contents(raw(root))) == {*FILES, "STAND-IN.md5"}


@pytest.mark.parametrize("name, head", [
    (FILES[0], [2051, NUM_TRAIN, 28, 28]), (FILES[1], [2049, NUM_TRAIN]),
    (FILES[2], [2051, NUM_TEST, 28, 28]), (FILES[3], [2049, NUM_TEST])])
def test_idx_header_and_length(root, name, head):
    data = gzip.decompress((raw(root) / name).read_bytes())
    assert np.frombuffer(data, ">i4", len(head)).tolist() == head
    assert len(data) == 4 * len(head) + np.prod(head[1:])


def test_gzip_header_has_neither_time_nor_name(root):
    for name in FILES:
        head = (raw(root) / name).read_bytes()[:8]
        assert head[3] == 0 and head[4:8] == bytes(4), name


def test_shapes_types_and_balance(arrays):
    for images, labels, count in [(*arrays[:2], NUM_TRAIN),
                                  (*arrays[2:], NUM_TEST)]:
        assert images.shape == (count, 28, 28) and images.dtype == torch.uint8
        assert labels.shape == (count,)
        assert torch.bincount(labels).tolist() == [count // 10] * 10


def test_labels_are_shuffled(arrays):
    for labels in (arrays[1], arrays[3]):
        same = (labels[1:] == labels[:-1]).float().mean()
        assert 0.05 < same < 0.2        # 0.1 is expected by chance


def test_grey_garments_on_black(arrays):
    images = arrays[0]
    corners = images[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == 0).float().mean() > 0.95
    covered = (images > 0).float().mean((1, 2))
    assert covered.min() > 0.05 and covered.max() < 0.9
    assert len(images.unique()) > 200


def test_no_image_twice_nor_in_both_parts(arrays):
    images = torch.cat([arrays[0], arrays[2]])
    assert len({image.numpy().tobytes() for image in images}) == len(images)


def test_parts_of_one_size_differ(tmp_path):
    files = contents(raw(standin.make(tmp_path, 50, 50, progress=False)))
    assert files[FILES[0]] != files[FILES[2]]
    assert files[FILES[1]] != files[FILES[3]]


def test_torchvision_loads_it(root, tmp_path, arrays):
    """As the chapters do; torchvision wants the plain files beside."""
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    for name in FILES:
        packed = raw(tmp_path) / name
        packed.with_suffix("").write_bytes(
            gzip.decompress(packed.read_bytes()))
    for train, images, labels in [(True, *arrays[:2]), (False, *arrays[2:])]:
        data = FashionMNIST(tmp_path, train=train, download=False)
        assert data.data.equal(images) and data.targets.equal(labels)
    assert data.classes[5] == "Sandal"


def test_two_runs_give_the_same_bytes(root, tmp_path):
    np.random.seed(1)       # the global state must not matter
    standin.make(tmp_path, NUM_TRAIN, NUM_TEST, progress=False)
    assert contents(raw(tmp_path)) == contents(raw(root))


def test_marker_has_the_true_md5_sums(root):
    lines = (raw(root) / "STAND-IN.md5").read_text().splitlines()
    assert lines == [
        f"{hashlib.md5((raw(root) / name).read_bytes()).hexdigest()}  {name}"
        for name in FILES]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("files_written", [0, 1, 3])
def test_interrupted_run_leaves_nothing(tmp_path, monkeypatch, error,
                                        files_written):
    write, written = standin.write, []

    def interrupted(path, array):
        if len(written) == files_written:
            raise error
        written.append(path)
        write(path, array)

    monkeypatch.setattr(standin, "write", interrupted)
    with pytest.raises(error):
        standin.make(tmp_path, 20, 10, progress=False)
    assert len(written) == files_written
    assert list((tmp_path / "FashionMNIST").iterdir()) == []

    monkeypatch.undo()
    standin.make(tmp_path, 20, 10, progress=False)
    assert set(contents(raw(tmp_path))) == {*FILES, "STAND-IN.md5"}


def test_files_appear_all_at_once(tmp_path, monkeypatch):
    """Nothing stands under the final name while files are being written, and
    the marker comes last (a killed run can't clean up)."""
    write = standin.write

    def watched(path, array):
        assert not raw(tmp_path).exists()
        assert not (path.parent / "STAND-IN.md5").exists()
        write(path, array)

    monkeypatch.setattr(standin, "write", watched)
    standin.make(tmp_path, 20, 10, progress=False)
    assert raw(tmp_path).exists()


def test_whole_folder_is_kept(root, tmp_path):
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    note = raw(tmp_path) / "note"
    note.write_text("kept")
    before = contents(raw(tmp_path))
    times = {path: path.stat().st_mtime_ns for path in raw(tmp_path).iterdir()}
    assert standin.make(tmp_path, 20, 10, progress=False) == tmp_path
    assert contents(raw(tmp_path)) == before
    assert times == {path: path.stat().st_mtime_ns
                     for path in raw(tmp_path).iterdir()}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [Path.unlink, lambda p: p.write_bytes(b"")])
def test_damaged_stand_in_is_drawn_again(tmp_path, name, damage):
    standin.make(tmp_path, 20, 10, progress=False)
    whole = contents(raw(tmp_path))
    damage(raw(tmp_path) / name)
    standin.make(tmp_path, 20, 10, progress=False)
    assert contents(raw(tmp_path)) == whole


def test_other_data_is_left_alone(tmp_path):
    """A folder without the marker may be the real Fashion-MNIST."""
    raw(tmp_path).mkdir(parents=True)
    for name in FILES:
        (raw(tmp_path) / name).write_bytes(b"real")
    with pytest.raises(OSError, match="holds no other data"):
        standin.make(tmp_path, 20, 10, progress=False)
    assert contents(raw(tmp_path)) == {name: b"real" for name in FILES}


def run(*arguments):
    return subprocess.run([sys.executable, TOOLS / "standin.py", *arguments],
                          capture_output=True, text=True)


def test_unwritable_folder_gives_a_clear_error(tmp_path):
    below = tmp_path / "file" / "root"       # root may write anywhere else
    below.parent.write_text("")
    with pytest.raises(OSError, match="cannot write"):
        standin.make(below, 20, 10, progress=False)
    result = run(below)
    assert result.returncode == 1
    assert str(below) in result.stderr and "FOLDER" in result.stderr
    assert "Traceback" not in result.stderr


def test_command_says_where_and_what(root):
    result = run(root)
    assert result.returncode == 0, result.stderr
    assert str(raw(root)) in result.stdout
    assert "drawn data" in result.stdout
    assert "NOT Fashion-MNIST" in result.stdout


def test_help_names_the_default_folder():
    text = run("--help").stdout
    assert "ROOT" in text and "_build/standin" in "".join(text.split())


def test_progress_can_be_silenced(tmp_path, capsys):
    standin.make(tmp_path / "a", 20, 10, progress=False)
    assert capsys.readouterr().out == ""
    standin.make(tmp_path / "b", 20, 10)
    assert "20 garments" in capsys.readouterr().out


def test_classes_are_learnable_but_not_by_their_means_alone(arrays):
    train, y, test, y_test = arrays
    train, test = train.flatten(1).float(), test.flatten(1).float()
    means = torch.stack([train[y == label].mean(0) for label in range(10)])
    y_hat = torch.cdist(test, means).argmin(1)
    accuracy = (y_hat == y_test).float().mean()
    assert 0.4 < accuracy < 0.8
