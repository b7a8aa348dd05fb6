"""The shared module: data, budgets, the training loop, checks and plots."""
import re

import matplotlib.pyplot as plt
import pytest
import torch
from definitions import definitions
from torch import nn

import fashion
import lab


@pytest.fixture
def data(stand_in, monkeypatch):
    """2,048 training images of the stand-in."""
    monkeypatch.setenv("FASHION_MNIST_ROOT", str(stand_in))
    monkeypatch.setenv("BUDGET", "smoke")
    return lab.fashion_mnist()


def net(seed=0):
    """A small convolutional network."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 8, 5, stride=3), nn.BatchNorm2d(8), nn.ReLU(),
                         nn.Flatten(), nn.Linear(8 * 64, 10))


def tiny_load(per_class=60):
    """In place of fashion.load: images whose grey value tells their number."""
    y = torch.arange(10).repeat(per_class)
    X = (torch.arange(10 * per_class) % 256).to(torch.uint8)[:, None, None].expand(-1, 28, 28)
    return X, y, X[:100], y[:100], fashion.REAL


def test_split(monkeypatch):
    monkeypatch.setattr(fashion, "load", tiny_load)
    monkeypatch.setenv("BUDGET", "cpu")
    data = lab.fashion_mnist(num_val=100)
    assert data.X_train.shape == (500, 1, 28, 28) and data.X_val.shape == (100, 1, 28, 28)
    assert data.y_val.bincount().tolist() == [10] * 10
    assert data.y_train.bincount().tolist() == [50] * 10
    assert abs(data.X_train.mean().item()) < 1e-5 and abs(data.X_train.std().item() - 1) < 1e-4
    other = lab.fashion_mnist(num_val=100, seed=1)
    again = lab.fashion_mnist(num_val=100)
    assert torch.equal(again.X_val, data.X_val) and not torch.equal(other.X_val, data.X_val)


def test_split_uses_each_image_once(monkeypatch):
    monkeypatch.setattr(fashion, "load", lambda: tiny_load(25))
    monkeypatch.setenv("BUDGET", "cpu")
    data = lab.fashion_mnist(num_val=50)
    values = torch.cat([data.X_train, data.X_val])[:, 0, 0, 0]
    assert len(values.unique()) == 250


def test_stand_in_says_so(data, capsys):
    lab.fashion_mnist()
    assert "NOT Fashion-MNIST" in capsys.readouterr().out
    fig, ax = plt.subplots()
    lab.title(ax, "Accuracy", data.source)
    assert "stand-in, not Fashion-MNIST" in ax.get_title()
    lab.title(ax, "Accuracy", fashion.REAL)
    assert ax.get_title() == "Accuracy"
    plt.close(fig)


def test_budget(monkeypatch):
    monkeypatch.setenv("BUDGET", "smoke")
    assert lab.pick(smoke=1, cpu=2, gpu=3) == 1
    monkeypatch.setenv("BUDGET", "huge")
    with pytest.raises(ValueError, match="BUDGET=huge.*smoke, cpu or gpu"):
        lab.budget()
    monkeypatch.setattr(lab, "device", lambda: torch.device("cpu"))
    monkeypatch.setenv("BUDGET", "gpu")
    with pytest.raises(ValueError, match="needs a GPU"):
        lab.budget()
    monkeypatch.delenv("BUDGET")
    assert lab.budget() == "cpu"
    monkeypatch.setattr(lab, "device", lambda: torch.device("cuda"))
    assert lab.budget() == "gpu"


def test_training_learns(data):
    model = net()
    history = lab.train(model, data, num_epochs=6, lr=0.1, batch_size=64)
    assert len(history.loss) == 6 * 32 and len(history.val_accuracy) == 6
    assert history.val_accuracy[-1] > 0.6 and history.train_loss[-1] < history.train_loss[0]
    assert history.images_per_second > 0 and len(history.seconds) == 6
    loss, accuracy = lab.evaluate(model, data.X_val, data.y_val)
    assert (loss, accuracy) == (history.val_loss[-1], history.val_accuracy[-1])


@pytest.mark.parametrize("options", [{}, {"augment": 2}, {"fast": True},
                                     {"schedule": "constant", "lr": 0.01}])
def test_seeds_give_equal_runs(data, options):
    runs = [lab.train(net(seed), data, **{"num_epochs": 1, "lr": 0.1, **options}).loss
            for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]


def test_schedule(data):
    rates = []

    def note(step, model):
        rates.append(step)

    optimizer, scheduler = lab._sgd(net(), 0.4, 0.9, 0.0, "onecycle", 8)
    seen = []
    for _ in range(8):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert 0.35 < max(seen) <= 0.4 and seen[0] < 0.05 and seen[-1] < 0.1
    lab.train(net(), data, num_epochs=1, lr=0.1, schedule=lambda step: 0.5, on_step=note)
    assert rates == list(range(1, 9))


def test_weight_decay_spares_gamma_and_bias():
    scratch = definitions("batch_norm")["BatchNorm"](4, num_dims=4)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), scratch, nn.Linear(4, 2))
    optimizer, _ = lab._sgd(model, 0.1, 0.9, 0.3, "constant", 8)
    names = {parameter: name for name, parameter in model.named_parameters()}
    decay = {names[p]: group["weight_decay"] for group in optimizer.param_groups
             for p in group["params"]}
    assert set(decay) == set(names.values())
    assert {name for name, value in decay.items() if value} == {"0.weight", "3.weight"}


def test_rate_reaches_the_optimizer(data):
    still = net()
    before = [p.clone() for p in still.parameters()]
    lab.train(still, data, num_epochs=1, lr=0.1, schedule=lambda step: 0.0)
    assert all(torch.equal(a, b) for a, b in zip(before, still.parameters()))


def test_not_finite_loss_stops(data, capsys):
    def explode(step, model):
        if step == 3:
            model[-1].bias.data.fill_(float("nan"))

    history = lab.train(net(), data, num_epochs=2, lr=0.1, on_step=explode)
    assert "step 4" in history.stopped and "nan" in history.stopped and "lower lr" in history.stopped
    assert len(history.loss) == 4
    assert "stopped at step 4" in capsys.readouterr().out


def test_ctrl_c_returns_the_history_so_far(data):
    def interrupt(step, model):
        if step == 13:
            raise KeyboardInterrupt

    history = lab.train(net(), data, num_epochs=3, lr=0.1, on_step=interrupt)
    assert history.stopped == "stopped at step 13: interrupted"
    assert len(history.loss) == 13 and len(history.val_accuracy) == 1


def test_evaluate_restores_the_mode(data):
    model = net()
    before = model[1].running_mean.clone()
    lab.evaluate(model.train(), data.X_val, data.y_val)
    assert model.training and torch.equal(model[1].running_mean, before)
    y_hat = lab.predict(model.eval(), data.X_val, batch_size=7)
    torch.testing.assert_close(y_hat, model(data.X_val).detach())
    assert not model.training


def test_shift_flip_moves_whole_images():
    X = torch.rand(200, 1, 6, 5) + 1
    X[0, 0, 0, 0] = 0  # the background
    moved = fashion.shift_flip(X, pad=2)
    assert moved.shape == X.shape
    padded = nn.functional.pad(X, (2,) * 4)
    candidates = torch.stack([view for top in range(5) for left in range(5)
                              for view in (padded[..., top:top + 6, left:left + 5],
                                           padded[..., top:top + 6, left:left + 5].flip(3))])
    same = (candidates == moved).all(dim=(2, 3, 4))
    assert same.any(0).all()
    assert same.float().argmax(0).unique().numel() > 20


def test_check_equal(capsys):
    lab.check_equal("sum", torch.tensor([1.0]), torch.tensor([1.0 + 1e-7]))
    assert capsys.readouterr().out.startswith("✓ sum (largest difference")
    with pytest.raises(AssertionError):
        lab.check_equal("sum", torch.tensor([1.0]), torch.tensor([1.01]))
    with pytest.raises(AssertionError):
        lab.check_equal("shape", torch.zeros(2), torch.zeros(2, 1))


def test_claim(capsys):
    lab.claim("water is wet", True)
    lab.claim("water is dry", False)
    assert capsys.readouterr().out == "✓ water is wet\n✗ not in this run: water is dry\n"


def test_progress_ends_with_what_was_reached(data, capsys):
    lab.train(net(), data, num_epochs=1, lr=0.1, label="small")
    assert re.search(r"^small: epochs 1, [\d.]+ s, [\d,]+ images/s\n  loss [\d.]+, accuracy [\d.]+; "
                     r"validation: loss [\d.]+, accuracy [\d.]+$", capsys.readouterr().out.strip())


def test_plot_runs(data):
    runs = {name: [lab.train(net(seed), data, num_epochs=2, lr=0.1) for seed in range(2)]
            for name in ("one", "two")}
    fig, axes = lab.plot_runs(runs, "Two nets")
    for ax in axes:
        assert ax.get_xlabel() == "Epoch" and ax.get_ylabel() and "stand-in" in ax.get_title()
        assert len(ax.lines) == len(ax.collections) == 2
    median = torch.tensor([run.train_loss for run in runs["one"]]).median(0).values
    assert axes[0].lines[0].get_ydata().tolist() == pytest.approx(median.tolist())
    plt.close(fig)
