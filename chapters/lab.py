"""What the chapters share: the device, data, training loop, checks and plots.

A chapter's own subject (batch norm, residual and dense blocks) is never here.
``BUDGET=smoke|cpu|gpu`` says how much to train; by default what the device can do.
"""
import os
import platform
import statistics
import textwrap
import time
from dataclasses import dataclass, field

# Set before torch loads: threads that spin while they wait made a shared two-core machine
# five times slower; spinning for some microseconds before they sleep gains a quarter.
os.environ.update({"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "10000", **os.environ})

import fashion
import matplotlib
import matplotlib.pyplot as plt
import torch
import torchvision
from IPython import get_ipython
from IPython.display import display
from matplotlib_inline.backend_inline import set_matplotlib_formats
from torch import nn
from torch.nn import functional as F

# Okabe and Ito's palette: told apart by readers with any colour vision.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_CPU = getattr(torch.cpu, "get_capabilities", dict)()  # older releases do not tell
_STARTED = time.time()


def device():
    """The fastest device there is: ``cuda``, ``mps`` or ``cpu``."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def device_name():
    """The device in words, such as ``AMD EPYC, 2 threads``."""
    if device().type == "cuda":
        return torch.cuda.get_device_name()
    cpu = _CPU.get("cpu_name") or platform.processor() or platform.machine()
    return cpu + (", Apple GPU" if device().type == "mps"
                  else f", {torch.get_num_threads()} threads")


def has_bf16():
    """Whether the device computes in bfloat16 faster than in float32."""
    if device().type == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    return any(_CPU.get(unit) for unit in ("avx512_bf16", "amx_bf16"))


def budget():
    """How much to train: ``BUDGET``, else ``gpu`` on a GPU and ``cpu`` without one.

    Raises ValueError for an unknown budget, and for ``gpu`` without a GPU.
    """
    on_cpu = device().type == "cpu"
    chosen = os.environ.get("BUDGET") or ("cpu" if on_cpu else "gpu")
    if chosen not in ("smoke", "cpu", "gpu"):
        raise ValueError(f"BUDGET={chosen} is unknown. Use smoke, cpu or gpu.")
    if chosen == "gpu" and on_cpu:
        raise ValueError("BUDGET=gpu needs a GPU and PyTorch sees none. Use BUDGET=cpu.")
    return chosen


def pick(*, smoke, cpu, gpu):
    """The value for this run's budget."""
    return {"smoke": smoke, "cpu": cpu, "gpu": gpu}[budget()]


def setup():
    """Plots as SVG (site), PDF (print), PNG (notebooks); exact float32; names the device."""
    os.environ.setdefault("SOURCE_DATE_EPOCH", "0")  # equal pictures, equal bytes
    set_matplotlib_formats("svg", "pdf", "png")  # JupyterLab shows new readers the PNG only
    torch.backends.cudnn.allow_tf32 = False  # the checks need float32 to be float32
    plt.rcParams.update({
        "axes.grid": True, "axes.prop_cycle": plt.cycler(color=COLORS),
        "axes.spines.right": False, "axes.spines.top": False,
        "figure.constrained_layout.use": True, "figure.figsize": (8, 3.2),
        "font.size": 11, "grid.alpha": 0.3, "legend.frameon": False, "svg.hashsalt": "book"})
    print(f"{device_name()}; budget {budget()}; torch {torch.__version__}")


def run_facts(data):
    """Print what a reader needs to judge the chapter's numbers."""
    minutes, seconds = divmod(round(time.time() - _STARTED), 60)
    print(f"Data:     {data.source}\nDevice:   {device_name()}\nBudget:   {budget()}\n"
          f"Versions: Python {platform.python_version()}, torch {torch.__version__}, torchvision "
          f"{torchvision.__version__}, matplotlib {matplotlib.__version__}\n"
          f"Date:     {time.strftime('%Y-%m-%d')}\nRun time: {minutes} min {seconds} s")


@dataclass
class Data:
    """Images (n, 1, 28, 28) float32, normalised, and labels (n,) int64, on the device."""
    X_train: torch.Tensor
    y_train: torch.Tensor
    X_val: torch.Tensor
    y_val: torch.Tensor
    X_test: torch.Tensor
    y_test: torch.Tensor
    source: str  # fashion.REAL or fashion.STAND_IN
    classes: tuple = fashion.CLASSES


def fashion_mnist(num_val=5000, seed=0):
    """Fashion-MNIST, ``num_val`` training images held out for validation, by class in turn.

    Pixels are shifted and scaled by the training split's mean and standard
    deviation. The smoke budget keeps 2,048 training and 512 other images.
    Search order, stand-in and errors: see ``fashion.load``.
    """
    X, y, X_test, y_test, source = fashion.load()
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    by_class = torch.stack([order[y[order] == k] for k in range(10)], dim=1)  # (6000, 10)
    val, train = by_class.flatten()[:num_val], by_class.flatten()[num_val:]
    test = torch.arange(len(y_test))
    if budget() == "smoke":
        train, val, test = train[:2048], val[:512], test[:512]
    if source != fashion.REAL:
        print(f"NOT Fashion-MNIST but {source}: it shows that the chapter runs. "
              "Its accuracies say nothing about Fashion-MNIST.")
    count = X[train].flatten().bincount(minlength=256).double()  # of each grey value
    grey = torch.arange(256).double()
    mean = (count @ grey / count.sum()).item()
    std = (count @ (grey - mean).square() / count.sum()).sqrt().item()

    def ready(images, index):
        return images[index].to(device()).float().unsqueeze(1).sub_(mean).div_(std)

    return Data(ready(X, train), y[train].to(device()), ready(X, val), y[val].to(device()),
                ready(X_test, test), y_test[test].to(device()), source)


@dataclass
class History:
    """What ``train`` saw: ``loss`` by step, the other lists by epoch."""
    source: str  # of the data
    loss: list = field(default_factory=list)
    train_loss: list = field(default_factory=list)
    train_accuracy: list = field(default_factory=list)
    val_loss: list = field(default_factory=list)
    val_accuracy: list = field(default_factory=list)
    seconds: list = field(default_factory=list)  # training only
    images_per_second: float = 0.0  # median over the epochs
    stopped: str = ""  # why it ended early, if it did


def train(net, data, *, num_epochs, lr, batch_size=256, schedule="onecycle", momentum=0.9,
          weight_decay=0.0, label_smoothing=0.0, augment=None, fast=False, on_step=None,
          label="net"):
    """Train ``net`` in place by SGD on the cross entropy; returns its History.

    lr: the peak of ``schedule="onecycle"``, the rate of ``"constant"``, or what
        ``schedule(step)`` multiplies.
    weight_decay: on matrices and filters, not on biases, gamma and beta.
    augment: mirror half of the images and shift all by up to this many pixels.
    fast: bfloat16 and channels_last, where the device gains by it.
    on_step: called as ``on_step(step, net)`` after each update, step = 1, 2, ...
    Batches follow torch's seed; an epoch's last incomplete one is left out. A loss
    that is not finite, and Ctrl-C, end the training; ``history.stopped`` says so.
    """
    X, y, kind = data.X_train, data.y_train, data.X_train.device.type
    batch_size, fast = min(batch_size, len(y)), fast and has_bf16()
    layout = torch.channels_last if fast else torch.contiguous_format
    net.to(X.device, memory_format=layout)
    per_epoch = len(y) // batch_size
    losses, step = torch.zeros(num_epochs * per_epoch, device=X.device), 0
    optimizer, scheduler = _sgd(net, lr, momentum, weight_decay, schedule, len(losses))
    criterion = nn.CrossEntropyLoss(label_smoothing=label_smoothing)
    history, progress = History(data.source), Progress(label)
    read_every = 1 if kind == "cpu" else 50  # reading a loss makes a GPU wait
    try:
        for epoch in range(num_epochs):
            net.train()
            correct, start = torch.zeros((), device=X.device), time.perf_counter()
            for index in torch.randperm(len(y)).to(X.device).split(batch_size)[:per_epoch]:
                X_batch = X[index] if augment is None else fashion.shift_flip(X[index], augment)
                with torch.autocast(kind, torch.bfloat16, enabled=fast):
                    y_hat = net(X_batch.contiguous(memory_format=layout))
                    loss = criterion(y_hat, y[index])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                scheduler.step()
                losses[step] = loss.detach()
                correct += (y_hat.detach().argmax(1) == y[index]).sum()
                step += 1
                if on_step:
                    on_step(step, net)
                if step % read_every == 0:
                    if not loss.isfinite():
                        raise FloatingPointError(f"the loss is {loss.item()}; lower lr "
                                                 f"({scheduler.get_last_lr()[0]:.2g})")
                    progress(f"step {step}/{len(losses)}, loss {loss.item():.3f}")
            history.train_accuracy.append(correct.item() / (per_epoch * batch_size))
            history.seconds.append(time.perf_counter() - start)
            history.train_loss.append(losses[step - per_epoch:step].mean().item())
            for values, value in zip((history.val_loss, history.val_accuracy),
                                     evaluate(net, data.X_val, data.y_val, fast)):
                values.append(value)
    except (KeyboardInterrupt, FloatingPointError) as err:
        history.stopped = f"stopped at step {step}: {str(err) or 'interrupted'}"
    history.loss = losses[:step].tolist()
    if history.val_loss:
        history.images_per_second = per_epoch * batch_size / statistics.median(history.seconds)
    progress(history.stopped or f"epochs {num_epochs}, {sum(history.seconds):.1f} s, "
             f"{history.images_per_second:,.0f} images/s\n  loss {history.train_loss[-1]:.3f}, "
             f"accuracy {history.train_accuracy[-1]:.3f}; validation: loss "
             f"{history.val_loss[-1]:.3f}, accuracy {history.val_accuracy[-1]:.3f}", last=True)
    return history


def _sgd(net, lr, momentum, weight_decay, schedule, num_steps):
    """SGD with Nesterov momentum, and the scheduler that is stepped after each update."""
    groups = [{"params": [], "weight_decay": weight_decay}, {"params": [], "weight_decay": 0.0}]
    for p in net.parameters():  # gamma is a vector in the shape (1, c, 1, 1), too
        groups[p.squeeze().ndim < 2]["params"].append(p)
    optimizer = torch.optim.SGD(groups, lr, momentum, nesterov=momentum > 0, fused=True)
    if schedule == "onecycle":
        warm_up = max(0.25, 2 / (num_steps + 1))  # a step at least, however short the run
        return optimizer, torch.optim.lr_scheduler.OneCycleLR(
            optimizer, lr, total_steps=num_steps + 1, pct_start=warm_up, cycle_momentum=False)
    factor = (lambda step: 1.0) if schedule == "constant" else schedule
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


@torch.inference_mode()
def predict(net, X, fast=False, batch_size=1000):
    """The logits (n, classes) of ``net`` in eval mode; its mode is restored."""
    was_training, fast = net.training, fast and has_bf16()
    net.eval()
    with torch.autocast(X.device.type, torch.bfloat16, enabled=fast):
        y_hat = torch.cat([net(X_batch) for X_batch in X.split(batch_size)])
    net.train(was_training)
    return y_hat.float()


def evaluate(net, X, y, fast=False):
    """Mean cross entropy (nats) and accuracy (0 to 1) of ``net`` in eval mode."""
    y_hat = predict(net, X, fast)
    return F.cross_entropy(y_hat, y).item(), (y_hat.argmax(1) == y).float().mean().item()


class Progress:
    """One line, in a notebook rewritten in place, at most three times a second."""

    def __init__(self, label):
        self.label, self.due, self.start = label, 0.0, time.perf_counter()
        self.handle = get_ipython() and display({"text/plain": label}, raw=True, display_id=True)

    def __call__(self, text, last=False):
        now = time.perf_counter()
        if last or now > self.due:
            self.due = now + 0.3
            line = f"{self.label}: {text}" + ("" if last else f" ({now - self.start:.0f} s)")
            if self.handle:
                self.handle.update({"text/plain": line}, raw=True)
            elif last:
                print(line)


def check_equal(what, ours, reference, rtol=1e-4, atol=1e-5):
    """Stop with an AssertionError unless two tensors agree; else print how closely."""
    torch.testing.assert_close(ours, reference, rtol=rtol, atol=atol)
    print(f"✓ {what} (largest difference {(ours - reference).abs().max().item():.1e})")


def claim(text, condition):
    """Print a sentence about this run with a tick, or that this run does not show it."""
    sentence = f"✓ {text}" if condition else f"✗ not in this run: {text}"
    print(textwrap.fill(sentence, 76, subsequent_indent="  "))


def title(ax, text, source):
    """Title a plot of results; it says so when the data are not the real ones."""
    ax.set_title(text if source == fashion.REAL else f"{text}\n({source}, not Fashion-MNIST)")


def plot_runs(runs, title_text, keys=("train_loss", "val_accuracy")):
    """Curves by epoch; ``runs`` maps a label to the Histories of its seeds (median, range)."""
    words = {"train_loss": "Training loss (nats)", "val_loss": "Validation loss (nats)",
             "train_accuracy": "Training accuracy", "val_accuracy": "Validation accuracy"}
    fig, axes = plt.subplots(1, len(keys))
    for ax, key in zip(axes, keys):
        for label, histories in runs.items():
            rows = torch.tensor([getattr(history, key) for history in histories])
            epochs = range(1, rows.shape[1] + 1)
            ax.plot(epochs, rows.median(0).values, marker="o", label=label)
            ax.fill_between(epochs, rows.amin(0), rows.amax(0), alpha=0.2)
        ax.set(xlabel="Epoch", ylabel=words[key])
        ax.xaxis.get_major_locator().set_params(integer=True)
        title(ax, title_text, histories[0].source)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncol=3)
    return fig, axes
