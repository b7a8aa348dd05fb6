"""The ResNet chapter's code against d2l, torchvision, autograd and the formulas."""
import copy
import itertools
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from d2l import torch as d2l
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close
from torchvision.models.resnet import BasicBlock

from tools.shared.definitions import definitions, run_cells

ns = definitions("resnet")
Plain, Residual, PreActivation = ns["Plain"], ns["Residual"], ns["PreActivation"]
quick = settings(max_examples=25, deadline=None)
TOLERANCE: dict[torch.dtype, dict[str, Any]] = {
    torch.float32: dict(rtol=1e-4, atol=1e-4), torch.float64: dict(rtol=1e-9, atol=1e-9),
    torch.bfloat16: dict(rtol=0.05, atol=0.1)}
dtypes = st.sampled_from(list(TOLERANCE))
shapes = st.fixed_dictionaries(dict(
    n=st.integers(2, 5), c=st.integers(1, 6), h=st.integers(3, 12), w=st.integers(3, 12)))


def images(shape, dtype, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*(shape[k] for k in "nchw"), generator=generator).to(dtype)


def randomized(block, dtype):
    """The block with gamma, beta and running statistics away from 1 and 0."""
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias)
            mean, var, _ = module.buffers()
            nn.init.normal_(mean)
            nn.init.uniform_(var, 0.5, 2)
    return block.to(dtype)


def agree(ours, theirs, X, names):
    """Output, gradients, then state and prediction of two blocks are equal.

    ``names`` maps a parameter of ours to one of theirs.
    """
    tolerance, results = TOLERANCE[X.dtype], []
    for block in (ours, theirs):
        X_block = X.clone().requires_grad_()
        Y = block.train()(X_block)
        Y.backward(torch.linspace(-1, 1, Y.numel(), dtype=X.dtype).view(Y.shape))
        results.append((Y, X_block.grad))
    assert_close(results[0], results[1], **tolerance)
    our_state = dict(ours.named_parameters()) | dict(ours.named_buffers())
    their_state = dict(theirs.named_parameters()) | dict(theirs.named_buffers())
    for our_name, their_name in names.items():
        a, b = our_state[our_name], their_state[their_name]
        assert_close(a, b, **tolerance)
        if a.requires_grad:
            assert_close(a.grad, b.grad, **tolerance)
    assert_close(ours.eval()(X), theirs.eval()(X), **tolerance)


# ------------------------------------------------------------- against d2l and torchvision
@pytest.mark.formula("eq-resnet-block")
@quick
@given(shape=shapes, out=st.integers(1, 6), strides=st.sampled_from([1, 2, 3]), dtype=dtypes)
def test_residual_is_d2ls(shape, out, strides, dtype):
    torch.manual_seed(0)
    shortcut = out != shape["c"] or strides != 1
    theirs = randomized(d2l.Residual(shape["c"], out, shortcut, strides), dtype)
    ours = Residual(shape["c"], out, strides).to(dtype)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    agree(ours, theirs, images(shape, dtype), {k: k for k in theirs.state_dict()})


@quick
@given(shape=shapes, out=st.integers(1, 6), strides=st.sampled_from([1, 2]), dtype=dtypes)
def test_residual_is_torchvisions(shape, out, strides, dtype):
    torch.manual_seed(0)
    c, downsample = shape["c"], None
    if out != c or strides != 1:
        downsample = nn.Sequential(nn.Conv2d(c, out, 1, strides, bias=False),
                                   nn.BatchNorm2d(out))
    theirs = randomized(BasicBlock(c, out, strides, downsample), dtype)
    ours = Residual(c, out, strides).to(dtype)
    ns["copy_block"](ours, theirs)
    names = {k.replace("downsample", "conv3"): k for k in theirs.state_dict()}
    assert set(ours.state_dict()) - set(names) == {"conv1.bias", "conv2.bias"}
    agree(ours, theirs, images(shape, dtype), names)


@pytest.mark.parametrize("out, strides", [(2, 1), (3, 1), (3, 2)])
def test_residual_gradcheck(out, strides):
    torch.manual_seed(0)
    block = Residual(2, out, strides).double()
    X = torch.randn(2, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(block, X)


def test_the_shortcut_is_a_convolution_where_shapes_change():
    X = torch.randn(2, 3, 8, 8)
    for out, strides in ((6, 1), (3, 2), (6, 2)):
        block = Residual(3, out, strides)
        assert block(X).shape == (2, out, 8 // strides, 8 // strides)
        assert isinstance(block.conv3, nn.Conv2d)
    assert isinstance(Residual(3, 3).conv3, nn.Identity)


def test_plain_differs_in_the_shortcut_only():
    residual = Residual(3, 3)
    plain = Plain(3, 3)
    plain.load_state_dict(residual.state_dict(), strict=True)
    X = torch.randn(2, 3, 6, 6)
    Y = residual.bn2(residual.conv2(F.relu(residual.bn1(residual.conv1(X)))))
    assert_close(plain(X), F.relu(Y))
    assert_close(residual(X), F.relu(X + Y))


@quick
@given(shape=shapes, planes=st.integers(1, 3), strides=st.sampled_from([1, 2]),
       groups=st.sampled_from([1, 2]), projection=st.booleans(), dtype=dtypes)
def test_bottleneck_is_torchvisions(shape, planes, strides, groups, projection, dtype):
    torch.manual_seed(0)
    out, inner, downsample = 4 * planes, planes * groups, None
    c = shape["c"] if projection else out
    strides = strides if projection else 1
    if c != out or strides != 1:
        downsample = nn.Sequential(nn.Conv2d(c, out, 1, strides, bias=False),
                                   nn.BatchNorm2d(out))
    theirs = randomized(torchvision.models.resnet.Bottleneck(
        c, planes, strides, downsample, groups, base_width=64), dtype)
    ours = ns["Bottleneck"](c, out, strides, inner, groups).to(dtype)
    ns["take_state"](ours, theirs)
    names = {k.replace("downsample", "shortcut"): k for k in theirs.state_dict()}
    agree(ours, theirs, images(shape | {"c": c}, dtype), names)


@pytest.mark.parametrize("name, options", [
    ("resnet50", {}), ("resnet101", dict(num_blocks=(3, 4, 23, 3))),
    ("resnet152", dict(num_blocks=(3, 8, 36, 3))),
    ("resnext50_32x4d", dict(inner_share=1 / 2, groups=32)),
    ("wide_resnet50_2", dict(inner_share=1 / 2))])
def test_large_networks_have_torchvisions_shapes(name, options):
    with torch.device("meta"):
        ours, theirs = ns["resnet50"](**options), getattr(torchvision.models, name)()
    assert ([p.shape for p in ours.parameters()] == [p.shape for p in theirs.parameters()])


def test_resnet50_is_torchvisions():
    torch.manual_seed(0)
    theirs = torchvision.models.resnet50(num_classes=1000)
    ours, X = ns["take_state"](ns["resnet50"](), theirs), torch.randn(1, 3, 64, 64)
    assert_close(ours(X), theirs.eval()(X), rtol=1e-3, atol=1e-3)


def test_run_block_sees_a_difference():
    ours, theirs = Residual(2, 2), d2l.Residual(2, 2)
    X = torch.randn(2, 2, 5, 5)
    assert not torch.allclose(ns["run_block"](ours, X), ns["run_block"](theirs, X))
    ours.load_state_dict(theirs.state_dict())
    assert_close(ns["run_block"](ours, X), ns["run_block"](theirs, X))


# ------------------------------------------------------------------- formulas of one block
@pytest.mark.formula("eq-resnet-nested")
@given(extra=st.integers(1, 4), seed=st.integers(0, 5))
@settings(max_examples=10, deadline=None)
def test_deeper_class_contains_the_shallower_one(extra, seed):
    torch.manual_seed(seed)
    X = torch.randn(8, 1, 12, 12)
    net = ns["three_stages"](Residual, 8, width=4)
    more = [ns["zero_gamma"](Residual(16, 16)) for _ in range(extra)]
    deeper = nn.Sequential(*net[:-1], *more, net[-1])
    assert_close(deeper(X), net(X))


@pytest.mark.formula("eq-resnet-nested")
def test_least_squares_of_nested_classes_never_rises():
    names = run_cells("resnet", dict(ns), "eq-resnet-nested")
    x, y = names["points"].numpy(), names["target"].numpy()
    for degree in range(5):
        polynomial = np.polynomial.Polynomial.fit(x, y, degree, domain=[-1, 1])
        w, loss = names["best_fit"](range(degree + 1))
        assert_close(w, torch.from_numpy(polynomial.coef), rtol=1e-6, atol=1e-9)
        assert loss.item() == pytest.approx(((polynomial(x) - y) ** 2).mean())
    for classes in (names["nested"], names["apart"]):
        assert [len(powers) for powers in classes] == [2, 3, 4]
    nested, apart = list(names["nested"].values()), list(names["apart"].values())
    assert nested == sorted(nested, reverse=True) and apart == sorted(apart)


@pytest.mark.formula("eq-resnet-undo")
@quick
@given(shape=shapes, training=st.booleans())
def test_a_plain_block_that_does_nothing(shape, training):
    X = images(shape, torch.float32).relu()
    block = ns["identity_block"](X).train(training)
    assert type(block) is Plain
    assert_close(block(X), X, rtol=1e-4, atol=1e-4)
    for bn in (block.bn1, block.bn2):
        var, mean = torch.var_mean(X, (0, 2, 3), correction=0)
        assert_close(bn.weight.data, (var + bn.eps).sqrt())
        assert_close(bn.bias.data, mean)


@pytest.mark.formula("eq-resnet-identity")
def test_identity_by_filters_and_by_zeros():
    names = run_cells("resnet", dict(ns), "eq-resnet-identity")
    assert_close(names["f_plain"], names["X"], rtol=0, atol=0)
    assert_close(names["f_residual"], names["X"], rtol=0, atol=0)
    assert names["W_plain"].count_nonzero() == 4 and names["W_residual"].count_nonzero() == 0


@pytest.mark.formula("eq-resnet-target", "eq-resnet-residual", "eq-resnet-jacobian")
def test_small_residual_function_and_its_jacobian():
    names = run_cells("resnet", dict(ns), "eq-resnet-target", "eq-resnet-jacobian")
    f, g, x = names["f"], names["g"], names["x"]
    assert_close(f(x), g(x).add(x))
    W1, W2 = g[0].weight, g[2].weight
    slope = 1 - torch.tanh(g[0](x)) ** 2
    assert_close(names["J"], torch.eye(5) + W2 @ torch.diag(slope) @ W1)


@pytest.mark.formula("eq-resnet-target", "eq-resnet-residual")
@quick
@given(shape=shapes, dtype=st.sampled_from([torch.float32, torch.float64]))
def test_residual_is_what_is_added(shape, dtype):
    block = PreActivation(shape["c"], shape["c"]).to(dtype)
    X = images(shape, dtype)
    g = block.branch(X)
    assert_close(block(X), X + g)
    assert_close(block(X) - X, g, **TOLERANCE[dtype])


@pytest.mark.formula("eq-resnet-jacobian")
@pytest.mark.parametrize("training", [True, False])
def test_jacobian_is_identity_plus_that_of_g(training):
    torch.manual_seed(0)
    block = PreActivation(2, 2).double().train(training)
    X = torch.randn(2, 2, 3, 3, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian
    J_f, J_g = (jacobian(function, X).reshape(36, 36)
                for function in (block, block.branch))
    assert_close(J_f, torch.eye(36, dtype=torch.float64) + J_g)
    assert J_g.abs().max() > 0


@pytest.mark.formula("eq-resnet-1x1")
@quick
@given(shape=shapes, out=st.integers(1, 6), strides=st.sampled_from([1, 2, 3]), dtype=dtypes)
def test_1x1_convolution_is_a_matrix_product(shape, out, strides, dtype):
    torch.manual_seed(0)
    layer = nn.Conv2d(shape["c"], out, 1, strides).to(dtype)
    weight, bias = layer.parameters()
    inputs = [images(shape, dtype), weight.detach()[:, :, 0, 0], bias.detach()]
    inputs = [t.clone().requires_grad_() for t in inputs]
    X = inputs[0].detach().clone().requires_grad_()
    Y, Y_layer = ns["conv_1x1"](*inputs, strides), layer(X)
    assert_close(Y, Y_layer, **TOLERANCE[dtype])
    if dtype != torch.bfloat16:  # sums over many pixels are coarse there
        g = torch.randn_like(Y)
        Y.backward(g)
        Y_layer.backward(g)
        grads = [t.grad for t in (*inputs, X, weight, bias)]
        grads[4] = grads[4].squeeze((2, 3))
        assert_close(grads[:3], grads[3:], **TOLERANCE[dtype])


@pytest.mark.formula("eq-resnet-size")
@given(h=st.integers(1, 40), kernel_size=st.integers(1, 7), padding=st.integers(0, 3),
       strides=st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_output_size(h, kernel_size, padding, strides):
    assume(h + 2 * padding >= kernel_size)
    X = torch.zeros(1, 1, h, h)
    expected = ns["output_size"](h, kernel_size, padding, strides)
    assert nn.Conv2d(1, 1, kernel_size, strides, padding)(X).shape[2:] == (expected,) * 2
    if padding <= kernel_size // 2:
        assert nn.MaxPool2d(kernel_size, strides, padding)(X).shape[2] == expected


@pytest.mark.formula("eq-resnet-zero-gamma")
@quick
@given(shape=shapes, dtype=dtypes, training=st.booleans())
def test_zero_gamma_is_the_identity_on_non_negative_input(shape, dtype, training):
    block = randomized(Residual(shape["c"], shape["c"]), dtype).train(training)
    X = images(shape, dtype)
    ns["zero_gamma"](block)
    assert_close(block(X.relu()), X.relu(), rtol=0, atol=0)
    assert_close(block(X), X.relu(), rtol=0, atol=0)
    assert not torch.equal(block(-X.abs()), -X.abs())


@pytest.mark.formula("eq-resnet-preact")
@quick
@given(shape=shapes, out=st.integers(1, 6), strides=st.sampled_from([1, 2]), dtype=dtypes,
       training=st.booleans())
def test_preactivation(shape, out, strides, dtype, training):
    torch.manual_seed(0)
    block = randomized(PreActivation(shape["c"], out, strides), dtype).train(training)
    X, bn1, bn2 = images(shape, dtype), *(copy.deepcopy(b) for b in (block.bn1, block.bn2))
    Y = F.conv2d(F.relu(bn1(X)), block.conv1.weight, block.conv1.bias, strides, padding=1)
    Y = F.conv2d(F.relu(bn2(Y)), block.conv2.weight, block.conv2.bias, padding=1)
    shortcut = X
    if out != shape["c"] or strides != 1:
        shortcut = F.conv2d(X, block.conv3.weight, block.conv3.bias, strides)
    assert_close(block(X), shortcut + Y, **TOLERANCE[dtype])
    same = PreActivation(shape["c"], shape["c"]).to(dtype).train(training)
    nn.init.zeros_(same.conv2.weight)
    nn.init.zeros_(same.conv2.bias)
    assert_close(same(X), X, rtol=0, atol=0)  # negative elements too


@pytest.mark.formula("eq-resnet-small")
def test_nearly_identity():
    X = torch.rand(3, 8, 6, 6)
    target, delta = ns["nearly_identity"](X), F.conv2d(X, 0.1 * ns["K"], padding=1)
    assert_close(target, (X + delta).clamp(min=0))
    assert 0 < delta.norm() < 0.2 * X.norm()
    assert_close(ns["K"].sum((1, 2, 3)), torch.zeros(8))


# ------------------------------------------------------------------ formulas of many blocks
@pytest.mark.formula("eq-resnet-variance")
@quick
@given(shape=shapes)
def test_variance_of_a_sum(shape):
    torch.manual_seed(0)
    block, X = PreActivation(shape["c"], shape["c"]).double(), images(shape, torch.float64)
    assert_close(ns["variance_terms"](block, X).sum(), block(X).var(correction=0))


@pytest.mark.formula("eq-resnet-skipinit")
@quick
@given(shape=shapes, out=st.integers(1, 6), strides=st.sampled_from([1, 2]),
       alpha=st.sampled_from([-1.5, 0.0, 0.3]))
def test_scaled_branch(shape, out, strides, alpha):
    torch.manual_seed(0)
    block, X = ns["Scaled"](shape["c"], out, strides).double(), images(shape, torch.float64)
    assert block.alpha.item() == 0 and block.alpha.requires_grad
    block.alpha.data.fill_(alpha)
    assert_close(block(X), F.relu(block.conv3(X) + alpha * block.branch(X)))


@pytest.mark.formula("eq-resnet-sum", "eq-resnet-gradient")
@pytest.mark.parametrize("num_blocks", [1, 2, 6])
def test_unrolled_sum_and_gradient(num_blocks):
    torch.manual_seed(0)
    blocks = [PreActivation(3, 3).double() for _ in range(num_blocks)]
    x_l = torch.randn(2, 3, 5, 5, dtype=torch.float64, requires_grad=True)
    x_n, added = x_l, torch.zeros_like(x_l)
    for block in blocks:
        added = added + block.branch(x_n)
        x_n = block(x_n)
    assert_close(x_n, x_l + added)
    g = torch.randn_like(x_n)
    through, = torch.autograd.grad(added, x_l, g, retain_graph=True)
    whole, = torch.autograd.grad(x_n, x_l, g)
    assert_close(whole, g + through)


@pytest.mark.formula("eq-resnet-sum", "eq-resnet-gradient")
def test_the_chapters_sum_and_gradient():
    names = run_cells("resnet", dict(ns), "eq-resnet-sum")
    x_l = names["x_l"].detach().clone().requires_grad_()
    x_n = names["blocks"](x_l)
    whole, = torch.autograd.grad(x_n, x_l, names["dx_n"])
    assert_close(names["x_l"] + sum(names["added"]), x_n, rtol=1e-4, atol=1e-5)
    assert_close(names["dx_n"] + names["through_blocks"], whole, rtol=1e-4, atol=1e-5)


@pytest.mark.formula("eq-resnet-paths")
def test_the_product_is_the_sum_over_all_paths():
    names = run_cells("resnet", dict(ns), "eq-resnet-paths")
    assert [len(paths) for paths in names["paths_by_length"].values()] == [1, 4, 6, 4, 1]
    J1, J2, J3, J4 = names["Js"]
    eye = torch.eye(3, dtype=torch.float64)
    assert_close(sum(sum(paths) for paths in names["paths_by_length"].values()),
                 (eye + J4) @ (eye + J3) @ (eye + J2) @ (eye + J1))
    assert_close(names["paths_by_length"][4][0], J4 @ J3 @ J2 @ J1)


@pytest.mark.formula("eq-resnet-paths", "eq-resnet-lengths")
@pytest.mark.parametrize("num_blocks", [1, 2, 4])
def test_gradient_by_length_is_that_of_the_paths(num_blocks):
    torch.manual_seed(0)
    blocks = [randomized(Residual(2, 2), torch.float64).eval() for _ in range(num_blocks - 1)]
    blocks.append(randomized(Residual(2, 3, 2), torch.float64).eval())
    head = nn.Sequential(nn.Flatten(), nn.Linear(12, 4)).double()
    x, y = torch.randn(2, 2, 4, 4, dtype=torch.float64), torch.tensor([0, 3])
    parts = ns["gradient_by_length"](nn.Sequential(*blocks), x, head, y)
    assert len(parts) == num_blocks + 1
    expected = [torch.zeros_like(x) for _ in parts]
    for taken in itertools.product((False, True), repeat=num_blocks):
        start = z = x.clone().requires_grad_()
        for block, is_taken in zip(blocks, taken):
            open_ = (block.conv3(z) + block.branch(z)).detach() > 0
            # The value of the whole block, the gradient of one of its two ways.
            way = block.branch(z) if is_taken else block.conv3(z)
            value = F.relu(block.conv3(z) + block.branch(z)).detach()
            z = value + open_ * (way - way.detach())
        expected[sum(taken)] += torch.autograd.grad(F.cross_entropy(head(z), y), start)[0]
    assert_close(parts, expected)


@pytest.mark.formula("eq-resnet-lengths")
@quick
@given(num_blocks=st.integers(1, 6), size=st.integers(1, 4), seed=st.integers(0, 9))
def test_lengths_of_matrices_sum_to_the_whole(num_blocks, size, seed):
    torch.manual_seed(seed)
    Js = [torch.randn(size, size, dtype=torch.float64) for _ in range(num_blocks)]
    v = whole = torch.randn(size, dtype=torch.float64)
    parts = ns["solved_lengths"](Js, v)
    for J in reversed(Js):
        whole = whole + J.T @ whole
    assert len(parts) == num_blocks + 1
    assert_close(sum(parts), whole)


@pytest.mark.formula("eq-resnet-grouped")
@quick
@given(shape=shapes, groups=st.integers(1, 4), out=st.integers(1, 3),
       strides=st.sampled_from([1, 2]), dtype=dtypes)
def test_grouped_convolution(shape, groups, out, strides, dtype):
    torch.manual_seed(0)
    channels = shape["c"] * groups
    layer = nn.Conv2d(channels, out * groups, 3, strides, 1, groups=groups, bias=False).to(dtype)
    X = images(shape | {"c": channels}, dtype)
    ours = ns["grouped_conv"](X, layer.weight, groups, stride=strides, padding=1)
    assert_close(ours, layer(X), **TOLERANCE[dtype])
    with pytest.raises(ValueError, match="groups"):
        ns["grouped_conv"](X, layer.weight, groups + 1)


# ------------------------------------------------------------------------------- networks
@pytest.mark.parametrize("block", [Plain, Residual, PreActivation])
@pytest.mark.parametrize("depth", [2, 8, 14, 20, 44])
def test_depth_counts_layers(block, depth):
    net = ns["three_stages"](block, depth)
    threes = [m for m in net.modules()
              if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert len(threes) + 1 == depth
    assert net(torch.randn(2, 1, 28, 28)).shape == (2, 10)
    heights = [net[:i](torch.randn(2, 1, 28, 28)).shape[1:3] for i in (1, len(net) - 1)]
    assert heights == [(8, 14), (32, 4) if depth > 2 else (8, 14)]


def test_resnet18_parameters_and_stages():
    net, theirs = ns["resnet18"](), d2l.resnet18(10)
    assert ns["num_parameters"](net) == 11178378
    # d2l's stem is 3x3, torchvision's and ours 7x7
    assert ns["num_parameters"](net) - ns["num_parameters"](theirs) == 64 * (49 - 9)
    heights = ns["summary"](net, 2, torch.randn(2, 1, 64, 64))
    assert heights == [16, 16, 8, 4, 2, 1]
    small = ns["summary"](ns["resnet18_small_images"](), 2, torch.randn(2, 1, 28, 28))
    assert small == [28, 28, 14, 7, 4, 1]
    pooled = ns["summary"](ns["pooled_resnet"](), 3, torch.randn(2, 1, 28, 28))
    assert pooled == [14, 14, 7, 4, 1]


@pytest.mark.parametrize("size", [32, 65])
def test_resnet18_is_torchvisions(size):
    torch.manual_seed(0)
    theirs = randomized(torchvision.models.resnet18(num_classes=7), torch.float32)
    ours = ns["copy_resnet18"](copy.deepcopy(theirs))
    X, grads = torch.randn(2, 3, size, size), []
    for net in (ours.eval(), theirs.eval()):
        X_net = X.clone().requires_grad_()
        Y = net(X_net)
        Y.backward(torch.ones_like(Y))
        grads.append((Y, X_net.grad))
    assert_close(grads[0], grads[1], rtol=1e-3, atol=1e-3)
    assert_close(ours[-2].conv1.weight.grad, theirs.layer4[1].conv1.weight.grad,
                 rtol=1e-3, atol=1e-3)


def test_fresh_networks_of_one_seed_have_the_same_start():
    plain, residual = (ns["fresh"](block, 14, 3) for block in (Plain, Residual))
    draws = torch.rand(2)
    assert set(plain.state_dict()) < set(residual.state_dict())
    for name, value in plain.state_dict().items():
        assert torch.equal(value, residual.state_dict()[name])
    other = ns["fresh"](Plain, 14, 4)
    assert not torch.equal(other[0][0].weight, plain[0][0].weight)
    ns["fresh"](Residual, 14, 3)
    assert torch.equal(draws, torch.rand(2))  # the same batches follow


def test_without_bn_and_he_init():
    torch.manual_seed(0)
    net = ns["three_stages"](Residual, 14)
    bare = ns["without_bn"](net)
    assert bare is net
    assert not any(isinstance(m, nn.BatchNorm2d) for m in net.modules())
    assert net(torch.randn(4, 1, 28, 28)).shape == (4, 10)
    conv = nn.Conv2d(64, 64, 3)
    ns["he_init"](nn.Sequential(conv))
    assert conv.weight.var().item() == pytest.approx(2 / (64 * 9), rel=0.05)
    assert conv.bias.abs().max() == 0


def test_sizes_are_those_of_outputs_and_gradients():
    torch.manual_seed(0)
    net, X, y = ns["three_stages"](Residual, 14), torch.randn(4, 1, 28, 28), torch.arange(4)
    signal, gradient = ns["sizes"](net, X, y)
    assert len(signal) == len(gradient) == 7
    stem = net[0](X).detach().requires_grad_()
    F.cross_entropy(net[1:](stem), y).backward()
    assert signal[0] == pytest.approx(stem.std().item(), rel=1e-4)
    assert gradient[0] == pytest.approx(stem.grad.norm().item(), rel=1e-3)


def test_reestimated_statistics_are_those_of_the_data():
    torch.manual_seed(0)
    net, X = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3)), torch.randn(100, 1, 8, 8)
    assert ns["reestimate"](net, X, batch_size=50) is net and not net.training
    outputs = net[0](X)
    assert_close(net[1].running_mean, outputs.mean((0, 2, 3)).detach(), rtol=1e-3, atol=1e-5)
    assert_close(net[1].running_var, outputs.var((0, 2, 3)).detach(), rtol=0.02, atol=0)
    assert net[1].momentum == 0.1


def test_input_gradients_and_their_agreement():
    torch.manual_seed(0)
    start, end = torch.randn(2, 1, 4, 4)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    gradients = ns["input_gradients"](linear, start[None], end[None], steps=5)
    assert_close(gradients, linear[1].weight[0].expand(6, 16))
    assert ns["agreement"](gradients) == pytest.approx(1)
    assert abs(ns["agreement"](torch.randn(200, 1000))) < 0.02


def test_lesion_leaves_out_blocks_and_changes_nothing():
    torch.manual_seed(0)
    net = ns["three_stages"](Residual, 14)
    X, y = torch.randn(50, 1, 28, 28), torch.arange(50) % 10
    net(X)
    before = copy.deepcopy(net.state_dict())
    assert ns["removable"](net) == [1, 2, 4, 6]  # 3 and 5 change the shape
    rest = copy.deepcopy(net).eval()
    rest[4] = rest[1] = nn.Identity()
    expected = (rest(X).argmax(1) == y).float().mean().item()
    assert ns["lesion"](net, (1, 4), X, y) == pytest.approx(expected)
    expected = (ns["reestimate"](rest, X)(X).argmax(1) == y).float().mean().item()
    assert ns["lesion"](net, (1, 4), X, y, X) == pytest.approx(expected)
    assert len(net) == 8
    assert_close(net.state_dict(), before, rtol=0, atol=0)


@quick
@given(h=st.integers(1, 9), out=st.integers(1, 4))
def test_resnet_ds_shortcut_has_the_shape_of_stride_2(h, out):
    X = torch.randn(2, 3, h, h + 1)
    assert ns["shortcut_d"](3, out)(X).shape == nn.Conv2d(3, out, 1, 2)(X).shape


def test_preactivation_net_has_a_bare_stem():
    net = ns["preactivation_net"](14)
    assert isinstance(net[0], nn.Conv2d) and isinstance(net[1], PreActivation)
    assert isinstance(net[-1][0], nn.BatchNorm2d)
    assert net(torch.randn(2, 1, 28, 28)).shape == (2, 10)


def test_a_direction_is_as_long_as_the_nets_filters():
    net = ns["three_stages"](Residual, 8)
    for p, d in zip(net.parameters(), ns["direction"](net, torch.Generator().manual_seed(0)),
                    strict=True):
        lengths = [t.detach().flatten(1).norm(dim=1) for t in (p, d)] if p.ndim > 1 else [d, d]
        assert_close(*lengths)
        assert p.ndim > 1 or d.abs().max() == 0


def test_deep_mlp_starts_as_stem_and_head():
    net, X = ns["deep_mlp"](0, num_blocks=2, width=8), torch.randn(5, 1, 4, 4)
    assert_close(net(X), net[-1](net[:4](X)))


# ------------------------------------------------------------------------------- your turn
def told(judge, attempt):
    """The hint, or None where the attempt is right."""
    try:
        ns[judge](attempt)
    except AssertionError as hint:
        return str(hint)
    return None


@pytest.mark.parametrize("task", ["undo", "forward", "lengths"])
def test_solutions_pass_and_skeletons_are_open(task):
    assert told(f"judge_{task}", ns[f"solved_{task}"]) is None
    skeletons = run_cells("resnet", dict(ns), "your-turn")
    with pytest.raises(NotImplementedError):
        ns[f"judge_{task}"](skeletons[f"my_{task}"])


def undo(gamma=lambda bn: (bn.running_var + bn.eps).sqrt(), beta=lambda bn: bn.running_mean):
    def attempt(bn):
        bn.weight.data, bn.bias.data = gamma(bn), beta(bn).clone()
    return attempt


def reset(bn):
    bn.reset_running_stats()


@pytest.mark.parametrize("attempt, hint", [
    (undo(gamma=lambda bn: bn.running_var), "a root"),
    (undo(gamma=lambda bn: bn.running_var.sqrt()), "epsilon is missing"),
    (undo(gamma=lambda bn: 1 / (bn.running_var + bn.eps).sqrt()), "undo the division"),
    (undo(beta=lambda bn: -bn.running_mean), "wrong sign"),
    (undo(beta=lambda bn: 0 * bn.running_mean), "undo the subtraction"),
    (reset, "not the statistics")])
def test_wrong_ways_to_do_nothing_get_their_hint(attempt, hint):
    assert hint in (told("judge_undo", attempt) or "")


@pytest.mark.parametrize("attempt, hint", [
    (lambda b, X: F.relu(b.branch(X)), "shortcut is missing"),
    (lambda b, X: b.conv3(X) + F.relu(b.branch(X)), "behind the sum"),
    (lambda b, X: b.conv3(X) + b.branch(X), "there is a ReLU"),
    (lambda b, X: F.relu(b.conv3(X) + b.conv2(F.relu(b.bn1(b.conv1(X))))), "second batch norm"),
    (lambda b, X: F.relu(b.conv3(X) + b.bn2(b.conv2(b.bn1(b.conv1(X))))), "between the conv"),
    (lambda b, X: F.relu(X + b.branch(X)), "must pass through conv3"),
    (lambda b, X: 2 * b(X), "another function")])
def test_wrong_forward_passes_get_their_hint(attempt, hint):
    assert hint in (told("judge_forward", attempt) or "")


def lengths(Js, v):
    return ns["solved_lengths"](Js, v)


@pytest.mark.parametrize("attempt, hint", [
    (lambda Js, v: lengths(Js, v)[:-1], "4 lengths"),
    (lambda Js, v: lengths([J.T for J in Js], v), "transposed"),
    (lambda Js, v: lengths(Js[::-1], v), "start at the last block"),
    (lambda Js, v: lengths(Js, v)[::-1], "from length 0 up"),
    (lambda Js, v: [v] * 4, "longer by one")])
def test_wrong_lengths_get_their_hint(attempt, hint):
    assert hint in (told("judge_lengths", attempt) or "")


def test_stochastic_depth_drops_whole_images_and_keeps_the_mean():
    torch.manual_seed(0)
    block = ns["StochasticDepth"](3, 3)
    X = torch.randn(1, 3, 4, 4)
    full = PreActivation.branch(block.eval(), X)
    assert_close(block.branch(X), full)
    block.bn1.eval()
    block.bn2.eval()
    block.training = True  # the block alone: its batch norms stay in evaluation mode
    draws = block.branch(X.expand(4000, 3, 4, 4))
    kept = draws.flatten(1).abs().sum(1) > 0
    assert kept.float().mean().item() == pytest.approx(1 - block.p, abs=0.03)
    assert_close(draws[kept], (full / (1 - block.p)).expand_as(draws[kept]),
                 rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------- numbers that would be rounded
@pytest.mark.parametrize("depth", [-4, 1, 7, 9, 10, 18, 49])
def test_other_depths_are_refused(depth):
    with pytest.raises(ValueError, match=rf"depth {depth} is not 6m \+ 2"):
        ns["three_stages"](Residual, depth)


@pytest.mark.parametrize("num_blocks", [-1, 0, 2, 4, 7])
def test_stages_of_another_length_are_refused(num_blocks):
    net = ns["three_stages"](Residual, 20)
    assert len(ns["stages"](net, 3)) == 5
    with pytest.raises(ValueError, match=f"9 blocks, not stages of {num_blocks}"):
        ns["stages"](net, num_blocks)


@given(h=st.integers(1, 6), padding=st.integers(0, 2), more=st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_a_kernel_larger_than_its_input_is_refused(h, padding, more):
    kernel_size = h + 2 * padding + more
    with pytest.raises(RuntimeError):
        nn.Conv2d(1, 1, kernel_size, padding=padding)(torch.zeros(1, 1, h, h))
    with pytest.raises(ValueError, match="does not fit into"):
        ns["output_size"](h, kernel_size, padding, 1)
