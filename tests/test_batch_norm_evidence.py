"""Chapter 1, first half: the derived backward pass, the tasks' judges, the experiments' parts."""
import copy

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from tools.shared.definitions import definitions, run_cells

CHAPTER = definitions("batch_norm")
BatchNorm, lenet = CHAPTER["BatchNorm"], CHAPTER["lenet"]
EPS = 1e-5
STATISTICS = {"eq-bn-dmu": ("dmu", torch.mean),
              "eq-bn-dvar": ("dvar", lambda c: c.var(correction=0)),
              "eq-bn-ds": ("ds", lambda c: torch.sqrt(c.var(correction=0) + EPS))}


def randn(*shape, seed=0):
    """Random numbers with mean 2 and standard deviation 3, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64) * 3 + 2


# ------------------------------------------------------------------- the derived backward pass
@pytest.mark.formula("eq-bn-dmu", "eq-bn-dvar", "eq-bn-ds", "eq-bn-jacobian")
@settings(deadline=None, max_examples=25)
@given(st.integers(2, 12), st.integers(0, 99))
def test_partial_derivatives_and_jacobian(m, seed):
    column = randn(m, seed=seed)
    var, mean = torch.var_mean(column, correction=0)
    assume(var > 0.1)  # numbers that hardly differ leave little but rounding errors
    s = torch.sqrt(var + EPS)
    names = {**CHAPTER, "column": column, "column_mean": mean, "column_var": var, "s": s,
             "column_hat": (column - mean) / s, "eps": EPS,
             "jacobian": torch.autograd.functional.jacobian}
    run_cells("batch_norm", names, *STATISTICS, "eq-bn-jacobian")
    for name, function in STATISTICS.values():
        leaf = column.clone().requires_grad_()
        [expected] = torch.autograd.grad(function(leaf), leaf)
        assert_close(names[name], expected)
    expected = torch.autograd.functional.jacobian(
        lambda c: F.batch_norm(c[:, None], None, None, training=True, eps=EPS)[:, 0], column)
    assert_close(names["J"], expected)


@pytest.mark.formula("eq-bn-explode")
@pytest.mark.parametrize("seed", range(3))
def test_part_of_a_relus_square_that_is_spread(seed):
    names = run_cells("batch_norm", dict(CHAPTER), "eq-bn-explode")
    z = torch.randn(10 ** 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    h = z.relu()
    assert_close(names["kept"], h.var() / h.square().mean(), rtol=5e-3, atol=0)


# --------------------------------------------------------------------------------- Your turn
def four_steps(x, gamma, beta, eps, axis=0, correction=0, inside=1, outside=0):
    """The four steps; the other arguments make them wrong."""
    var, mean = torch.var_mean(x, axis, correction=correction, keepdim=True)
    return gamma * (x - mean) / (torch.sqrt(var + inside * eps) + outside * eps) + beta


FORWARD = {
    "shape of x": lambda x, *rest: four_steps(x, *rest).sum(0),
    "over the batch": lambda *args: four_steps(*args, axis=1),
    "divided by m": lambda *args: four_steps(*args, correction=1),
    "eps is missing": lambda *args: four_steps(*args, inside=0),
    "not behind it": lambda *args: four_steps(*args, inside=0, outside=1),
    "gamma and beta are missing": lambda x, gamma, beta, eps: four_steps(x, 1, 0, eps),
    "beta is missing": lambda x, gamma, beta, eps: four_steps(x, gamma, 0, eps),
    "not beta": lambda x, gamma, beta, eps: four_steps(x, gamma, gamma * beta, eps),
    "compare each step": lambda *args: 1.5 * four_steps(*args)}


def gradients(g, x_hat, gamma, var, eps, mean=1, along=1, scale=1.0, sums=1, shape=None):
    """The three gradients; the other arguments make them wrong."""
    m, s = len(g), torch.sqrt(var + eps)
    dbeta, dgamma = g.sum(0), (g * x_hat).sum(0)
    dx = gamma / s * scale * (g - mean * dbeta / m - along * x_hat * dgamma / m)
    return dx if shape is None else dx[:shape], sums * dgamma, dbeta


def changed(**how):
    """A wrong backward pass: an argument may be a function of gamma and s."""
    def attempt(g, x_hat, gamma, var, eps):
        s = torch.sqrt(var + eps)
        given = {k: v(gamma, s) if callable(v) else v for k, v in how.items()}
        return gradients(g, x_hat, gamma, var, eps, **given)
    return attempt


def replaced(index, function):
    """A backward pass with another function of g and x_hat at this place."""
    def attempt(g, x_hat, gamma, var, eps):
        result = list(gradients(g, x_hat, gamma, var, eps))
        result[index] = function(g, x_hat)
        return result
    return attempt


BACKWARD = {
    "dx has the shape": changed(shape=2),
    "dgamma has the shape": replaced(1, lambda g, x_hat: g * x_hat),
    "dbeta is a sum": replaced(2, lambda g, x_hat: g.mean(0)),
    "dbeta is not the sum": replaced(2, lambda g, x_hat: -g.sum(0)),
    "dgamma is a sum": replaced(1, lambda g, x_hat: (g * x_hat).mean(0)),
    "dgamma is not the sum": replaced(1, lambda g, x_hat: g.sum(0)),
    "constants": changed(mean=0, along=0),
    "lacks the term of the mean": changed(mean=0),
    "lacks the term of the variance": changed(along=0),
    "lacks the factor gamma": changed(scale=lambda gamma, s: 1 / gamma),
    "not divided by s": changed(scale=lambda gamma, s: s),
    "divided by m": changed(mean=6, along=6),
    "not added": changed(mean=-1, along=-1),
    "by s once": changed(scale=lambda gamma, s: 1 / s),
    "three terms": changed(scale=2.0)}


@pytest.mark.parametrize("judge, hint, attempt", [
    *(("judge_forward", *pair) for pair in FORWARD.items()),
    *(("judge_backward", *pair) for pair in BACKWARD.items())])
def test_each_typical_mistake_gets_its_own_hint(judge, hint, attempt):
    with pytest.raises(AssertionError, match=hint):
        CHAPTER[judge](attempt)


@pytest.mark.parametrize("judge, solution", [("judge_forward", "solved_batch_norm"),
                                             ("judge_forward", four_steps),
                                             ("judge_backward", "batch_norm_backward"),
                                             ("judge_backward", gradients)])
def test_what_is_right_passes(judge, solution):
    CHAPTER[judge](CHAPTER.get(solution, solution))


def test_skeletons_are_open(monkeypatch, capsys):
    monkeypatch.setattr("report._OPEN", [])
    names = run_cells("batch_norm", dict(CHAPTER), "your-turn")
    printed = capsys.readouterr().out
    for task, name, number in (("The four steps", "my_batch_norm", 4),
                               ("The backward pass", "my_backward", 5)):
        assert f"{task}: open." in printed
        with pytest.raises(NotImplementedError):
            names[name](*[None] * number)


# -------------------------------------------------------------------------- scale invariance
def layer_and_batch(m, inputs, outputs):
    """W, and the other arguments of ``normalized_loss``."""
    generator = torch.Generator().manual_seed(m)
    target = torch.randint(0, 3, (m,), generator=generator)
    return randn(outputs, inputs), (randn(3, outputs, seed=1), randn(m, inputs, seed=2), target)


@pytest.mark.formula("eq-bn-scale", "eq-bn-growth")
@settings(deadline=None, max_examples=25)
@given(st.integers(4, 12), st.integers(2, 6), st.integers(1, 6))
def test_scale_invariance(m, inputs, outputs):
    W, example = layer_and_batch(m, inputs, outputs)
    names = {**CHAPTER, "W_free": W, "example": example}
    run_cells("batch_norm", names, "eq-bn-scale", "eq-bn-growth")
    gradient = names["gradient"]
    tolerance = 1e-6 * gradient.norm().item() + 1e-9
    assert_close(10 * names["at_a"], gradient, rtol=1e-6, atol=tolerance)
    assert abs((gradient * W).sum()) < 1e-6 * gradient.norm() * W.norm() + 1e-9
    assert_close(names["stepped"].square().sum(),
                 W.square().sum() + 0.25 * gradient.square().sum(), rtol=1e-6, atol=1e-6)


@pytest.mark.formula("eq-bn-decay")
@settings(deadline=None, max_examples=15)
@given(st.floats(0.0, 0.05), st.floats(0.001, 0.2), st.integers(1, 30))
def test_decay_is_a_growing_rate(decay, eta, steps):
    """Against PyTorch's SGD, with its weight decay and with rates that are set by hand."""
    W, example = layer_and_batch(16, 5, 4)
    with_decay, without = (nn.Parameter(W.clone()) for _ in range(2))
    first = torch.optim.SGD([with_decay], eta, weight_decay=decay)
    second = torch.optim.SGD([without], eta)
    for t in range(steps):
        losses = []
        for weights, optimizer in ((with_decay, first), (without, second)):
            second.param_groups[0]["lr"] = CHAPTER["grown_rate"](eta, decay, t)
            optimizer.zero_grad()
            losses.append(CHAPTER["normalized_loss"](weights, *example))
            losses[-1].backward()
            optimizer.step()
        assert_close(*losses, rtol=1e-5, atol=1e-6)
    assert_close(without * (1 - eta * decay) ** steps, with_decay, rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------------- parts of the experiments
def test_a_deep_net_is_looked_into_at_each_of_its_layers():
    torch.manual_seed(0)
    X, y = torch.randn(16, 1, 28, 28), torch.arange(16) % 10
    net = CHAPTER["deep_net"](5, nn.BatchNorm1d, width=20)
    seen, norms = CHAPTER["look_inside"](net, X, y)
    assert len(seen) == len(norms) == 5 and seen[0].shape == (16, 20)
    for x in seen:
        assert_close(x.std(0, correction=0), torch.ones(20), rtol=1e-3, atol=1e-3)
    assert net[1].weight.grad.norm().item() == pytest.approx(norms[0].item())


@pytest.mark.parametrize("start", CHAPTER["STARTS"])
def test_initial_weights(start):
    torch.manual_seed(0)
    default = lenet()
    net = CHAPTER["initialize"](copy.deepcopy(default), start)
    layer, before = net[-1], default[-1]
    if start == "PyTorch":
        assert torch.equal(layer.weight, before.weight) and layer.bias.abs().min() > 0
    else:
        std = (2 / 84) ** 0.5 if start == "He" else CHAPTER["GAINS"][start] * (2 / 94) ** 0.5
        assert layer.weight.std().item() == pytest.approx(std, rel=0.1)
        assert all(not one.bias.any() for one in net if isinstance(one, (nn.Conv2d, nn.Linear)))


def test_constant_statistics_compute_the_same_forward_and_one_path_backward():
    X = randn(6, 3, 2, 2)
    constant, whole = (kind(3, 4).double() for kind in (CHAPTER["ConstantStatistics"], BatchNorm))
    leaf, g = X.clone().requires_grad_(), randn(6, 3, 2, 2, seed=1)
    Y = constant(leaf)
    assert_close(Y, whole(X))
    assert_close(dict(constant.named_buffers()), dict(whole.named_buffers()))
    Y.backward(g)
    std = (X.var((0, 2, 3), correction=0, keepdim=True) + EPS).sqrt()
    assert_close(leaf.grad, g / std)
    assert_close(constant.eval()(X), whole.eval()(X))


def test_noise_is_there_in_training_only():
    torch.manual_seed(0)
    noisy, X = CHAPTER["NoisyBatchNorm"](3, 2), torch.randn(64, 3)
    assert (noisy(X) - noisy(X)).abs().mean() > 0.1
    assert (noisy(X).mean(0)).abs().max() > 0.1
    assert_close(noisy.eval()(X), noisy(X))


def test_probe_of_a_loss_that_is_known():
    """On a linear model's tiny steps, the loss changes by the step times the gradient squared."""
    torch.manual_seed(0)
    net, X, y = nn.Linear(4, 3).double(), randn(20, 4), torch.arange(20) % 3
    gradients = torch.autograd.grad(F.cross_entropy(net(X), y), list(net.parameters()))
    squared = sum(g.square().sum() for g in gradients).item()
    before = copy.deepcopy(net.state_dict())
    loss_range, smoothness = CHAPTER["probe"](net, X, y, 1e-6)
    assert loss_range == pytest.approx(4e-6 * squared, rel=1e-3)
    weights = nn.utils.parameters_to_vector(net.parameters()).detach()

    def loss(w):
        return F.cross_entropy(X @ w[:12].view(3, 4).T + w[12:], y)

    hessian = torch.autograd.functional.hessian(loss, weights)
    gradient = torch.cat([g.flatten() for g in gradients])
    along = (hessian @ gradient).norm() / gradient.norm()
    assert smoothness == pytest.approx(along.item(), rel=1e-2)
    assert_close(dict(net.state_dict()), dict(before), rtol=0, atol=0)
