"""Training and judging a network on data that lie as tensors on the device."""
import contextlib
import math
import statistics
import time
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional as F

from checkpoint import load, save
from images import draw_moves, shift_flip
from machine import choose_threads, compute_dtype
from report import Progress, say
from team import Team, random_state, set_random_state

KEPT = "net", "optimizer", "scheduler", "scaler"  # of a step, in a checkpoint


@dataclass
class History:
    """What ``train`` saw: ``loss`` by step, ``curve`` by validation, other lists by epoch."""
    source: str  # of the data
    loss: list = field(default_factory=list)
    curve: list = field(default_factory=list)  # (step, validation loss, accuracy)
    train_loss: list = field(default_factory=list)
    train_accuracy: list = field(default_factory=list)
    val_loss: list = field(default_factory=list)
    val_accuracy: list = field(default_factory=list)
    seconds: list = field(default_factory=list)  # training only
    images_per_second: float = 0.0  # median over the epochs
    stopped: str = ""  # why it ended early, if it did


def train(net, data, *, num_epochs, lr, batch_size=256, schedule="onecycle", momentum=0.9,
          weight_decay=0.0, label_smoothing=0.0, augment=None, fast=False, validations=1,
          on_step=None, label="net", checkpoint=None):
    """Train ``net`` in place by SGD on the cross entropy; returns its History.

    In processes that have joined (``team.joined``) all train the same net, each on its part of
    every batch; all return the same History and end with the same weights.

    lr: the peak of ``schedule="onecycle"``, the rate of ``"constant"``, or what
        ``schedule(step)`` multiplies.
    weight_decay: on matrices and filters, not on biases, gamma and beta.
    augment: mirror half of the images and shift all by up to this many pixels.
    fast: bfloat16 (float16 with a scaled loss on older GPUs) and channels_last, where the
        device gains by it.
    validations: how many times in each epoch the net is validated; the last is at its end.
    on_step: called as ``on_step(step, net)`` after each update, step = 1, 2, ...
    checkpoint: a file that is written after each epoch; where it exists, training goes on
        from it, with the batches that would have followed.
    Batches follow torch's seed; an epoch's last incomplete one is left out. A part of the
    net that is in eval mode while the net itself is not (a frozen batch norm) stays so.
    Lazy layers take their shapes from the data. A loss that is not finite ends the training,
    and ``history.stopped`` says so; so does Ctrl-C, which is raised again when what was
    trained is kept: in ``net``, and in the exception's ``history``.
    """
    if not net.training:
        net.train()
    team = Team()
    batches = _Batches(data.X_train, data.y_train, batch_size, augment, team)
    num_steps, device = num_epochs * len(batches), data.X_train.device
    _take_shapes(net.to(device), data.X_train)
    dtype = compute_dtype(fast, device.type)
    optimizer, scheduler = _sgd(net, lr, momentum, weight_decay, schedule, num_steps,
                                fused=dtype != torch.float16)
    criterion = nn.CrossEntropyLoss(label_smoothing=label_smoothing)
    step = _Step(net, criterion, optimizer, scheduler, dtype, batches.weight)
    run = _Run(step, batches, data, num_steps, validations, on_step, label)
    plan = (f"{label}, {num_epochs} epochs of {len(batches)} steps of {batches.size} images, "
            f"lr {lr:g}")
    try:
        if checkpoint:
            run.restore(team.first(lambda: load(checkpoint, plan)))
        while len(run.history.val_loss) < num_epochs:
            run.epoch()
            if checkpoint and team.rank == 0:
                save(checkpoint, {"plan": plan, **run.state()})
        team.check_equal(net)
    except FloatingPointError as err:
        run.history.stopped = f"stopped at step {run.done}: {err}"
    except KeyboardInterrupt as err:
        run.history.stopped = f"stopped at step {run.done}: interrupted"
        err.history = run.history  # pyright: ignore[reportAttributeAccessIssue]
        raise
    finally:
        run.close()
    return run.history


class _Batches:
    """The training data in batches: another order in each epoch, by torch's seed.

    Each process of a team has its part of every batch, drawn and moved as if it had the whole.
    """

    def __init__(self, X, y, batch_size, augment, team):
        self.X, self.y, self.augment, self.team = X, y, augment, team
        self.size = min(batch_size, len(y))
        self.part = team.share(self.size)
        self.weight = (self.part.stop - self.part.start) / self.size

    def __len__(self):
        return len(self.y) // self.size

    def __iter__(self):
        order = torch.randperm(len(self.y)).to(self.X.device)
        for index in order.split(self.size)[:len(self)]:
            X = self.X[index[self.part]]
            if self.augment is not None:
                moves = draw_moves(self.size, self.augment, X.device)
                X = shift_flip(X, self.augment, [move[self.part] for move in moves])
            yield X, self.y[index[self.part]]


class _Step:
    """One update of the net's parameters from a batch, computed in ``dtype``.

    weight: this process's share of the batch, 1 for one that is alone.
    """

    def __init__(self, net, criterion, optimizer, scheduler, dtype, weight=1.0):
        self.net, self.criterion, self.dtype = net, criterion, dtype
        self.optimizer, self.scheduler = optimizer, scheduler
        self.layout = (torch.contiguous_format if dtype == torch.float32
                       else torch.channels_last)
        net.to(memory_format=self.layout)
        team = Team()
        self.forward = team.wrap(net)
        # Gradients are averaged over the processes as if their shares were equal.
        self.factor = weight * team.size
        device = next(net.parameters()).device.type
        # float16 has few exponents: the loss is scaled so that gradients do not round to 0.
        self.scaler = torch.amp.GradScaler(device, enabled=dtype == torch.float16)

    def __call__(self, X, y):
        """The logits (n, classes) and the loss before the update."""
        with autocast(self.dtype, X):
            y_hat = self.forward(X.contiguous(memory_format=self.layout))
            loss = self.criterion(y_hat, y)
        self.optimizer.zero_grad()
        self.scaler.scale(loss * self.factor).backward()
        scale = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        # Gradients that overflowed are no update: the scale shrinks and the schedule waits.
        if self.scaler.get_scale() >= scale:
            self.scheduler.step()
        return y_hat.detach(), loss.detach()


class _Run:
    """A training while it runs: its steps, its records, its progress line."""

    def __init__(self, step, batches, data, num_steps, validations, on_step, label):
        self.step, self.batches, self.data, self.on_step = step, batches, data, on_step
        self.losses, self.done = torch.zeros(num_steps, device=data.X_train.device), 0
        self.team = batches.team
        self.history, self.progress = History(data.source), Progress(label, self.team.rank > 0)
        # The steps of an epoch after which the net is validated.
        self.looks = {math.ceil(len(batches) * i / validations) for i in range(1, validations + 1)}

    def epoch(self):
        """Train for one epoch, validating on the way and at its end."""
        history, seconds, begun = self.history, 0.0, self.done
        correct = torch.zeros((), device=self.losses.device)
        start = time.perf_counter()
        for X, y in self.batches:
            if self.losses.device.type == "cpu":
                choose_threads()
            y_hat, loss = self.step(X, y)
            self.losses[self.done], hits = self.team.total(loss * self.batches.weight,
                                                           (y_hat.argmax(1) == y).sum())
            correct += hits
            self.done += 1
            if self.on_step:
                self.on_step(self.done, self.step.net)
            # On a GPU reading a loss makes it wait, so there only when a line is due.
            if self.losses.device.type == "cpu" or self.team.is_due(self.progress, self.done):
                self.look()
            if self.done - begun in self.looks:
                self.look()
                seconds += time.perf_counter() - start
                history.curve.append((self.done, *self.validate()))
                start = time.perf_counter()
        history.train_accuracy.append(correct.item() / (len(self.batches) * self.batches.size))
        history.seconds.append(seconds)
        history.train_loss.append(self.losses[begun:self.done].mean().item())
        history.val_loss.append(history.curve[-1][1])
        history.val_accuracy.append(history.curve[-1][2])

    def validate(self):
        """Loss and accuracy on the validation images, of which each process takes a part."""
        n = len(self.data.y_val)
        part = self.team.share(n)
        self.team.average_buffers(self.step.net)
        found = evaluate(self.step.net, self.data.X_val[part], self.data.y_val[part],
                         self.step.dtype != torch.float32)
        return self.team.mean(found, (part.stop - part.start) / n)

    def look(self):
        """Show how far it is; a loss that is not finite raises FloatingPointError."""
        self.team.stop_if_asked()
        loss = self.losses[self.done - 1].item()
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss}; lower lr "
                                     f"({self.step.scheduler.get_last_lr()[0]:.2g})")
        self.progress(f"step {self.done}/{len(self.losses)}, loss {loss:.3f}",
                      share=self.done / len(self.losses))

    def state(self):
        """All that a training needs to go on after a whole epoch."""
        parts = {name: getattr(self.step, name).state_dict() for name in KEPT}
        return {**parts, "history": vars(self.history), "losses": self.losses[:self.done].cpu(),
                "random": random_state()}

    def restore(self, state):
        """Go on from a ``state``; from the start if it is None."""
        if state:
            for name in KEPT:
                getattr(self.step, name).load_state_dict(state[name])
            self.history, self.done = History(**state["history"]), len(state["losses"])
            self.losses[:self.done] = state["losses"]
            set_random_state(state["random"])
            if self.team.rank == 0:
                say(f"{self.progress.label}: goes on after epoch {len(self.history.val_loss)}")

    def close(self):
        """Complete the history, and say how it ended."""
        history, whole = self.history, len(self.history.val_loss)
        history.loss = self.losses[:self.done].tolist()
        if whole:
            per_epoch = len(self.batches) * self.batches.size
            history.images_per_second = per_epoch / statistics.median(history.seconds[:whole])
        if history.stopped:
            self.progress(f"{history.stopped}; {whole} whole epochs are kept", last=True)
        elif whole:
            self.progress(
                f"epochs {whole}, {sum(history.seconds):.1f} s, "
                f"{history.images_per_second:,.0f} images/s\n  loss {history.train_loss[-1]:.3f}, "
                f"accuracy {history.train_accuracy[-1]:.3f}; validation: loss "
                f"{history.val_loss[-1]:.3f}, accuracy {history.val_accuracy[-1]:.3f}", last=True)


def autocast(dtype, X):
    """The context that computes on X in ``dtype``."""
    enabled = dtype != torch.float32
    return torch.autocast(X.device.type, dtype if enabled else torch.bfloat16, enabled=enabled)


def _take_shapes(net, X):
    """Give lazy layers their shapes; a net that has none is left alone."""
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in net.parameters()):
        with torch.no_grad(), _eval_mode(net):
            net(X[:2])


def _decays(module, name, parameter):
    """Whether weight decay is for this parameter: a matrix or filter, whatever its sizes."""
    norms = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)
    return (parameter.ndim >= 2 and "bias" not in name and name not in ("gamma", "beta")
            and not isinstance(module, norms))


def _sgd(net, lr, momentum, weight_decay, schedule, num_steps, fused=True):
    """SGD with Nesterov momentum, and the scheduler that is stepped after each update.

    Not ``fused`` for float16: where the first update is skipped because its gradients overflow,
    PyTorch's fused SGD goes on with momentum buffers that nobody filled.
    """
    groups = [{"params": [], "weight_decay": weight_decay}, {"params": [], "weight_decay": 0.0}]
    seen = set()  # a parameter that two modules share counts once
    for module in net.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter not in seen:
                seen.add(parameter)
                groups[not _decays(module, name, parameter)]["params"].append(parameter)
    optimizer = torch.optim.SGD(groups, lr, momentum, nesterov=momentum > 0, fused=fused)
    if schedule == "onecycle":
        warm_up = max(0.25, 2 / (num_steps + 1))  # a step at least, however short the run
        return optimizer, torch.optim.lr_scheduler.OneCycleLR(
            optimizer, lr, total_steps=num_steps + 1, pct_start=warm_up, cycle_momentum=False)
    factor = (lambda step: 1.0) if schedule == "constant" else schedule
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


@contextlib.contextmanager
def _eval_mode(net):
    """All of ``net`` in eval mode; each module has its own mode again afterwards."""
    modes = {module: module.training for module in net.modules()}
    try:
        yield net.eval()
    finally:
        for module, mode in modes.items():
            module.training = mode


@torch.no_grad()
def predict(net, X, fast=False, batch_size=1000):
    """The logits (n, classes), float32, of ``net`` in eval mode; all modes are restored."""
    with _eval_mode(net), autocast(compute_dtype(fast, X.device.type), X):
        return torch.cat([net(X_batch) for X_batch in X.split(batch_size)]).float()


def evaluate(net, X, y, fast=False):
    """Mean cross entropy (nats) and accuracy (0 to 1) of ``net`` in eval mode."""
    y_hat = predict(net, X, fast)
    return F.cross_entropy(y_hat, y).item(), (y_hat.argmax(1) == y).float().mean().item()
