"""Chapter 1: the family of norms, folding, accumulation, and the tasks of its second half."""
import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torch.testing import assert_close

from tools.shared.definitions import definitions, run_cells

CHAPTER = definitions("batch_norm")

images = st.tuples(st.integers(2, 5), st.integers(1, 5), st.integers(1, 6), st.integers(1, 6))


def randn(*shape, seed=0):
    """Random numbers with mean 2 and standard deviation 3."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double() * 3 + 2


# ---------------------------------------------------------------------------- the family
@pytest.mark.formula("eq-bn-family")
@settings(deadline=None)
@given(images)
def test_family(shape):
    X, normalize_over = randn(*shape), CHAPTER["normalize_over"]
    assert_close(normalize_over(X, (0, 2, 3)), F.batch_norm(X, None, None, training=True))
    assert_close(normalize_over(X, (1, 2, 3)), F.layer_norm(X, X.shape[1:]))
    assert_close(normalize_over(X[:, :, 0, 0], (1,)), F.layer_norm(X[:, :, 0, 0], X.shape[1:2]))
    if shape[2] * shape[3] > 1:  # PyTorch refuses a single element
        assert_close(normalize_over(X, (2, 3)), F.instance_norm(X))


@pytest.mark.formula("eq-bn-group")
@settings(deadline=None)
@given(images, st.integers(1, 4), st.booleans())
def test_groups(shape, num_groups, flat):
    X = randn(shape[0], shape[1] * num_groups, *shape[2:])
    if flat:
        X = X.flatten(2)
    if X[0].numel() > num_groups:
        ours = CHAPTER["group_normalize"](X, num_groups)
        assert_close(ours, F.group_norm(X, num_groups))
        one = [k for k in range(X.shape[1]) if k * num_groups // X.shape[1] == num_groups - 1]
        assert_close(ours[:, one], CHAPTER["group_normalize"](X[:, one], 1))


@pytest.mark.formula("eq-bn-rms")
@settings(deadline=None)
@given(st.integers(1, 7), st.integers(1, 7))
def test_rms(m, d):
    X = randn(m, d)
    names = run_cells("batch_norm", {**CHAPTER, "X": X}, "eq-bn-rms")
    assert_close(names["rms_normalize"](X), F.rms_norm(X, (d,), eps=1e-5))


def test_group_norm_takes_the_arguments_of_our_layers():
    for dims in (2, 4):
        layer = CHAPTER["group_norm"](6, dims)
        X = randn(4, 6, *[3] * (dims - 2)).float()
        assert_close(layer(X), CHAPTER["group_normalize"](X, 2))


# --------------------------------------------------------------------------- in practice
@pytest.mark.formula("eq-bn-fold")
@settings(deadline=None, max_examples=20)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 9))
def test_fold_is_pytorchs_fusion(inputs, outputs, seed):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(inputs, outputs, 3), CHAPTER["BatchNorm"](outputs, 4), nn.ReLU(),
                        nn.Flatten(), nn.Linear(4 * outputs, 3), CHAPTER["BatchNorm"](3, 2))
    net = net.double()
    theirs = [nn.BatchNorm2d(outputs).double().eval(), nn.BatchNorm1d(3).double().eval()]
    for ours, layer in zip((net[1], net[5]), theirs, strict=True):
        for mine, reference in zip((ours.gamma, ours.beta, ours.moving_mean, ours.moving_var),
                                   (layer.weight, layer.bias, layer.running_mean,
                                    layer.running_var), strict=True):
            reference.data.copy_(torch.rand_like(reference) + 0.5)
            mine.data.copy_(reference.view_as(mine))
    before, X = copy.deepcopy(net.state_dict()), randn(5, inputs, 4, 4)
    folded = CHAPTER["fold"](net)
    conv = fuse_conv_bn_eval(copy.deepcopy(net[0]).eval(), theirs[0])
    linear = fuse_linear_bn_eval(copy.deepcopy(net[4]).eval(), theirs[1])
    assert_close(folded[0].weight, conv.weight)
    assert_close(folded[0].bias, conv.bias)
    assert_close(folded[3].weight, linear.weight)
    assert_close(folded[3].bias, linear.bias)
    assert_close(folded(X), net.eval()(X))
    assert_close(dict(net.state_dict()), dict(before), rtol=0, atol=0)  # a copy was folded


def test_accumulated_gradients():
    X, y = randn(12, 3), torch.randint(4, (12,), generator=torch.Generator().manual_seed(0))
    gather = CHAPTER["accumulated_gradient"]
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 4)).double()
    for size in (1, 4, 5, 12):
        assert_close(gather(plain, X, y, size), gather(plain, X, y, 12))
    normal = nn.Sequential(nn.Linear(3, 5), CHAPTER["BatchNorm"](5, 2), nn.Linear(5, 4)).double()
    grouped = copy.deepcopy(normal)
    grouped[1] = CHAPTER["GroupedBatchNorm"](5, 2).double()
    grouped[1].size = 4
    assert_close(gather(grouped, X, y, 12), gather(normal, X, y, 4))
    assert (gather(normal, X, y, 12) - gather(normal, X, y, 4)).norm() > 1e-3


# ----------------------------------------------------------------------------- your turn
def verdict(judge, attempt):
    """The hint of a judge, or nothing."""
    try:
        CHAPTER[judge](attempt)
    except AssertionError as hint:
        return str(hint)
    return ""


@pytest.mark.parametrize("task, solution, skeleton", [
    ("judge_moving", "solved_update", "my_update"), ("judge_family", "solved_norm", "my_norm")])
def test_the_solution_passes_and_the_skeleton_is_open(task, solution, skeleton):
    assert verdict(task, CHAPTER[solution]) == ""
    attempt = run_cells("batch_norm", {**CHAPTER, "lab": Quiet}, "your-turn")[skeleton]
    with pytest.raises(NotImplementedError):
        CHAPTER[task](attempt)


class Quiet:
    """Stands for ``lab`` where the check cells run."""

    @staticmethod
    def your_turn(task, attempt, judge):
        """Say nothing."""


def update(old=0.9, n=7, pair=True, mean=True):
    """An attempt at the moving average: the old value's weight, what the variance divides by."""
    def attempt(moving_mean, moving_var, X, momentum):
        var = (X - X.mean(0)).square().sum(0) / n
        new_mean = old * moving_mean + (1 - old) * (X.mean(0) if mean else X.sum(0))
        return (new_mean, old * moving_var + (1 - old) * var) if pair else new_mean
    return attempt


@pytest.mark.parametrize("attempt, words", [
    (update(old=0.1), "weight of the old value"), (update(n=8), "n - 1, not by n"),
    (update(pair=False), "two tensors"), (update(mean=False), "the new mean is not"),
    (update(n=1), "the new variance is not")])
def test_hints_of_the_moving_average(attempt, words):
    assert words in verdict("judge_moving", attempt)


def member(axes=None, correction=0, root=True, mean=True, split=None, eps=1e-5):
    """An attempt at the family with one mistake."""
    def attempt(X, kind, num_groups):
        Z = X
        if kind == "group":
            Z = split(X) if split else X.unflatten(1, (num_groups, -1))
        right = {"batch": (0, 2, 3), "layer": (1, 2, 3), "instance": (2, 3), "group": (2, 3, 4)}
        over = right[kind] if axes is None else axes.get(kind, right[kind])
        var, mu = torch.var_mean(Z, over, correction=correction, keepdim=True)
        Y = (Z - mu if mean else Z) / ((var + eps).sqrt() if root else var + eps)
        Y = Y.transpose(1, 2) if split and kind == "group" else Y
        return Y.reshape(X.shape)
    return attempt


@pytest.mark.parametrize("attempt, words", [
    (member(axes={"layer": (2, 3)}), "layer: these are the axes of ['instance']"),
    (member(axes={"batch": (1, 2, 3)}), "batch: these are the axes of ['layer']"),
    (member(axes={"group": (1, 2, 3, 4)}), "group: these are the axes of ['layer']"),
    (member(correction=1), "the variance divides by n"),
    (member(root=False), "divide by the root"),
    (member(mean=False), "subtract the mean"),
    (member(eps=1e-9), "add eps to the variance"),
    (member(axes={"batch": (0, 1, 2, 3)}), "batch: "),
    (member(split=lambda X: X.unflatten(1, (-1, 2)).transpose(1, 2)), "are neighbours"),
    (lambda X, kind, num_groups: X.flatten(), "X's shape")])
def test_hints_of_the_family(attempt, words):
    assert words in verdict("judge_family", attempt)
