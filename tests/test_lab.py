"""The shared modules: data, budgets, the training loop, checks and plots."""
import io
import json
import re
import subprocess
import sys
import warnings

import matplotlib.pyplot as plt
import pytest
import torch
from bs4 import BeautifulSoup
from conftest import wait_for
from torch import nn

import fashion
import images
import lab
import machine
import report
import training
from tools.shared.definitions import definitions


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


def test_stand_in_and_smoke_say_so(data, capsys, monkeypatch):
    lab.setup(minutes=1, epochs=2)
    told = capsys.readouterr().out
    assert "Plan: budget smoke, " in told and ", 2 epochs of the main one, about 1 min" in told
    assert "Its numbers mean nothing" in told
    lab.fashion_mnist()
    assert "NOT Fashion-MNIST" in capsys.readouterr().out
    fig, ax = plt.subplots()
    lab.title(ax, "Accuracy", data.source)
    assert "stand-in, not Fashion-MNIST; smoke budget" in ax.get_title()
    monkeypatch.setenv("BUDGET", "cpu")
    lab.title(ax, "Accuracy", fashion.REAL)
    assert ax.get_title() == "Accuracy"
    plt.close(fig)


def test_budget(monkeypatch):
    monkeypatch.setenv("BUDGET", "smoke")
    assert lab.pick(smoke=1, cpu=2, gpu=3) == 1
    monkeypatch.setenv("BUDGET", "huge")
    with pytest.raises(ValueError, match="BUDGET=huge is unknown. Use smoke, slow, cpu, t4 or gpu"):
        lab.budget()
    monkeypatch.setattr(machine, "device", lambda: torch.device("cpu"))
    monkeypatch.setenv("BUDGET", "gpu")
    with pytest.raises(ValueError, match="needs a GPU"):
        lab.budget()
    monkeypatch.delenv("BUDGET")
    assert lab.budget() == "cpu"
    assert lab.pick(smoke=1, cpu=2, gpu=3) == 2 == lab.pick(smoke=1, cpu=2, gpu=3, t4=4)
    monkeypatch.setattr(machine, "fast_dtype", lambda *_: torch.float32)
    monkeypatch.setattr(machine, "_probe", lambda: lambda: 1.0)
    machine._is_slow.cache_clear()
    assert lab.budget() == "slow" and lab.pick(smoke=1, cpu=2, gpu=3, slow=5) == 5
    machine._is_slow.cache_clear()
    monkeypatch.setattr(machine, "device", lambda: torch.device("cuda"))
    assert lab.budget() == "t4" and lab.pick(smoke=1, cpu=2, gpu=3, t4=4) == 4
    monkeypatch.setattr(machine, "fast_dtype", lambda *_: torch.bfloat16)
    assert lab.budget() == "gpu" and lab.pick(smoke=1, cpu=2, gpu=3, t4=4) == 3


@pytest.mark.parametrize("capability, dtype", [((6, 1), torch.float32), ((7, 5), torch.float16),
                                               ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)])
def test_a_gpus_fast_dtype(monkeypatch, capability, dtype):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert lab.fast_dtype("cuda") == dtype


@pytest.mark.parametrize("others, expected", [(0.0, 4), (0.4, 4), (1.0, 3), (2.6, 1), (4.0, 1)])
def test_threads_are_the_cores_that_others_leave(monkeypatch, others, expected):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(machine, "ALL_THREADS", 4)
    monkeypatch.setattr(machine.psutil, "cpu_count", lambda: 4)
    monkeypatch.setattr(machine, "_seen", (10.0, 100.0, 50.0))
    before, now = torch.get_num_threads(), (12.0, 103.0 + 2 * others, 53.0)
    monkeypatch.setattr(machine, "_computing", lambda: now)
    try:
        assert machine.choose_threads() == expected == torch.get_num_threads()
        now = (12.2, 120.0, 53.0)  # too soon to tell
        assert machine.choose_threads() == expected
        now = (12.3, 120.0, 53.0)
        assert machine.choose_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_a_readers_number_of_threads_stays(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(machine, "_seen", (0.0, 0.0, 0.0))
    before = torch.get_num_threads()
    assert machine.choose_threads() == before == torch.get_num_threads()


def test_a_busy_neighbour_is_seen():
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    before = machine._computing()

    def others():
        clock, everyone, own = (b - a for a, b in zip(before, machine._computing()))
        return clock > 0.5 and everyone - own > clock / 4 > own

    try:
        wait_for(others, seconds=20)
    finally:
        neighbour.kill()
        neighbour.wait()


def test_threads_are_chosen_at_each_step(data, monkeypatch):
    chosen = []
    monkeypatch.setattr(training, "choose_threads", lambda: chosen.append(1))
    assert len(lab.train(net(), data, num_epochs=1, lr=0.1).loss) == len(chosen) > 0


def test_probes_leave_the_readers_seed_alone():
    torch.manual_seed(3)
    state = torch.get_rng_state()
    machine._probe(rounds=1)()
    assert torch.equal(state, torch.get_rng_state())


def test_float16_skips_what_overflows(data):
    model = net()
    optimizer, scheduler = training._sgd(model, 0.1, 0.9, 0.0, "onecycle", 8, fused=False)
    step = training._Step(model, nn.CrossEntropyLoss(), optimizer, scheduler, torch.float16)
    step.scaler = torch.amp.GradScaler("cpu", init_scale=2.0 ** 30)
    X, y = data.X_train[:64], data.y_train[:64]
    updated, rates, scales = [], [], []
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the scheduler's order
        for _ in range(30):
            before, rate = model[0].weight.clone(), scheduler.get_last_lr()
            _, loss = step(X, y)
            updated.append(not torch.equal(before, model[0].weight))
            rates.append(rate != scheduler.get_last_lr())
            scales.append(step.scaler.get_scale())
            if scheduler.last_epoch == 8:
                break
    assert updated == rates and not updated[0] and sum(updated) == 8
    assert scales[0] == 2.0 ** 29 and torch.isfinite(loss)


def test_float16_trains_like_float32(data, monkeypatch):
    runs = {}
    for dtype in (torch.float32, torch.float16):
        monkeypatch.setattr(machine, "fast_dtype", lambda *_, dtype=dtype: dtype)
        runs[dtype] = lab.train(net(), data, num_epochs=2, lr=0.1, fast=True)
    a, b = runs.values()
    assert b.loss == pytest.approx(a.loss, abs=0.05) and b.loss != a.loss


def test_validations_on_the_way(data):
    plain = lab.train(net(), data, num_epochs=2, lr=0.1, batch_size=256)
    often = lab.train(net(), data, num_epochs=2, lr=0.1, batch_size=256, validations=3)
    assert [step for step, _, _ in often.curve] == [3, 6, 8, 11, 14, 16]
    assert often.loss == plain.loss and often.val_accuracy == plain.val_accuracy
    assert [row[1:] for row in plain.curve] == [*zip(plain.val_loss, plain.val_accuracy)]


def test_your_turn(capsys, monkeypatch):
    monkeypatch.setattr(report, "_OPEN", [])

    def judge(attempt):
        if attempt(2, 3) == 6:
            raise AssertionError("it multiplies; add")
        if attempt(2, 3) != 5:
            raise AssertionError("2 and 3 are 5")

    def skeleton(a, b):
        raise NotImplementedError

    for attempt in (skeleton, lambda a, b: a * b, lambda a, b: a - b, lambda a: a):
        lab.your_turn("Addition", attempt, judge)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("○ Addition: open. Write it in the cell above")
    assert lines[1:3] == ["✗ Addition: it multiplies; add", "✗ Addition: 2 and 3 are 5"]
    assert lines[3].startswith("✗ Addition: your code raised TypeError")
    assert report._OPEN == ["Addition"]
    lab.your_turn("Addition", lambda a, b: a + b, judge)
    assert capsys.readouterr().out == "✓ Addition: right.\n" and not report._OPEN


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
def test_seeds_give_equal_runs(data, options, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # another number rounds otherwise
    runs = [lab.train(net(seed), data, **{"num_epochs": 1, "lr": 0.1, **options}).loss
            for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]


def test_schedule(data):
    rates = []

    def note(step, model):
        rates.append(step)

    optimizer, scheduler = training._sgd(net(), 0.4, 0.9, 0.0, "onecycle", 8)
    seen = []
    for _ in range(8):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert 0.35 < max(seen) <= 0.4 and seen[0] < 0.05 and seen[-1] < 0.1
    lab.train(net(), data, num_epochs=1, lr=0.1, schedule=lambda step: 0.5, on_step=note)
    assert rates == list(range(1, 9))


def test_weight_decay_goes_by_the_kind_of_parameter():
    scratch = definitions("batch_norm")["BatchNorm"](4, num_dims=4)
    model = nn.Sequential(nn.Conv2d(1, 4, 1), nn.BatchNorm2d(4), scratch, nn.Linear(4, 1),
                          nn.GroupNorm(2, 4), nn.LayerNorm((4, 3, 3)), nn.Linear(4, 1))
    model[6].weight = model[3].weight  # shared: once in the optimizer
    model[6].register_parameter("alpha", nn.Parameter(torch.zeros(())))
    optimizer, _ = training._sgd(model, 0.1, 0.9, 0.3, "constant", 8)
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
    assert history.stopped.startswith("stopped at step 4: the loss is nan; lower lr")
    assert len(history.loss) == 4
    assert "stopped at step 4" in capsys.readouterr().out


def test_ctrl_c_keeps_what_was_trained_and_ends_run_all(data, capsys):
    def interrupt(step, model):
        if step == 13:
            raise KeyboardInterrupt

    model = net()
    before = model[0].weight.clone()
    with pytest.raises(KeyboardInterrupt) as raised:
        lab.train(model, data, num_epochs=3, lr=0.1, on_step=interrupt)
    history = raised.value.history
    assert history.stopped == "stopped at step 13: interrupted"
    assert len(history.loss) == 13 and len(history.val_accuracy) == 1
    assert not torch.equal(model[0].weight, before)
    assert "stopped at step 13: interrupted; 1 whole epochs are kept" in capsys.readouterr().out
    assert len(lab.train(model, data, num_epochs=1, lr=0.1).val_loss) == 1


def test_predict_gives_back_every_modules_mode(data):
    model = net()
    before = model[1].running_mean.clone()
    lab.evaluate(model.train(), data.X_val, data.y_val)
    assert model.training and torch.equal(model[1].running_mean, before)
    model[1].eval()
    with pytest.raises(RuntimeError):
        lab.predict(model, data.X_val.expand(-1, 3, -1, -1))
    assert [module.training for module in model] == [True, False, True, True, True]
    y_hat = lab.predict(model.eval(), data.X_val, batch_size=7)
    torch.testing.assert_close(y_hat, model(data.X_val).detach())
    assert not model.training


def test_predictions_can_be_trained_on(data):
    y_hat, scale = lab.predict(net(), data.X_val), torch.ones((), requires_grad=True)
    nn.functional.cross_entropy(y_hat.sub_(1) * scale, data.y_val).backward()
    assert scale.grad is not None and not y_hat.requires_grad


def test_frozen_norms_stay_frozen(data):
    model = net()
    model[1].eval()
    before = model[1].running_mean.clone()
    lab.train(model, data, num_epochs=2, lr=0.1)
    assert torch.equal(model[1].running_mean, before) and not model[1].training
    lab.train(model.eval(), data, num_epochs=1, lr=0.1)  # the whole net: it trains
    assert not torch.equal(model[1].running_mean, before)


def test_lazy_layers_take_their_shapes(data):
    def lazy():
        torch.manual_seed(0)
        return nn.Sequential(nn.LazyConv2d(8, 5), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(),
                             nn.LazyLinear(10))

    model = lazy()
    history = lab.train(model, data, num_epochs=1, lr=0.05, fast=True)
    assert len(history.loss) == 8 and model[1].num_batches_tracked == 8


def test_shift_flip_moves_whole_images():
    X = torch.rand(200, 1, 6, 5) + 1
    X[0, 0, 0, 0] = 0  # the background
    moved = images.shift_flip(X, pad=2)
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


def test_claim(capsys, monkeypatch):
    monkeypatch.setenv("BUDGET", "cpu")
    lab.claim("water is wet", True)
    lab.claim("water is dry", False)
    assert capsys.readouterr().out == "✓ water is wet\n✗ not in this run: water is dry\n"
    monkeypatch.setenv("BUDGET", "smoke")
    lab.claim("water is wet", True)
    assert capsys.readouterr().out == "– not judged at the smoke budget: water is wet\n"


def test_ticks_are_printed_under_any_encoding(monkeypatch):
    monkeypatch.setenv("BUDGET", "cpu")
    file = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", newline="\n")
    monkeypatch.setattr("sys.stdout", file)
    lab.claim("water is wet", True)
    lab.claim("water is dry ≠", False)
    file.flush()
    assert file.buffer.getvalue() == b"[ok] water is wet\n[no] not in this run: water is dry ?\n"


COLUMNS = {"net": "", "parameters": ",", "share": ".1%"}


def test_a_table_in_plain_text(capsys):
    lab.table([("plain", 1234, 0.5), ("with BN", 56, torch.tensor(0.125))], COLUMNS, "Two nets")
    assert capsys.readouterr().out == ("Two nets\n"
                                       "net      parameters  share\n"
                                       "plain         1,234  50.0%\n"
                                       "with BN          56  12.5%\n")


def test_a_table_in_a_notebook(monkeypatch):
    shown = []
    monkeypatch.setattr(report, "_in_notebook", lambda: True)
    monkeypatch.setattr(report, "display", lambda bundle, raw: shown.append(bundle))
    lab.table([("a & b <i>", 1, 0.5), ("[c_d] 100%", 2, 1)], COLUMNS, "A_1 & <x>")
    [bundle] = shown
    table = BeautifulSoup(bundle["text/html"], "html.parser").table
    assert table and table.caption and table.caption.text == "A_1 & <x>"
    assert [head.text for head in table.select('thead th[scope="col"]')] == list(COLUMNS)
    assert [head.text for head in table.select('tbody th[scope="row"]')] == ["a & b <i>",
                                                                             "[c_d] 100%"]
    assert [cell.text for cell in table.select("td")] == ["1", "50.0%", "2", "100.0%"]
    sides = [cell["style"] for cell in table.select("th, td")]
    assert sides == ["text-align: left", "text-align: right", "text-align: right"] * 3
    latex = bundle["text/latex"]
    assert r"\begin{tabular}{lrr}" in latex and r"A\_1 \& <x>\\" in latex
    assert r"a \& b <i> & 1 & 50.0\% \\" in latex and r"{[}c\_d] 100\% & 2" in latex
    assert bundle["text/plain"].startswith("A_1 & <x>\nnet         parameters   share\n")


def test_a_column_a_seed(capsys):
    lab.table([("plain", 0.5, 0.25)], {"net": "", **lab.per_seed(".3f", range(2))})
    assert capsys.readouterr().out == "net    seed 0  seed 1\nplain   0.500   0.250\n"


@pytest.mark.parametrize("rows, told", [
    ([], "the table Two nets has no rows"),
    ([("plain", 1, 1), ("BN", 2)], r"row 2 of the table Two nets has 2 cells for 3 columns: "
                                   r"\['BN', 2\]")])
def test_a_table_needs_whole_rows(rows, told):
    with pytest.raises(ValueError, match=told):
        lab.table(rows, COLUMNS, "Two nets")


@pytest.mark.parametrize("record", [False, True])
def test_facts_are_text_and_data(data, monkeypatch, record):
    shown = []
    monkeypatch.setattr(report, "_in_notebook", lambda: True)
    monkeypatch.setattr(report, "display", lambda bundle, raw: shown.append(bundle))
    run = lab.History("x", seconds=[1.0, 2.0], images_per_second=10.0)
    more = [lab.Record("a net", net, {"num_epochs": 2}), [run] * 3,
            torch.tensor([0.5, 0.7, 0.6])] if record else []
    lab.run_facts(data, *more)
    [bundle] = shown
    facts = json.loads(json.dumps(bundle[lab.FACTS]))
    assert facts["data"] == data.source and facts["budget"] == "smoke"
    assert facts["versions"]["torch"] == torch.__version__
    text = bundle["text/plain"]
    assert f"Data:     {data.source}\nDevice:   {facts['device']}\nBudget:   smoke" in text
    assert ("network" in facts) == record == ("Result:   a net, test accuracy 0.6000 (median of 3 "
                                              "seeds, 0.5000 to 0.7000)" in text)
    if record:
        assert facts["train_seconds"] == [3.0] * 3 and facts["num_epochs"] == 2
        assert facts["test_accuracy"] == pytest.approx([0.5, 0.7, 0.6])


def test_progress_ends_with_what_was_reached(data, capsys):
    lab.train(net(), data, num_epochs=1, lr=0.1, label="small")
    assert re.fullmatch(r"small: epochs 1, [\d.]+ s, [\d,]+ images/s\n  loss [\d.]+, accuracy "
                        r"[\d.]+; validation: loss [\d.]+, accuracy [\d.]+",
                        capsys.readouterr().out.strip())


def test_plot_runs(data):
    runs = {name: [lab.train(net(seed), data, num_epochs=2, lr=0.1) for seed in range(2)]
            for name in ("one", "two")}
    fig, axes = lab.plot_runs(runs, "Two nets")
    for ax in axes:
        assert ax.get_xlabel() == "Step" and ax.get_ylabel() and "stand-in" in ax.get_title()
        assert len(ax.lines) == len(ax.collections) == 2
    median = torch.tensor([lab.smooth(run.loss, 20) for run in runs["one"]]).median(0).values
    assert axes[0].lines[0].get_ydata().tolist() == pytest.approx(median.tolist())
    assert axes[1].lines[0].get_xdata().tolist() == [8, 16]
    plt.close(fig)


def test_plot_runs_of_unequal_length():
    whole, short, none = (
        lab.History(fashion.REAL, loss=[3.0, 2.0, 1.0][:n],
                    curve=[(1, 2.0, 0.1), (2, 2.0, 0.2), (3, 2.0, 0.3)][:n]) for n in (3, 1, 0))
    fig, axes = lab.plot_runs({"net": [whole, short], "none": [none]}, "Nets")
    assert axes[0].lines[0].get_ydata().tolist() == [3.0, 2.5, 2.0]
    assert axes[1].lines[0].get_ydata().tolist() == [0.1, 0.2, 0.3]
    assert axes[1].lines[1].get_ydata().tolist() == []
    plt.close(fig)


def test_a_readers_own_style_does_not_leak(monkeypatch):
    monkeypatch.setitem(plt.rcParams, "lines.linewidth", 9)
    plt.rcParams["axes.facecolor"] = "black"
    lab.setup()
    assert plt.rcParams["lines.linewidth"] == 1.5 and plt.rcParams["axes.facecolor"] == "white"
