"""Chapter 1: the code of every equation, over many shapes, and the layer, against PyTorch."""
import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.autograd.gradcheck import GradcheckError
from torch.nn import functional as F
from torch.testing import assert_close

from tools.shared.definitions import definitions, run_cells

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
    for ours_one, expected_one in zip(ours, expected, strict=True):
        equal(ours_one.detach(), expected_one)


def test_gradcheck_fails_for_a_wrong_backward(monkeypatch):
    def by_hand(*args):
        return CHAPTER["NormalizeByHand"].apply(*args, EPS)

    args = (randn(5, 2).requires_grad_(), randn(2).requires_grad_(), randn(2).requires_grad_())
    assert torch.autograd.gradcheck(by_hand, args)
    right = CHAPTER["batch_norm_backward"]
    monkeypatch.setitem(CHAPTER, "batch_norm_backward",
                        lambda *args: (2 * right(*args)[0], *right(*args)[1:]))
    with pytest.raises(GradcheckError):
        torch.autograd.gradcheck(by_hand, args)


@pytest.mark.formula("eq-bn-conv-mean", "eq-bn-conv-var")
@settings(deadline=None)
@given(images, dtypes)
def test_statistics_of_a_convolution(shape, dtype):
    X = randn(*shape, dtype=dtype)
    names = run_cells("batch_norm", dict(zip("mcpq", shape, strict=True), X=X),
                      "eq-bn-conv-mean")
    equal(names["mean_k"].flatten(), X.mean((0, 2, 3)))
    equal(names["var_k"].flatten(), X.var((0, 2, 3), correction=0))


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
        Y_ours.backward(g)
        Y_theirs.backward(g)
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
    weights = [[p for p in net.parameters() if p.ndim > 1 and p.numel() > p.shape[1]]
               for net in nets]
    for plain, scratch, concise in zip(*weights, strict=True):
        assert torch.equal(plain, scratch) and torch.equal(plain, concise)
    X = torch.randn(4, 1, 28, 28)
    equal(nets[1](X), nets[2](X))


# ---------------------------------------------------------------- the state of the layer
@pytest.fixture(params=["BatchNorm", "GroupedBatchNorm"])
def kind(request):
    """Both layers, for groups of four examples."""
    return type(request.param, (CHAPTER[request.param],), {"size": 4})


def statistics(layer):
    """Copies of the moving mean and variance."""
    return layer.moving_mean.clone(), layer.moving_var.clone()


def test_statistics_are_written_in_place(kind):
    layer = kind(3, 4)
    own, shared = dict(layer.named_buffers()), layer._replicate_for_data_parallel()
    shared._parameters.update(layer._parameters)  # as on the first of several GPUs
    shared._buffers.update(layer._buffers)
    shared(randn(8, 3, 5, 4, dtype=torch.float32))
    assert all(own[name] is buffer for name, buffer in layer.named_buffers())
    whole = kind(3, 4)
    whole(randn(8, 3, 5, 4, dtype=torch.float32))
    assert whole.moving_mean.abs().min() > 0
    assert_close(statistics(layer), statistics(whole))


def test_functional_call_updates_the_state_that_it_is_given(kind):
    layer, expected = kind(3, 2).double(), kind(3, 2).double()
    before, held, X = statistics(layer), statistics(layer), randn(8, 3)
    given = {"moving_mean": held[0], "moving_var": held[1]}
    Y = torch.func.functional_call(layer, given, (X,))
    assert_close(Y, expected(X))
    assert_close(held, statistics(expected))
    assert_close(statistics(layer), before, rtol=0, atol=0)


def test_vmap_over_layers_trains_each_and_over_batches_is_refused(kind):
    layers, X = [kind(3, 2).double() for _ in range(2)], randn(2, 8, 3)
    params, buffers = torch.func.stack_module_state(layers)
    Y = torch.func.vmap(lambda p, b, x: torch.func.functional_call(layers[0], (p, b), (x,)))(
        params, buffers, X)
    for i, layer in enumerate(layers):
        assert_close(Y[i], layer(X[i]))
        assert_close(buffers["moving_var"][i], layer.moving_var)
    before = statistics(layers[0])
    with pytest.raises(RuntimeError):
        torch.func.vmap(layers[0])(X)
    with pytest.raises(RuntimeError):
        torch.func.jacrev(layers[0])(X[0])
    assert_close(statistics(layers[0]), before, rtol=0, atol=0)
    assert_close(torch.func.vmap(layers[0].eval())(X), layers[0](X.flatten(0, 1)).view_as(X))


def test_statistics_stay_usable_after_inference_mode(kind):
    layer, expected, X = kind(3, 2).double(), kind(3, 2).double(), randn(8, 3)
    start = copy.deepcopy(layer.state_dict())
    with torch.inference_mode():
        layer(X)
    expected(X)
    assert_close(statistics(layer), statistics(expected))
    layer.load_state_dict(start)
    assert_close(dict(layer.state_dict()), dict(start), rtol=0, atol=0)
    layer(X).sum().backward()
    assert_close(statistics(layer), statistics(expected))


def test_export_and_compile_keep_the_statistics(kind):
    X, plain = randn(8, 3, 4, 4, dtype=torch.float32), kind(3, 4)
    exported = torch.export.export(kind(3, 4), (X,)).module()
    compiled = torch.compile(kind(3, 4), backend="aot_eager", fullgraph=True)
    for _ in range(2):
        Y = plain(X)
        for one in (exported, compiled):
            assert_close(one(X), Y)
    for one in (exported, compiled):
        assert_close(statistics(one), statistics(plain))


def test_second_derivatives(kind):
    layer, x = kind(2, 2).double(), randn(8, 2).requires_grad_()
    assert torch.autograd.gradcheck(layer, x) and torch.autograd.gradgradcheck(layer, x)


def test_the_backward_pass_by_hand_refuses_a_second_derivative():
    x, gamma, beta = randn(5, 2).requires_grad_(), randn(2), randn(2)
    y = CHAPTER["NormalizeByHand"].apply(x, gamma, beta, EPS)
    slope, = torch.autograd.grad(y.pow(3).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.square().sum().backward()


# ------------------------------------------------------------------------- what it takes
@pytest.mark.parametrize("num_features, num_dims, shape, words", [
    (3, 4, (8, 3), "4 dimensions"), (3, 2, (8, 3, 5, 3), "2 dimensions"),
    (3, 4, (3, 6, 5), "4 dimensions"), (3, 2, (3,), "2 dimensions"), (3, 2, (), "2 dimensions"),
    (1, 4, (8, 3, 6, 5), "1 channels"), (6, 4, (8, 1, 6, 5), "6 channels"),
    (3, 2, (8, 4), "3 channels")])
def test_another_shape_is_refused_in_both_modes(kind, num_features, num_dims, shape, words):
    layer = kind(num_features, num_dims)
    before = statistics(layer)
    for mode in (True, False):
        with pytest.raises(ValueError, match=words):
            layer.train(mode)(torch.randn(shape))
    assert_close(statistics(layer), before, rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(1, 3), (0, 3), (1, 3, 1, 1), (0, 3, 4, 4), (4, 3, 0, 5)])
def test_nothing_to_normalize_is_refused_in_training_only(kind, shape):
    layer = kind(3, len(shape))
    layer.size = max(1, shape[0])
    before = statistics(layer)
    with pytest.raises(ValueError, match="two values|no groups"):
        layer(torch.randn(shape))
    assert_close(statistics(layer), before, rtol=0, atol=0)
    assert layer.eval()(torch.randn(shape)).shape == shape


def test_whole_numbers_and_too_few_dimensions_are_refused(kind):
    for mode in (True, False):
        with pytest.raises(ValueError, match="torch.int64"):
            kind(3, 2).train(mode)(torch.ones(8, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match="num_dims is 1"):
        kind(3, 1)


@pytest.mark.parametrize("examples, size", [(10, 4), (128, 48), (2, 4), (4, 0), (4, -2)])
def test_groups_that_do_not_divide_the_batch_are_refused(examples, size):
    layer = CHAPTER["GroupedBatchNorm"](3, 2)
    layer.size, before = size, statistics(layer)
    with pytest.raises(ValueError, match=f"groups of {size} in {examples} examples"):
        layer(torch.randn(examples, 3))
    assert_close(statistics(layer), before, rtol=0, atol=0)
    assert layer.eval()(torch.randn(examples, 3)).shape == (examples, 3)


# ----------------------------------------------------------------------------- precision
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [(16, 3), (8, 3, 7), (8, 3, 6, 5), (4, 3, 2, 3, 4)])
@pytest.mark.parametrize("how", ["the layer is half, too", "the layer is float32", "autocast"])
def test_half_precision(kind, dtype, shape, how):
    """Values of hundreds, whose squares float16 does not hold, against PyTorch's float32."""
    X = (randn(*shape, dtype=torch.float32) * 100).to(dtype)
    g = randn(*shape, dtype=torch.float32, seed=1).to(dtype)
    layer, results = kind(3, len(shape)), []
    layer.size = len(X)
    theirs = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
    reference = theirs[len(shape)](3)
    for one, x in ((layer.to(dtype) if "too" in how else layer, X), (reference, X.float())):
        x = x.clone().requires_grad_()
        with torch.autocast("cpu", dtype, enabled=how == "autocast"):
            Y = one(x)
        assert Y.dtype == x.dtype
        Y.backward(g.to(Y.dtype))
        results.append((Y, x.grad, one.eval()(x)))
    steps = 4 * torch.finfo(dtype).eps
    for ours, expected in zip(*results, strict=True):
        assert ours.dtype == dtype
        assert_close(ours.float(), expected, rtol=steps, atol=steps * expected.abs().max().item())
    pairs = ((layer.moving_mean, reference.running_mean), (layer.moving_var, reference.running_var),
             (layer.gamma.grad, reference.weight.grad), (layer.beta.grad, reference.bias.grad))
    for ours, expected in pairs:
        assert_close(ours.float().flatten(), expected, rtol=steps, atol=steps * 30)


def test_double_stays_double_and_a_large_mean_does_not_cancel(kind):
    X = randn(8, 3, 6, 6) / 3e4 + 1e4
    layer = kind(3, 4).double()
    layer.size = 8
    assert_close(layer(X), nn.BatchNorm2d(3).double()(X), rtol=1e-6, atol=1e-6)
    assert layer.moving_var.dtype == torch.float64


@pytest.mark.parametrize("padding", [0, 2])
@pytest.mark.parametrize("mean, std", [(0, 1), (10, 1), (100, 0.1), (1000, 1)])
def test_patch_moments_do_not_cancel(mean, std, padding):
    X = torch.randn(600, 1, 12, 12, generator=torch.Generator().manual_seed(0)) * std + mean
    expected = F.unfold(X.double(), 5, padding=padding).transpose(0, 1).flatten(1)
    z_mean, C = CHAPTER["patch_moments"](X, 5, padding)
    assert_close(z_mean.double(), expected.mean(1), rtol=1e-5, atol=1e-4)
    covariance = expected.cov(correction=0)
    assert (C - covariance).norm() < 1e-3 * covariance.norm()
    assert torch.linalg.eigvalsh(C).min() > -1e-6 * C.norm()


# ---------------------------------------------------------------- statistics after training
def torch_net():
    """A small network of PyTorch's layers, whose statistics are not those of ``randn``."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
                        nn.Linear(16, 3), nn.BatchNorm1d(3)).double()
    net(randn(8, 1, 4, 4, seed=9))
    return net


def test_precise_statistics_of_pytorchs_layers():
    net, X = torch_net(), randn(24, 1, 4, 4)
    expected = copy.deepcopy(net)
    for layer in expected.modules():
        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            layer.momentum = None  # PyTorch's word for a plain mean
            layer.reset_running_stats()
    for X_batch in X.split(8):
        expected(X_batch)
    before = copy.deepcopy(net.state_dict())
    precise = CHAPTER["precise_statistics"](net.eval(), X, batch_size=8)
    assert_close(dict(precise.state_dict()), dict(expected.state_dict()))
    assert_close(dict(net.state_dict()), dict(before), rtol=0, atol=0)
    assert not precise.training and precise[1].momentum == 0.1


@pytest.mark.parametrize("num", [2, 9, 13, 16])
def test_precise_statistics_of_any_number_of_images(num):
    """Each batch counts by its size, and none is left with one image."""
    X = randn(num, 3)
    for layer in (BatchNorm(3, 2), CHAPTER["GroupedBatchNorm"](3, 2), nn.BatchNorm1d(3)):
        net = nn.Sequential(layer.double())
        mean, var = list(layer.buffers())[:2]
        mean.fill_(float("nan"))  # as after a training that diverged
        var.fill_(float("inf"))
        precise = CHAPTER["precise_statistics"](net, X, batch_size=8)
        mean, var = (buffer.flatten() for buffer in list(precise.buffers())[:2])
        equal(mean, X.mean(0))
        batches = X.tensor_split(-(-num // 8))
        equal(var, sum(len(batch) * batch.var(0) for batch in batches) / num)


def test_precise_statistics_refuse_what_has_none():
    for net, X in ((nn.Linear(3, 2), randn(4, 3)), (torch_net(), randn(0, 1, 4, 4))):
        with pytest.raises(ValueError, match="batch normalization, and images"):
            CHAPTER["precise_statistics"](net, X)
