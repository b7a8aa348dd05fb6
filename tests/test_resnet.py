"""The ResNet chapter's code against d2l, torchvision, autograd and the formulas."""
import copy
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
@given(shape=shapes, out=st.integers(1, 6), strides=st.sampled_from([1, 2, 3]),
       shortcut=st.booleans(), dtype=dtypes)
def test_residual_is_d2ls(shape, out, strides, shortcut, dtype):
    if not shortcut:
        out, strides = shape["c"], 1
    torch.manual_seed(0)
    theirs = randomized(d2l.Residual(shape["c"], out, shortcut, strides), dtype)
    ours = Residual(shape["c"], out, shortcut, strides).to(dtype)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    agree(ours, theirs, images(shape, dtype), {k: k for k in theirs.state_dict()})


@quick
@given(shape=shapes, out=st.integers(1, 6), strides=st.sampled_from([1, 2]),
       shortcut=st.booleans(), dtype=dtypes)
def test_residual_is_torchvisions(shape, out, strides, shortcut, dtype):
    torch.manual_seed(0)
    c, downsample = shape["c"], None
    if shortcut:
        downsample = nn.Sequential(nn.Conv2d(c, out, 1, strides, bias=False),
                                   nn.BatchNorm2d(out))
    else:
        out, strides = c, 1
    theirs = randomized(BasicBlock(c, out, strides, downsample), dtype)
    ours = Residual(c, out, shortcut, strides).to(dtype)
    ns["copy_block"](ours, theirs)
    names = {k.replace("downsample", "conv3"): k for k in theirs.state_dict()}
    assert set(ours.state_dict()) - set(names) == {"conv1.bias", "conv2.bias"}
    agree(ours, theirs, images(shape, dtype), names)


@pytest.mark.parametrize("use_1x1conv, strides", [(False, 1), (True, 1), (True, 2)])
def test_residual_gradcheck(use_1x1conv, strides):
    torch.manual_seed(0)
    block = Residual(2, 2 + use_1x1conv, use_1x1conv, strides).double()
    X = torch.randn(2, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(block, X)


def test_residual_needs_the_shortcut_where_shapes_change():
    X = torch.randn(2, 3, 8, 8)
    for arguments in ((3, 6), (3, 3, False, 2)):
        with pytest.raises(RuntimeError, match="must match"):
            Residual(*arguments)(X)


def test_plain_differs_in_the_shortcut_only():
    residual = Residual(3, 3)
    plain = Plain(3, 3)
    plain.load_state_dict(residual.state_dict(), strict=True)
    X = torch.randn(2, 3, 6, 6)
    Y = residual.bn2(residual.conv2(F.relu(residual.bn1(residual.conv1(X)))))
    assert_close(plain(X), F.relu(Y))
    assert_close(residual(X), F.relu(X + Y))


@quick
@given(shape=shapes, channels=st.sampled_from([4, 8, 12]), dtype=dtypes)
def test_bottleneck_is_torchvisions(shape, channels, dtype):
    torch.manual_seed(0)
    theirs = randomized(torchvision.models.resnet.Bottleneck(channels, channels // 4), dtype)
    ours = ns["Bottleneck"](channels).to(dtype)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    agree(ours, theirs, images(shape | {"c": channels}, dtype),
          {k: k for k in theirs.state_dict()})


def test_check_blocks_sees_a_difference():
    ours, theirs = Residual(2, 2), d2l.Residual(2, 2)
    X = torch.randn(2, 2, 5, 5)
    with pytest.raises(AssertionError):
        ns["check_blocks"](ours, theirs, X)
    ours.load_state_dict(theirs.state_dict())
    ns["check_blocks"](ours, theirs, X)


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
    x, y = names["x"].numpy(), names["y"].numpy()
    for degree in range(5):
        polynomial = np.polynomial.Polynomial.fit(x, y, degree, domain=[-1, 1])
        w, loss = names["best_fit"](range(degree + 1))
        assert_close(w, torch.from_numpy(polynomial.coef), rtol=1e-6, atol=1e-9)
        assert loss.item() == pytest.approx(((polynomial(x) - y) ** 2).mean())
        assert names["nested"][degree] == loss.item()
    assert names["nested"] == sorted(names["nested"], reverse=True)
    assert names["single"] != sorted(names["single"], reverse=True)


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
    g = block.residual(X)
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
                for function in (block, block.residual))
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
    block = randomized(PreActivation(shape["c"], out, True, strides), dtype).train(training)
    X, bn1, bn2 = images(shape, dtype), *(copy.deepcopy(b) for b in (block.bn1, block.bn2))
    Y = F.conv2d(F.relu(bn1(X)), block.conv1.weight, block.conv1.bias, strides, padding=1)
    Y = F.conv2d(F.relu(bn2(Y)), block.conv2.weight, block.conv2.bias, padding=1)
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


# ------------------------------------------------------------------ formulas of many blocks
@pytest.mark.formula("eq-resnet-variance")
@quick
@given(shape=shapes)
def test_variance_of_a_sum(shape):
    torch.manual_seed(0)
    block, X = PreActivation(shape["c"], shape["c"]).double(), images(shape, torch.float64)
    assert_close(ns["variance_terms"](block, X).sum(), block(X).var(correction=0))


def test_variance_doubles_without_bn_and_grows_slowly_with_it():
    torch.manual_seed(0)
    X = torch.randn(2, 32, 32, 32)
    last = {bn: ns["fresh_blocks"](PreActivation, bn, 8, 32)(X).var().item()
            for bn in (False, True)}
    assert 1.5**8 < last[False] < 2.5**8
    assert 4 < last[True] < 20


@pytest.mark.formula("eq-resnet-sum", "eq-resnet-gradient")
@pytest.mark.parametrize("num_blocks", [1, 2, 6])
def test_unrolled_sum_and_gradient(num_blocks):
    torch.manual_seed(0)
    blocks = [PreActivation(3, 3).double() for _ in range(num_blocks)]
    x_l = torch.randn(2, 3, 5, 5, dtype=torch.float64, requires_grad=True)
    x_n, added = x_l, torch.zeros_like(x_l)
    for block in blocks:
        added = added + block.residual(x_n)
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


# ------------------------------------------------------------------------------- networks
@pytest.mark.parametrize("block", [Plain, Residual, PreActivation])
@pytest.mark.parametrize("depth", [8, 14, 20, 44])
def test_depth_counts_layers(block, depth):
    net = ns["three_stages"](block, depth)
    threes = [m for m in net.modules()
              if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert len(threes) + 1 == depth
    assert net(torch.randn(2, 1, 28, 28)).shape == (2, 10)
    heights = [net[:i](torch.randn(2, 1, 28, 28)).shape[1:3] for i in (2, len(net) - 1)]
    assert heights == [(8, 14), (32, 4)]


def test_resnet18_parameters_and_stages():
    net, theirs = ns["resnet18"](), d2l.resnet18(10)
    assert ns["num_parameters"](net) == 11178378
    # d2l's stem is 3x3, torchvision's and ours 7x7
    assert ns["num_parameters"](net) - ns["num_parameters"](theirs) == 64 * (49 - 9)
    heights = ns["summary"](net, 2, torch.randn(2, 1, 64, 64))
    assert heights == [16, 16, 8, 4, 2, 1]
    small = ns["summary"](ns["resnet18_small_images"](), 2, torch.randn(2, 1, 28, 28))
    assert small == [28, 28, 14, 7, 4, 1]
    compact = ns["summary"](ns["compact_resnet"](), 1, torch.randn(2, 1, 28, 28))
    assert compact == [14, 14, 7, 4, 1]


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


def test_without_bn_and_gradient_norms():
    torch.manual_seed(0)
    net = ns["three_stages"](Residual, 14)
    before = copy.deepcopy(net.state_dict())
    X, y = torch.randn(4, 1, 28, 28), torch.arange(4)
    norms = ns["gradient_norms"](net, X, y)
    assert len(norms) == 13 and min(norms) > 0
    assert_close(net.state_dict(), before, rtol=0, atol=0)
    assert all(p.grad is None for p in net.parameters())
    F.cross_entropy(net(X), y).backward()
    assert norms[0] == pytest.approx(net[0][0].weight.grad.norm().item(), rel=1e-4)
    bare = ns["without_bn"](net)
    assert bare is net
    assert not any(isinstance(m, nn.BatchNorm2d) for m in net.modules())
    assert net(X).shape == (4, 10)


def test_lesion_leaves_out_one_block_and_changes_nothing():
    torch.manual_seed(0)
    net = ns["three_stages"](Residual, 14)
    X, y = torch.randn(50, 1, 28, 28), torch.arange(50) % 10
    net(X)
    before = copy.deepcopy(net.state_dict())
    result = ns["lesion"](net, X, y)
    assert list(result) == [1, 2, 4, 6]  # 3 and 5 change the shape
    rest = copy.deepcopy(net).eval()
    rest[4] = nn.Identity()
    expected = (rest(X).argmax(1) == y).float().mean().item()
    assert result[4] == pytest.approx(expected)
    assert len(net) == 8
    assert_close(net.state_dict(), before, rtol=0, atol=0)


def test_errors():
    history = ns["lab"].History("x", train_accuracy=[0.5, 0.75], val_accuracy=[0.25])
    assert ns["errors"](history) == ([0.5, 0.25], [0.75])


def test_stochastic_depth_drops_whole_images_and_keeps_the_mean():
    torch.manual_seed(0)
    block = ns["StochasticDepth"](3, 3)
    X = torch.randn(1, 3, 4, 4)
    full = PreActivation.residual(block.eval(), X)
    assert_close(block.residual(X), full)
    block.bn1.eval()
    block.bn2.eval()
    block.training = True  # the block alone: its batch norms stay in evaluation mode
    draws = block.residual(X.expand(4000, 3, 4, 4))
    kept = draws.flatten(1).abs().sum(1) > 0
    assert kept.float().mean().item() == pytest.approx(1 - block.p, abs=0.03)
    assert_close(draws[kept], (full / (1 - block.p)).expand_as(draws[kept]),
                 rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------- numbers that would be rounded
@pytest.mark.parametrize("depth", [-4, 2, 7, 9, 10, 18, 49])
def test_other_depths_are_refused(depth):
    with pytest.raises(ValueError, match=rf"depth {depth} is not 6n \+ 2"):
        ns["three_stages"](Residual, depth)


@pytest.mark.parametrize("channels", [2, 6, 9, 255])
def test_a_bottleneck_needs_a_whole_quarter(channels):
    with pytest.raises(ValueError, match=f"{channels} channels"):
        ns["Bottleneck"](channels)


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
