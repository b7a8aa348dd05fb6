"""The code of chapters/densenet.md: blocks, formulas, memory, against PyTorch and torchvision."""
import copy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torchvision.models.densenet as theirs
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from tools.shared.definitions import definitions

chapter = SimpleNamespace(**definitions("densenet"))
BLOCKS = ("DenseBlock", "CheckpointedDenseBlock", "FrugalDenseBlock")
small = st.integers(1, 5)
sides = st.integers(2, 9)
dtypes = st.sampled_from((torch.float32, torch.float64))
seeds = st.integers(0, 2**32)


def examples(**strategies):
    """Like hypothesis.given, with few examples and no time limit for one."""
    return lambda test: settings(max_examples=25, deadline=None)(given(**strategies)(test))


def random(*shape, dtype=torch.float64, seed=0):
    """Normal numbers that want a gradient."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=dtype).requires_grad_()


def randomized(net, seed=0):
    """The net with every parameter away from its initial value."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return net


def results(net, X, seed=0):
    """Output, gradient of X, all gradients, and the state after a step."""
    X = X.detach().clone().requires_grad_()
    net.zero_grad()
    Y = net(X)
    Y.backward(random(*Y.shape, dtype=Y.dtype, seed=seed).detach())
    return (Y.detach(), X.grad, [p.grad.clone() for p in net.parameters()],
            [b.clone() for b in net.buffers()])


def same_weights(ours, reference):
    """Our module with the reference's state, in the order of their layers."""
    state = reference.state_dict().values()
    ours.load_state_dict(dict(zip(ours.state_dict(), state, strict=True)))
    return ours


# ------------------------------------------------------ from add to concatenate
@pytest.mark.formula("eq-densenet-add", "eq-densenet-concat")
@examples(n=small, c=small, growth=small, h=sides, w=sides, dtype=dtypes, seed=seeds)
def test_concatenate_keeps_what_add_mixes(n, c, growth, h, w, dtype, seed):
    x = random(n, c, h, w, dtype=dtype, seed=seed)
    f1 = nn.Conv2d(c, growth, 3, padding=1, dtype=dtype)
    f2 = nn.Conv2d(c + growth, growth, 1, dtype=dtype)
    y1 = f1(x)
    y2 = f2(torch.cat((x, y1), 1))
    y = chapter.concatenate(x, (f1, f2))
    for part, expected in zip(y.split((c, growth, growth), 1), (x, y1, y2), strict=True):
        assert_close(part, expected, rtol=0, atol=0)
    assert_close(chapter.add(x, torch.tanh), x + x.tanh())
    assert chapter.concatenate(x, ()) is x


@pytest.mark.formula("eq-densenet-gradient")
@examples(c=small, growth=small, h=sides, seed=seeds)
def test_gradients_have_a_term_without_weights(c, growth, h, seed):
    x = random(2, c, h, h, seed=seed)
    g = nn.Sequential(nn.Conv2d(c, c, 3, padding=1), nn.Tanh()).double()
    f = nn.Sequential(nn.Conv2d(c, growth, 3, padding=1), nn.Tanh()).double()
    for y, by_hand, function in ((chapter.add(x, g), chapter.add_gradient, g),
                                 (chapter.concatenate(x, (f,)), chapter.concatenate_gradient, f)):
        dy = random(*y.shape, seed=seed + 1).detach()
        by_autograd, = torch.autograd.grad(y, x, dy)
        assert_close(by_hand(x, function, dy), by_autograd)
        for parameter in function.parameters():
            nn.init.zeros_(parameter)
        assert_close(by_hand(x, function, dy), dy[:, :c])


# ----------------------------------------------------------------- convolution block
@pytest.mark.formula("eq-densenet-conv-block")
@examples(n=st.integers(2, 4), c=small, out=small, h=sides, w=sides, dtype=dtypes, seed=seeds)
def test_conv_block_is_bn_relu_convolution(n, c, out, h, w, dtype, seed):
    X = random(n, c, h, w, dtype=dtype, seed=seed).detach()
    block = randomized(chapter.conv_block(c, out).to(dtype), seed)
    bn, _, conv = block
    mean, var = X.mean((0, 2, 3), keepdim=True), X.var((0, 2, 3), keepdim=True, correction=0)
    Z = (X - mean) / (var + bn.eps).sqrt() * bn.weight.view(-1, 1, 1) + bn.bias.view(-1, 1, 1)
    patches = F.unfold(Z.clamp(min=0), 3, padding=1)  # (n, c * 9, h * w)
    expected = conv.weight.flatten(1) @ patches + conv.bias[:, None]
    assert_close(block(X), expected.view(n, out, h, w), rtol=1e-3, atol=1e-4)


def test_conv_block_ignores_the_scale_of_each_channel():
    X, factors = random(4, 3, 8, 8), torch.tensor([1e2, 1e3, 1e4]).view(1, 3, 1, 1)
    block = chapter.conv_block(3, 5).double()
    assert_close(block(factors * X), block(X), rtol=1e-3, atol=1e-4)


# ------------------------------------------------------------------- dense block
@pytest.mark.formula("eq-densenet-channels")
@pytest.mark.parametrize("kind", BLOCKS)
@examples(n=st.integers(0, 5), c=small, growth=small, h=sides, w=sides, dtype=dtypes, seed=seeds)
def test_dense_block_adds_channels_and_keeps_its_input(kind, n, c, growth, h, w, dtype, seed):
    block = getattr(chapter, kind)(n, c, growth).to(dtype)
    X = random(3, c, h, w, dtype=dtype, seed=seed)
    Y = block(X)
    assert Y.shape == (3, c + n * growth, h, w) and Y.dtype == dtype
    assert block.out_channels == c + n * growth
    assert_close(Y[:, :c], X, rtol=0, atol=0)
    assert chapter.channels_by_layer(block) == [(c + i * growth, growth) for i in range(n)]


@examples(n=st.integers(1, 4), c=small, growth=small, seed=seeds)
def test_each_convolution_reads_all_before_it_and_nothing_after(n, c, growth, seed):
    block = randomized(chapter.DenseBlock(n, c, growth).double(), seed)
    X, segments = random(3, c, 6, 5, seed=seed), []
    for conv_block in block.net:
        segments.append(conv_block(torch.cat((X, *segments), 1)))
    assert_close(block(X), torch.cat((X, *segments), 1))


@pytest.mark.formula("eq-densenet-bottleneck")
@examples(c=st.integers(1, 60), growth=small)
def test_bottleneck_has_fewer_weights_from_7_2_growth_rates_on(c, growth):
    plain = chapter.num_weights(chapter.conv_block(c, growth))
    thin = chapter.num_weights(chapter.bottleneck_block(c, growth))
    assert (plain, thin) == (9 * c * growth, 4 * c * growth + 36 * growth**2)
    assert (thin < plain) == (5 * c > 36 * growth)


@pytest.mark.parametrize("kind", BLOCKS)
@examples(n=st.integers(1, 4), c=small, growth=small, h=sides, w=sides, dtype=dtypes, seed=seeds)
def test_bottleneck_blocks_equal_torchvisions(kind, n, c, growth, h, w, dtype, seed):
    reference = randomized(theirs._DenseBlock(n, c, 4, growth, 0.0), seed).to(dtype)
    ours = getattr(chapter, kind)(n, c, growth, chapter.bottleneck_block).to(dtype)
    same_weights(ours, reference)
    X = random(3, c, h, w, dtype=dtype, seed=seed)
    expected, got = results(reference, X, seed), results(ours, X, seed)
    if kind == "CheckpointedDenseBlock":  # its statistics are the chapter's trap
        expected, got = expected[:3], got[:3]
    assert_close(got, expected, rtol=1e-3, atol=1e-3)


# --------------------------------------------------------------- transition layer
@pytest.mark.formula("eq-densenet-transition-size")
@examples(n=st.integers(2, 4), c=small, out=small, h=sides, w=sides, dtype=dtypes, seed=seeds)
def test_transition_equals_torchvisions(n, c, out, h, w, dtype, seed):
    reference = randomized(theirs._Transition(c, out), seed).to(dtype)
    ours = chapter.transition_block(c, out).to(dtype)
    ours[2] = nn.Conv2d(c, out, 1, bias=False, dtype=dtype)
    same_weights(ours, reference)
    X = random(n, c, h, w, dtype=dtype, seed=seed)
    assert_close(results(ours, X), results(reference, X), rtol=1e-3, atol=1e-3)
    assert ours(X).shape == (n, out, h // 2, w // 2)


@pytest.mark.formula("eq-densenet-transition")
@examples(n=st.integers(2, 4), c=small, out=small, h=small, w=small, seed=seeds)
def test_transition_by_hand(n, c, out, h, w, seed):
    ours, X = chapter.transition_block(c, out).double(), random(n, c, 2 * h, 2 * w, seed=seed)
    conv = ours[2]
    by_hand = chapter.transition_by_hand(X, conv.weight.flatten(1), conv.bias)
    assert_close(by_hand, ours(X))


# ----------------------------------------------------------------- whole networks
def test_parameters_of_d2ls_networks():
    assert chapter.num_parameters(chapter.d2l_densenet()) == 758_226
    assert chapter.num_parameters(chapter.d2l_resnet18()) == 11_178_378


def test_channels_of_d2ls_densenet():
    X, channels = torch.zeros(1, 1, 96, 96), []
    for stage in chapter.d2l_densenet().eval():
        X = stage(X)
        channels.append(X.shape[1])
    assert channels == [64, 192, 96, 224, 112, 240, 120, 248, 10]


def test_densenet_bc_is_torchvisions_densenet():
    sizes: Any = (2, 3)  # declared as four numbers there
    reference = theirs.DenseNet(4, sizes, num_init_features=8, num_classes=10)
    stem = copy.deepcopy(reference.features[:4])
    ours = chapter.dense_net(stem, 8, 4, (2, 3), block=chapter.bottleneck_block)
    ours.transition1[2] = nn.Conv2d(16, 8, 1, bias=False)
    same_weights(ours.double(), randomized(reference).double())
    X = random(4, 3, 64, 64)
    assert_close(results(ours, X), results(reference, X))


@pytest.mark.parametrize("budget", ("smoke", "slow", "cpu", "t4", "gpu"))
def test_compact_networks_of_each_budget(budget, monkeypatch):
    monkeypatch.setattr("machine.budget", lambda: budget)
    names = definitions("densenet")
    X = torch.zeros(2, 1, 28, 28)
    assert names["compact_densenet"]()(X).shape == names["compact_resnet"](5)(X).shape == (2, 10)
    if budget == "gpu":  # d2l's sizes
        assert names["size"] == dict(num_channels=64, growth_rate=32, num_convs=(4, 4, 4, 4))


@examples(c=small, out=small, stride=st.integers(1, 2), seed=seeds)
def test_residual_block_by_hand(c, out, stride, seed):
    stride = 1 if c == out else stride
    block = randomized(chapter.ResidualBlock(c, out, stride).double(), seed)
    X = random(3, c, 8, 8, seed=seed)
    (conv1, bn1), _, (conv2, bn2) = block.branch
    Y = bn2(conv2(bn1(conv1(X)).relu()))
    shortcut = X if c == out else block.shortcut[1](block.shortcut[0](X))
    assert_close(block(X), (shortcut + Y).relu())


# ------------------------------------------------------------------- multiply-adds
@pytest.mark.formula("eq-densenet-multiply-adds")
@examples(c=small, out=small, k=st.sampled_from((1, 3, 5)), stride=st.integers(1, 3),
       h=st.integers(5, 12), w=st.integers(5, 12))
def test_multiply_adds_of_a_convolution(c, out, k, stride, h, w):
    conv, X = nn.Conv2d(c, out, k, stride, padding=k // 2), torch.zeros(1, c, h, w)
    ours = chapter.multiply_adds(conv, X)
    assert ours == -(-h // stride) * -(-w // stride) * out * c * k * k
    with FlopCounterMode(display=False) as counter:
        conv(X)
    assert counter.get_total_flops() == 2 * ours


@examples(c=small, growth=small, convs=st.lists(st.integers(1, 3), min_size=1, max_size=3), n=small)
def test_multiply_adds_of_networks_and_no_trace(c, growth, convs, n):
    net = chapter.dense_net(chapter.small_stem(2 * c), 2 * c, growth, convs)
    X = torch.zeros(n, 1, 28, 28)
    before = copy.deepcopy(net.state_dict())
    ours = chapter.multiply_adds(net, X)
    with FlopCounterMode(display=False) as counter:
        chapter.lab.predict(net, X)
    assert counter.get_total_flops() == 2 * ours
    assert_close(dict(net.state_dict()), dict(before))
    assert net.training and not any(m._forward_hooks for m in net.modules())


# -------------------------------------------------------------------------- memory
@pytest.mark.formula("eq-densenet-memory", "eq-densenet-checkpoint")
@examples(n=st.integers(1, 6), c=small, growth=small, m=st.integers(2, 4), h=sides, w=sides)
def test_bytes_that_autograd_keeps(n, c, growth, m, h, w):
    X, number = torch.randn(m, c, h, w), m * h * w
    kept = {kind: chapter.saved_bytes(getattr(chapter, kind)(n, c, growth), X)
            for kind in BLOCKS}
    channels = sum(2 * (c + i * growth) for i in range(n))
    assert chapter.dense_channels(n, c, growth) == channels
    assert kept["DenseBlock"] == 4 * (number + 1) * channels
    assert kept["CheckpointedDenseBlock"] == kept["FrugalDenseBlock"]
    assert kept["FrugalDenseBlock"] == 4 * number * chapter.checkpointed_channels(n, c, growth)
    assert chapter.saved_bytes(chapter.AddBlock(n, c), X) == 4 * (number + 1) * 2 * n * c


def test_saved_bytes_counts_a_storage_once_and_no_parameter():
    X = torch.randn(10, 4, requires_grad=True)
    assert chapter.saved_bytes(nn.Identity(), X) == 0
    assert chapter.saved_bytes(nn.Linear(4, 3), X) == X.numel() * 4
    net = nn.Sequential(nn.Sigmoid(), nn.Linear(4, 3))  # both keep the sigmoid's output
    assert chapter.saved_bytes(net, X) == X.numel() * 4


# -------------------------------------------------------------------- checkpointing
@pytest.mark.parametrize("kind", BLOCKS[1:])
@examples(n=st.integers(1, 4), c=small, growth=small, dtype=dtypes, seed=seeds)
def test_checkpoints_change_no_gradient(kind, n, c, growth, dtype, seed):
    plain = randomized(chapter.DenseBlock(n, c, growth).to(dtype), seed)
    cheap = same_weights(getattr(chapter, kind)(n, c, growth).to(dtype), plain)
    X = random(3, c, 6, 5, dtype=dtype, seed=seed)
    assert_close(results(cheap, X, seed)[:3], results(plain, X, seed)[:3])


@pytest.mark.formula("eq-densenet-twice")
@examples(n=st.integers(1, 3), c=small, growth=small, seed=seeds)
def test_checkpoints_update_statistics_twice_unless_kept(n, c, growth, seed):
    plain = chapter.DenseBlock(n, c, growth)
    cheap = same_weights(chapter.CheckpointedDenseBlock(n, c, growth), plain)
    frugal = same_weights(chapter.FrugalDenseBlock(n, c, growth), plain)
    mean = torch.zeros(c)
    for step in range(1, 4):
        X = random(4, c, 6, 5, dtype=torch.float32, seed=seed + step) + step
        for net in (plain, cheap, frugal):
            results(net, X)
        mean = 0.81 * mean + 0.19 * X.detach().mean((0, 2, 3))
        assert_close(cheap.net[0][0].running_mean, mean)
        assert cheap.net[-1][0].num_batches_tracked == 2 * step
        assert frugal.net[-1][0].num_batches_tracked == step
        assert_close(list(frugal.buffers()), list(plain.buffers()), rtol=0, atol=0)


def test_frugal_block_trains_like_the_plain_one():
    plain = randomized(chapter.DenseBlock(3, 4, 3).double())
    frugal = same_weights(chapter.FrugalDenseBlock(3, 4, 3).double(), plain)
    for net in (plain, frugal):
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
        for step in range(5):
            optimizer.zero_grad()
            net(random(4, 4, 6, 6, seed=step)).square().mean().backward()
            optimizer.step()
    assert_close(dict(frugal.state_dict()), dict(plain.state_dict()))
    X = random(4, 4, 6, 6)
    assert_close(frugal.eval()(X), plain.eval()(X))


def test_keep_buffers_puts_them_back_even_after_an_error():
    bn = nn.BatchNorm2d(3)
    before = copy.deepcopy(bn.state_dict())
    with pytest.raises(ZeroDivisionError), chapter.keep_buffers(bn):
        bn(torch.randn(4, 3, 2, 2))
        raise ZeroDivisionError
    assert_close(dict(bn.state_dict()), dict(before), rtol=0, atol=0)


def test_statistics_are_kept_through_a_second_backward_pass():
    plain = chapter.DenseBlock(3, 4, 3)
    frugal = same_weights(chapter.FrugalDenseBlock(3, 4, 3), plain)
    X = random(4, 4, 6, 6, dtype=torch.float32)
    for net in (plain, frugal):
        Y = net(X).square().mean()
        Y.backward(retain_graph=True)
        Y.backward()
    assert_close([p.grad for p in frugal.parameters()], [p.grad for p in plain.parameters()])
    assert_close(list(frugal.buffers()), list(plain.buffers()), rtol=0, atol=0)


# -------------------------------------------------------------------- feature reuse
@pytest.mark.formula("eq-densenet-reuse")
@examples(first=small, growth=small, layers=st.integers(0, 3), k=st.sampled_from((1, 3)))
def test_reuse_is_the_mean_absolute_weight(first, growth, layers, k):
    segments = [first] + [growth] * layers
    conv, start = nn.Conv2d(sum(segments), 3, k), 0
    for value, width in zip(chapter.reuse(conv, segments), segments, strict=True):
        part = [abs(w) for f in conv.weight.tolist() for plane in f[start:start + width]
                for row in plane for w in row]
        assert value.item() == pytest.approx(sum(part) / len(part), rel=1e-4)
        start += width


def test_block_reuse_reads_every_layer_of_a_block():
    net, growth = chapter.compact_densenet(), chapter.size["growth_rate"]
    assert len(chapter.connections_of(net)) == sum(
        (n + 1) * (n + 2) // 2 for n in chapter.size["num_convs"])
    for i, n in enumerate(chapter.size["num_convs"], start=1):
        found = chapter.block_reuse(net, i)
        summed = chapter.in_all(net, found)
        assert list(found) == [cut for cut in chapter.connections_of(net) if cut[0] == i]
        dense = net.get_submodule(f"dense{i}")
        first = dense.net[0][0].num_features
        for layer, conv in enumerate((block[-1] for block in dense.net), start=1):
            for s in range(layer):
                start, stop = (first + growth * (s - 1), first + growth * s) if s else (0, first)
                weights = conv.weight.detach()[:, start:stop].abs()
                assert found[i, s, layer] == pytest.approx(weights.mean().item())
                assert summed[i, s, layer] == pytest.approx(
                    weights.sum().item() / conv.weight[:, 0].numel())
        after = chapter.readers(net, i)[n]
        assert after is (net.head if i == len(chapter.size["num_convs"])
                         else net.get_submodule(f"transition{i}"))
        assert sum(chapter.segments_read(net, i, n + 1)) == after[0].num_features


# ---------------------------------------------------------- numbers that would be rounded
@examples(channels=st.integers(1, 400), percent=st.integers(1, 100))
def test_compression_is_rounded_down_exactly(channels, percent):
    kept = channels * percent // 100
    if kept:
        assert chapter.compressed(channels, percent / 100) == kept
    else:
        with pytest.raises(ValueError, match=f"of {channels} channels"):
            chapter.compressed(channels, percent / 100)


@pytest.mark.parametrize("compression", [-0.5, 0, 1.5])
def test_a_compression_outside_its_range_is_refused(compression):
    with pytest.raises(ValueError, match=f"compression {compression} of 16"):
        chapter.dense_net(chapter.small_stem(8), 8, 4, (2, 2), compression)


@pytest.mark.parametrize("h, w", [(3, 4), (4, 3), (1, 2), (5, 5)])
def test_transition_by_hand_refuses_odd_sizes(h, w):
    with pytest.raises(ValueError, match="must be even"):
        chapter.transition_by_hand(torch.randn(4, 3, h, w), torch.randn(2, 3), torch.randn(2))


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5])
def test_conv_bn_keeps_the_size(kernel_size):
    if kernel_size % 2:
        X = torch.randn(2, 3, 7, 8)
        assert chapter.conv_bn(3, 4, kernel_size)(X).shape == (2, 4, 7, 8)
    else:
        with pytest.raises(ValueError, match=f"kernel_size is {kernel_size}"):
            chapter.conv_bn(3, 4, kernel_size)
