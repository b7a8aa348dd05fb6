"""Several processes: chapter 1's equations, and a training that torchrun shares out."""
import dataclasses
import os
import re
import signal
import socket
import subprocess
import sys
import time

import cloudpickle
import pytest
import torch
from conftest import wait_for
from hypothesis import given
from hypothesis import strategies as st
from torch import distributed as dist
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

import checkpoint
import lab
from processes import ALONE, ProcessError, run_processes
from tools.shared.definitions import definitions
from tools.shared.source import ROOT
from tools.train import main, synchronize

CHAPTER = definitions("batch_norm")
cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the processes load no pytest
dtypes = st.sampled_from([torch.float32, torch.float64])
parts = st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(lambda sizes: sum(sizes) > 1)


def randn(*shape, dtype=torch.float64, seed=0):
    """Random numbers with mean 2 and standard deviation 3."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) * 3 + 2


def equal(ours, reference):
    """Both agree to rounding."""
    tolerance = 1e-9 if ours.dtype == torch.float64 else 3e-4
    assert_close(ours, reference, rtol=tolerance, atol=tolerance)


@pytest.mark.formula("eq-bn-parallel")
@given(parts, dtypes)
def test_gradients_of_parts(sizes, dtype):
    sizes = [size for size in sizes if size]
    net = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).to(dtype)
    X, y = randn(sum(sizes), 5, dtype=dtype), torch.arange(sum(sizes)) % 3
    ours = CHAPTER["parallel_gradient"](net, [*zip(X.split(sizes), y.split(sizes))])
    whole = torch.autograd.grad(F.cross_entropy(net(X), y), list(net.parameters()))
    equal(ours, torch.cat([g.flatten() for g in whole]))


@pytest.mark.formula("eq-bn-merge")
@given(parts, st.integers(1, 4), dtypes)
def test_merged_statistics(sizes, d, dtype):
    x = randn(sum(sizes), d, dtype=dtype)
    told = zip(*map(CHAPTER["summarize"], x.split(sizes)))
    n, mean, var = CHAPTER["merge"](*map(torch.stack, told))
    assert n.tolist() == [len(x)]
    equal(mean, x.mean(0))
    equal(var, x.var(0, correction=0))


def test_merged_statistics_keep_their_digits():
    far = 1000 + randn(60, 3, dtype=torch.float32)
    merged = CHAPTER["merge"](*map(torch.stack, zip(*map(CHAPTER["summarize"], far.split(7)))))
    assert_close(merged[2].double(), far.double().var(0, correction=0), rtol=1e-4, atol=0)


@pytest.mark.formula("eq-bn-sync-dx")
@given(parts, st.integers(1, 4), dtypes)
def test_dx_of_parts(sizes, d, dtype):
    x, g = randn(sum(sizes), d, dtype=dtype).requires_grad_(), randn(sum(sizes), d, dtype=dtype)
    gamma, eps = randn(d, dtype=dtype, seed=1), 0.1
    y = F.batch_norm(x, None, None, gamma, training=True, eps=eps)
    var, mean = torch.var_mean(x.detach(), 0, correction=0)
    x_hat = (x.detach() - mean) / torch.sqrt(var + eps)
    cut = [*zip(g.split(sizes), x_hat.split(sizes))]
    sums = sum(CHAPTER["two_sums"](*pair) for pair in cut)
    dx = [CHAPTER["dx_of_part"](*pair, gamma, var, len(x), sums, eps) for pair in cut]
    equal(torch.cat(dx), torch.autograd.grad(y, x, g)[0])


@pytest.mark.formula("eq-bn-sync-cost")
@given(st.integers(1, 600), st.integers(1, 64))
def test_numbers_sent(c, R):
    forward, backward = CHAPTER["sync_numbers"](c, R)
    # A ring: everyone hands on R - 1 whole summaries; in a sum everyone hands on 1 / R of the
    # numbers, R - 1 times to add them up and R - 1 times to tell the sums.
    assert forward == sum(2 * c + 1 for _ in range(R - 1))
    assert backward == pytest.approx(sum(2 * c / R for _ in range(2 * (R - 1))))


# What runs in two processes. A group is started once for many shapes, for that takes seconds.
SIZES = [5, 11], [1, 1], [0, 7], [8, 8]
SHAPES = (), (4,), (3, 2)


def normalize_all():
    """For sizes, shapes and types: results of the function and of two steps of the layer."""
    found = []
    for sizes in SIZES:
        for dtype in (torch.float32, torch.float64):
            x, g = randn(sum(sizes), 3, dtype=dtype), randn(sum(sizes), 3, dtype=dtype, seed=1)
            gamma, beta = randn(2, 3, dtype=dtype, seed=2)
            found.append(CHAPTER["normalize_part"](x, gamma, beta, g, sizes))
    for shape in SHAPES:
        layer = CHAPTER["SyncBatchNorm"](3, 2 + len(shape))
        X = randn(2, 16, 3, *shape, dtype=torch.float32)
        for both in X:
            Y = layer(both.split([5, 11])[dist.get_rank()])
        (Y ** 3).sum().backward()
        found.append((Y.detach(), layer.moving_mean, layer.moving_var, layer.gamma.grad,
                      layer.beta.grad))
    return found


@pytest.mark.formula("eq-bn-sync-dx", "eq-bn-merge")
def test_two_processes_normalize_as_one():
    ranks, sent = zip(*run_processes(lambda: (normalize_all(), [
        CHAPTER["bytes_sent"](c, None) for c in (64, 512)]), 2, seconds=60))
    for few, many in sent if sys.platform == "linux" else ():
        for i in range(2):
            formula = [CHAPTER["sync_numbers"](c, 2)[i] for c in (512, 64)]
            assert many[i] - few[i] == pytest.approx(formula[0] - formula[1], rel=0.05)
    results = [*zip(*ranks)]
    for sizes in SIZES:
        for dtype in (torch.float32, torch.float64):
            x, g = randn(sum(sizes), 3, dtype=dtype), randn(sum(sizes), 3, dtype=dtype, seed=1)
            leaves = [t.clone().requires_grad_() for t in (x, *randn(2, 3, dtype=dtype, seed=2))]
            y = F.batch_norm(leaves[0], None, None, *leaves[1:], training=True)
            one = y.detach(), *torch.autograd.grad(y, leaves, g)
            first, second = results.pop(0)
            for i, reference in enumerate(one):
                a, b = first[i], second[i]
                equal(torch.cat([a, b]) if i < 2 else a + b, reference)
    for shape in SHAPES:
        layer = CHAPTER["BatchNorm"](3, 2 + len(shape))
        for X in randn(2, 16, 3, *shape, dtype=torch.float32):
            Y = layer(X)
        (Y ** 3).sum().backward()
        first, second = results.pop(0)
        equal(torch.cat([first[0], second[0]]), Y.detach())
        for a, b, reference in zip(first[1:3], second[1:3], (layer.moving_mean, layer.moving_var)):
            assert torch.equal(a, b)
            equal(a, reference)
        for a, b, p in zip(first[3:], second[3:], (layer.gamma, layer.beta)):
            assert_close(a + b, p.grad, rtol=1e-3, atol=1e-2)
    assert not results


# Trainings. 635 images in batches of 127, 251 to validate: no share is like another.
RECIPE = {"num_epochs": 2, "lr": 0.05, "batch_size": 127, "validations": 2}


@pytest.fixture
def data(stand_in, monkeypatch):
    """Some images of the stand-in."""
    monkeypatch.setenv("FASHION_MNIST_ROOT", str(stand_in))
    monkeypatch.setenv("BUDGET", "smoke")
    data = lab.fashion_mnist()
    few = {"X_train": 635, "y_train": 635, "X_val": 251, "y_val": 251}
    return dataclasses.replace(data, **{name: getattr(data, name)[:n] for name, n in few.items()})


def network(norm=None):
    """LeNet of ReLUs, always the same."""
    torch.manual_seed(0)
    return CHAPTER["lenet"](norm, nn.ReLU)


def train_all(data):
    """Histories and weights of some trainings; with two norms, twice, with moved images."""
    found = []
    for norm, more in ((None, {"augment": 2}), ("torch_norm", {}), ("BatchNorm", {"fast": True})):
        net = network(CHAPTER[norm] if norm else None)
        seed = 5
        if dist.is_initialized():
            net = synchronize(net, torch.device("cpu"))
            seed += dist.get_rank()  # rank 0's holds for all
        torch.manual_seed(seed)
        histories = [lab.train(net, data, **RECIPE, **more) for _ in range(2)]
        found.append((histories, [p.detach() for p in net.parameters()],
                      [b for b in net.buffers() if b.ndim]))
    return found


def test_two_processes_train_as_one(data):
    one, ranks = train_all(data), run_processes(train_all, 2, data, seconds=100)
    for alone, first, second in zip(one, *ranks):
        for mine, a, b in zip(*(found[0] for found in (alone, first, second))):
            assert a.loss == b.loss and a.curve == b.curve and len(a.curve) == 4
            # Rounding errors grow from training to training.
            fast = 0.05 if alone is one[2] else 1e-3 if mine is alone[0][0] else 1e-2
            assert a.loss == pytest.approx(mine.loss, abs=fast)
            assert a.val_loss == pytest.approx(mine.val_loss, abs=fast)
            assert a.train_accuracy == pytest.approx(mine.train_accuracy, abs=0.02)
        for part in (1, 2):
            assert all(map(torch.equal, first[part], second[part]))
            for ours, reference in zip(first[part], alone[part]):
                assert_close(ours.flatten(), reference.flatten(), rtol=0, atol=0.1 if alone
                             is one[2] else 1e-2)


def test_own_statistics_are_those_of_groups(data):
    def train(norm, size):
        net = network(CHAPTER[norm])
        for layer in net.modules():
            layer.size = size
        history = lab.train(net, data, num_epochs=1, lr=0.05, batch_size=126)
        return history.loss, [b.flatten() for b in net.buffers()]

    ranks = run_processes(train, 2, "BatchNorm", 63, seconds=60)
    loss, moving = train("GroupedBatchNorm", 63)
    assert ranks[0][0] == ranks[1][0] == pytest.approx(loss, abs=1e-4)
    for ours, reference in zip(ranks[0][1], moving):
        assert_close(ours, reference, rtol=1e-3, atol=1e-4)


def test_what_all_processes_refuse(data):
    def disturb(step, net):
        if dist.get_rank():
            net[0].bias.data += 1e-6

    def told():
        rank, messages = dist.get_rank(), []
        for wrong in (lambda: CHAPTER["SyncBatchNorm"](3, 2)(torch.ones(1 - rank, 3)),
                      lambda: lab.train(network(), data, num_epochs=1, lr=0.1, batch_size=1),
                      lambda: lab.train(network(), data, num_epochs=1, lr=0.1, on_step=disturb)):
            with pytest.raises((ValueError, RuntimeError)) as raised:
                wrong()
            messages.append(str(raised.value))
        return messages

    first, second = run_processes(told, 2, seconds=60)
    assert first == second
    assert first[0] == "needs two values a channel to normalize"
    assert first[1].startswith("1 images cannot be shared by 2 processes: take larger batches")
    assert re.fullmatch(r"\d+ weights differ between the processes", first[2])


def test_synchronize_keeps_what_the_layers_are():
    start = nn.BatchNorm2d(3, eps=0.1, momentum=0.2)
    nn.init.zeros_(start.weight)
    own = CHAPTER["BatchNorm"](4, 2, momentum=0.7)
    net = synchronize(nn.Sequential(start, nn.Sequential(own), nn.Linear(4, 4)),
                      torch.device("cpu"))
    first, second = net[0], net[1][0]
    assert type(first).__name__ == type(second).__name__ == "SyncBatchNorm"
    assert first.gamma.shape == (1, 3, 1, 1) and not first.gamma.any()
    assert (first.eps, first.momentum, second.momentum) == (0.1, 0.8, 0.7)
    assert second.gamma.shape == (1, 4) and second.gamma.all()


def test_the_command_alone(data, tmp_path, capsys):
    assert main(["batch_norm", "--epochs=1", f"--checkpoint={tmp_path / 'kept'}"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"LeNet \+ BN: test accuracy 0\.\d{4} \(a drawn stand-in; processes: 1", told)


# Checkpoints.
def test_a_resumed_training_is_the_uninterrupted_one(data, tmp_path):
    def interrupt(step, net):
        if step == 8:  # in the second epoch of five steps
            raise KeyboardInterrupt

    recipe = {**RECIPE, "num_epochs": 3, "augment": 2, "checkpoint": tmp_path / "kept"}
    whole, resumed = network(CHAPTER["torch_norm"]), network(CHAPTER["torch_norm"])
    torch.manual_seed(1)
    reference = lab.train(whole, data, **{**recipe, "checkpoint": None})
    torch.manual_seed(1)
    with pytest.raises(KeyboardInterrupt):
        lab.train(resumed, data, **recipe, on_step=interrupt)
    torch.manual_seed(2)
    other = network(CHAPTER["torch_norm"])
    history = lab.train(other, data, **recipe)
    assert history.loss == reference.loss and history.curve == reference.curve
    assert all(map(torch.equal, other.state_dict().values(), whole.state_dict().values()))
    again = lab.train(network(CHAPTER["torch_norm"]), data, **recipe)  # nothing is left to do
    assert again.loss == reference.loss
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_checkpoint_of_another_training_or_a_damaged_one(data, tmp_path):
    kept = tmp_path / "kept"
    lab.train(network(), data, **RECIPE, checkpoint=kept)
    with pytest.raises(checkpoint.CheckpointError, match="kept is another training's: net, 2 ep"):
        lab.train(network(), data, **{**RECIPE, "num_epochs": 3}, checkpoint=kept)
    kept.write_bytes(kept.read_bytes()[:1000])
    with pytest.raises(checkpoint.CheckpointError, match="kept is damaged .* Delete it"):
        lab.train(network(), data, **RECIPE, checkpoint=kept)


def test_a_checkpoint_is_whole_or_not_there(tmp_path, monkeypatch):
    kept = tmp_path / "kept"
    checkpoint.save(kept, {"plan": "a", "step": 1})

    def half(state, file):
        file.write(b"half of it")
        raise OSError("the disk is full")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(OSError, match="full"):
        checkpoint.save(kept, {"plan": "a", "step": 2})
    assert checkpoint.load(kept, "a")["step"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


# Faults. Each test ends within the seconds that it names, or fails.
def test_a_process_that_fails_says_why():
    def fail():
        if dist.get_rank() == 1:
            raise ValueError("no such layer")
        dist.barrier()

    with pytest.raises(ProcessError, match="(?s)process 1 of 2 failed.*no such layer"):
        run_processes(fail, 2, seconds=60)


def test_a_process_that_dies_is_named():
    def die():
        if dist.get_rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        dist.barrier()

    with pytest.raises(ProcessError, match="process 1 of 2 died without a word"):
        run_processes(die, 2, seconds=60)


@pytest.fixture
def mark(monkeypatch):
    """What stands in the environment of all processes that the test starts, and of no other."""
    monkeypatch.setenv("MARK", f"{os.getpid()}-{time.time()}")
    return f"MARK={os.environ['MARK']}"


def alive(*marks):
    """The processes of this machine that have all these in their environment."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                variables = file.read().decode(errors="replace").split("\0")
        except OSError:  # it has ended, or is another user's
            continue
        if set(marks) <= set(variables):
            found.append(int(pid))
    return found


linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells which processes are left")


@linux
def test_processes_that_hang_are_ended(mark):
    with pytest.raises(ProcessError, match="2 processes took more than 9 s and were ended"):
        run_processes(lambda: time.sleep(600), 2, seconds=9)
    wait_for(lambda: not alive(mark), seconds=10)


def torchrun(*command, nproc=2, **variables):
    """Start torchrun in the checkout."""
    return subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", "--local-addr=127.0.0.1",
         f"--nproc-per-node={nproc}", *command], cwd=ROOT, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env={**os.environ, **ALONE, **variables})


def kept(path):
    """The epochs that a checkpoint holds."""
    return (len(torch.load(path, weights_only=True)["history"]["val_loss"]) if path.exists()
            else 0)


def begun(folder, epochs, *options):
    """The checkpoint of a training, once it is there, and the training."""
    file = folder / "kept"
    run = torchrun("--standalone", *options, "-m", "tools.train", "batch_norm", epochs,
                   f"--checkpoint={file}")
    wait_for(lambda: kept(file), seconds=60)
    return file, run


@linux
def test_a_killed_process_is_started_again_and_goes_on(data, tmp_path, mark):
    file, run = begun(tmp_path, "--epochs=30", "--max-restarts=1")
    [one] = alive(mark, "RANK=1")
    os.kill(one, signal.SIGKILL)
    told = run.communicate(timeout=150)[0]
    assert run.returncode == 0, told
    assert re.search(r"LeNet \+ BN: goes on after epoch \d+", told)
    assert told.count("test accuracy") == 1 and "Warning" not in told and kept(file) == 30
    assert [path.name for path in tmp_path.iterdir()] == ["kept"] and not alive(mark)


@linux
def test_ctrl_c_stops_all_after_the_same_step(data, tmp_path, mark):
    file, run = begun(tmp_path, "--epochs=5000")
    run.send_signal(signal.SIGINT)
    told = run.communicate(timeout=60)[0]
    assert run.returncode and len(re.findall(r"stopped at step \d+: interrupted", told)) == 1
    assert "run it again to go on" in told
    assert kept(file) and [path.name for path in tmp_path.iterdir()] == ["kept"]
    wait_for(lambda: not alive(mark), seconds=10)


@linux
def test_workers_do_not_outlive_torchrun(data, tmp_path, mark):
    file, run = begun(tmp_path, "--epochs=5000")
    run.kill()
    wait_for(lambda: not alive(mark), seconds=20)
    run.communicate()
    assert kept(file) and [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_who_waits_too_long_says_so(tmp_path):
    script = tmp_path / "slow.py"
    script.write_text("import time\nfrom torch import distributed as dist\n"
                      "from team import joined\nwith joined(3) as team:\n"
                      "    time.sleep(600 * team.rank)\n    dist.barrier()\n")
    run = torchrun("--standalone", str(script), PYTHONPATH=str(ROOT / "chapters"))
    told = run.communicate(timeout=60)[0]
    assert run.returncode and ("Process 0 gave up: another one ended, or did not answer within "
                               "3 s") in told


def test_a_port_that_is_taken(data):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        run = torchrun("--nnodes=1", "--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}",
                       "--rdzv-conf=is_host=1,timeout=5", "-m", "tools.train", "batch_norm")
        told = run.communicate(timeout=60)[0]
    assert run.returncode and str(port) in told
