"""Chapter 1: the code of every equation, over many shapes, and the layer, against PyTorch."""
import pytest
import torch
from definitions import definitions, run_cells
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.autograd.gradcheck import GradcheckError
from torch.nn import functional as F

CHAPTER = definitions("batch_norm")
BatchNorm, batch_norm = CHAPTER["BatchNorm"], CHAPTER["batch_norm"]
EPS = 1e-5

matrices = st.tuples(st.integers(2, 12), st.integers(1, 6))
images = st.tuples(st.integers(2, 6), st.integers(1, 5), st.integers(1, 6), st.integers(1, 6))
dtypes = st.sampled_from([torch.float32, torch.float64])


def randn(*shape, dtype=torch.float64, seed=0):
    """Random numbers with mean 2 and standard deviation 3."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) * 3 + 2


def equal(ours, reference):
    """Both agree to rounding."""
    tolerance = 1e-9 if ours.dtype == torch.float64 else 3e-4
    torch.testing.assert_close(ours, reference, rtol=tolerance, atol=tolerance)


def pair(num_features, num_dims, dtype, momentum=0.9):
    """Our layer and PyTorch's with equal random gamma and beta."""
    ours = BatchNorm(num_features, num_dims, momentum=momentum).to(dtype)
    layer = nn.BatchNorm1d if num_dims == 2 else nn.BatchNorm2d
    theirs = layer(num_features, momentum=1 - momentum).to(dtype)
    with torch.no_grad():
        theirs.weight.copy_(randn(num_features, seed=1))
        theirs.bias.copy_(randn(num_features, seed=2))
        ours.gamma.copy_(theirs.weight.view_as(ours.gamma))
        ours.beta.copy_(theirs.bias.view_as(ours.beta))
    return ours, theirs


@pytest.mark.formula("eq-bn-affine")
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), dtypes)
def test_affine(m, inputs, outputs, dtype):
    u, W, b = (randn(*shape, dtype=dtype) for shape in ((m, inputs), (outputs, inputs), (outputs,)))
    names = run_cells("batch_norm", {"u": u, "W": W, "b": b}, "eq-bn-affine")
    equal(names["x"], F.linear(u, W, b))


@pytest.mark.formula("eq-bn-mean", "eq-bn-var", "eq-bn-standardize", "eq-bn-scale-shift",
                     "eq-bn-undo")
@settings(deadline=None)
@given(matrices, dtypes)
def test_the_four_steps(shape, dtype):
    x = randn(*shape, dtype=dtype)
    names = run_cells("batch_norm", {"x": x, **CHAPTER}, "eq-bn-mean", "eq-bn-var",
                      "eq-bn-standardize")
    equal(names["mean"], x.mean(0))
    equal(names["var"], x.var(0, correction=0))
    equal(names["x_hat"], F.batch_norm(x, None, None, training=True, eps=EPS))
    run_cells("batch_norm", names, "eq-bn-undo")
    equal(names["y_undone"], x)


@pytest.mark.formula("eq-bn-place", "eq-bn-scale-shift")
def test_scale_shift_and_place():
    x_hat = randn(8, 3, dtype=torch.float32)
    names = run_cells("batch_norm", {"x_hat": x_hat, **CHAPTER}, "eq-bn-scale-shift",
                      "eq-bn-place")
    equal(names["y"], torch.addcmul(names["beta"], names["gamma"], x_hat))
    equal(names["h"], names["y"].clamp(min=0))


@pytest.mark.formula("eq-bn-dbeta", "eq-bn-dgamma", "eq-bn-dx")
@settings(deadline=None)
@given(matrices)
def test_backward(shape):
    x, g = randn(*shape).requires_grad_(), randn(*shape, seed=1)
    gamma, beta = (randn(shape[1], seed=seed).requires_grad_() for seed in (2, 3))
    y = F.batch_norm(x, None, None, gamma, beta, training=True, eps=EPS)
    expected = torch.autograd.grad(y, (x, gamma, beta), g)
    var, mean = torch.var_mean(x, 0, correction=0)
    ours = CHAPTER["batch_norm_backward"](g, (x - mean) / torch.sqrt(var + EPS), gamma, var, EPS)
    for ours_one, expected_one in zip(ours, expected):
        equal(ours_one.detach(), expected_one)


def test_gradcheck_fails_for_a_wrong_backward(monkeypatch):
    by_hand = CHAPTER["NormalizeByHand"]
    args = (randn(5, 2).requires_grad_(), randn(2).requires_grad_(), randn(2).requires_grad_())
    assert torch.autograd.gradcheck(by_hand.apply, (*args, EPS))
    right = CHAPTER["batch_norm_backward"]
    monkeypatch.setitem(CHAPTER, "batch_norm_backward",
                        lambda *args: (2 * right(*args)[0], *right(*args)[1:]))
    with pytest.raises(GradcheckError):
        torch.autograd.gradcheck(by_hand.apply, (*args, EPS))


@pytest.mark.formula("eq-bn-jacobian")
def test_jacobian():
    x = randn(6, 2, dtype=torch.float32)
    var, mean = torch.var_mean(x, 0, correction=0)
    names = run_cells("batch_norm", {**CHAPTER, "x": x, "var": var, "eps": EPS, "m": 6,
                                     "x_hat": (x - mean) / torch.sqrt(var + EPS)},
                      "eq-bn-jacobian")
    expected = torch.autograd.functional.jacobian(
        lambda c: F.batch_norm(c[:, None], None, None, training=True, eps=EPS)[:, 0], x[:, 0])
    equal(names["J"], expected)


@pytest.mark.formula("eq-bn-conv-mean", "eq-bn-conv-var")
@settings(deadline=None)
@given(images, dtypes)
def test_statistics_of_a_convolution(shape, dtype):
    X = randn(*shape, dtype=dtype)
    names = run_cells("batch_norm", dict(zip("mcpq", shape), X=X), "eq-bn-conv-mean")
    equal(names["mean"].flatten(), X.mean((0, 2, 3)))
    equal(names["var"].flatten(), X.var((0, 2, 3), correction=0))


@pytest.mark.formula("eq-bn-moving", "eq-bn-momentum", "eq-bn-unbiased")
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.99])
def test_moving_statistics(momentum):
    batches = [randn(7, 3, seed=seed) for seed in range(4)]
    layer = nn.BatchNorm1d(3, momentum=1 - momentum).double()
    for batch in batches:
        layer(batch)
    zero, one = torch.zeros(3).double(), torch.ones(3).double()
    average = CHAPTER["moving_average"]
    equal(average(zero, [b.mean(0) for b in batches], momentum)[-1], layer.running_mean)
    biased = [b.var(0, correction=0) for b in batches]
    equal(average(one, [7 / 6 * var for var in biased], momentum)[-1], layer.running_var)


@pytest.mark.formula("eq-bn-weights")
@given(st.floats(0.0, 0.999), st.integers(1, 40))
def test_unrolled_average(momentum, steps):
    start, values = torch.tensor(7.0), randn(steps, dtype=torch.float32)
    names = run_cells("batch_norm", {"torch": torch, "start": start, "values": values,
                                     "momentum": momentum}, "eq-bn-weights")
    equal(names["unrolled"], CHAPTER["moving_average"](start, values, momentum)[-1])


@pytest.mark.formula("eq-bn-predict")
def test_prediction_cell():
    batches = [randn(16, 3, seed=seed, dtype=torch.float32) for seed in range(3)]
    names = run_cells("batch_norm", {**CHAPTER, "batches": batches, "eps": EPS}, "eq-bn-predict")
    equal(names["y_eval"], names["layer"].eval()(batches[0]).detach())


@pytest.mark.formula("eq-bn-true")
@settings(deadline=None, max_examples=15)
@given(st.integers(1, 3), st.integers(1, 6), st.integers(1, 9))
def test_patch_moments(half, height, width):
    X, size = randn(9, 1, height, width), 2 * half - 1
    mean, cov = CHAPTER["patch_moments"](X, size, half - 1)
    w, b = randn(2, 1, size, size, seed=1), randn(2, seed=2)
    out, w = F.conv2d(X, w, b, padding=half - 1), w.flatten(1)
    equal(w @ mean + b, out.mean((0, 2, 3)))
    equal(((w @ cov) * w).sum(1), out.var((0, 2, 3), correction=0))


@settings(deadline=None)
@given(st.one_of(matrices, images), dtypes, st.sampled_from([0.0, 0.5, 0.9, 0.99]))
def test_layer_is_pytorchs(shape, dtype, momentum):
    if len(shape) == 4 and shape[0] * shape[2] * shape[3] < 2:
        shape = (2, *shape[1:])
    ours, theirs = pair(shape[1], len(shape), dtype, momentum)
    for seed in range(3):
        X = randn(*shape, dtype=dtype, seed=seed)
        X_ours, X_theirs = X.clone().requires_grad_(), X.clone().requires_grad_()
        Y_ours, Y_theirs = ours(X_ours), theirs(X_theirs)
        g = randn(*shape, dtype=dtype, seed=seed + 9)
        Y_ours.backward(g), Y_theirs.backward(g)
        equal(Y_ours, Y_theirs)
        # Two examples can be far closer than eps, and float32 then loses digits.
        if dtype == torch.float64:
            equal(X_ours.grad, X_theirs.grad)
    if dtype == torch.float64:
        equal(ours.gamma.grad.flatten(), theirs.weight.grad)
    equal(ours.beta.grad.flatten(), theirs.bias.grad)
    equal(ours.moving_mean.flatten(), theirs.running_mean)
    equal(ours.moving_var.flatten(), theirs.running_var)
    equal(ours.eval()(X), theirs.eval()(X))


def test_channels_last():
    ours, theirs = pair(5, 4, torch.float32)
    X = randn(4, 5, 6, 7, dtype=torch.float32).to(memory_format=torch.channels_last)
    equal(ours(X), theirs(X))
    equal(ours.moving_var.flatten(), theirs.running_var)


def test_state_survives_save_and_load(tmp_path):
    ours, _ = pair(4, 2, torch.float64)
    ours(randn(8, 4))
    torch.save(ours.state_dict(), tmp_path / "state.pt")
    loaded = BatchNorm(4, 2).double()
    loaded.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    X = randn(3, 4, seed=5)
    equal(loaded.eval()(X), ours.eval()(X))
    assert set(ours.state_dict()) == {"gamma", "beta", "moving_mean", "moving_var"}


def test_mode_follows_train_and_eval_not_gradients():
    ours, _ = pair(3, 2, torch.float64)
    X = randn(6, 3)
    before = ours.moving_mean.clone()
    ours.eval()(X)  # gradients on
    equal(ours.moving_mean, before)
    with torch.no_grad():
        ours.train()(X)
    assert (ours.moving_mean - before).abs().min() > 0.01


def test_moving_statistics_hold_no_graph():
    ours, _ = pair(3, 2, torch.float64)
    ours(randn(6, 3).requires_grad_())
    assert not ours.moving_mean.requires_grad and not ours.moving_var.requires_grad
    assert set(dict(ours.named_parameters())) == {"gamma", "beta"}


@pytest.mark.parametrize("size", [2, 4, 8])
@pytest.mark.parametrize("shape", [(8, 3), (8, 3, 4, 5)])
def test_groups_are_normalized_on_their_own(size, shape):
    grouped = CHAPTER["GroupedBatchNorm"](3, len(shape)).double()
    grouped.size = size
    X = randn(*shape)
    each = [F.batch_norm(group, None, None, training=True, eps=EPS) for group in X.split(size)]
    equal(grouped(X), torch.cat(each))
    axes = [0, *range(2, len(shape))]
    equal(grouped.moving_mean.flatten(), 0.1 * X.mean(axes))
    unbiased = torch.stack([group.var(axes, correction=1) for group in X.split(size)]).mean(0)
    equal(grouped.moving_var.flatten(), 0.9 + 0.1 * unbiased)


def test_precise_statistics_are_plain_means():
    net = nn.Sequential(BatchNorm(3, 2)).double()
    net(randn(8, 3, seed=4))
    X = randn(12, 3)
    precise = CHAPTER["precise_statistics"](net, X, batch_size=4)
    equal(precise[0].moving_mean.flatten(), X.mean(0))
    unbiased = torch.stack([batch.var(0) for batch in X.split(4)]).mean(0)
    equal(precise[0].moving_var.flatten(), unbiased)


def test_lenet_with_and_without_share_their_start():
    nets = []
    for norm in (None, BatchNorm, CHAPTER["torch_norm"]):
        torch.manual_seed(0)
        nets.append(CHAPTER["lenet"](norm))
    weights = [[p for p in net.parameters() if p.ndim > 1 and p.numel() > p.shape[1]] for net in nets]
    for plain, scratch, concise in zip(*weights):
        assert torch.equal(plain, scratch) and torch.equal(plain, concise)
    X = torch.randn(4, 1, 28, 28)
    equal(nets[1](X), nets[2](X))
