"""What chapters/densenet.md measures with: thresholds, connections, cuts, traffic, judges."""
import contextlib
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from tools.shared.definitions import definitions

chapter = SimpleNamespace(**definitions("densenet"))
small = st.integers(1, 5)
seeds = st.integers(0, 2**32)


def examples(**strategies):
    """Like hypothesis.given, with few examples and no time limit for one."""
    return lambda test: settings(max_examples=15, deadline=None)(given(**strategies)(test))


@pytest.mark.formula("eq-densenet-threshold")
@examples(c=small, out=small, h=st.integers(2, 8), seed=seeds)
def test_gamma_moves_into_the_filter(c, out, h, seed):
    torch.manual_seed(seed)
    X_hat, W = torch.randn(2, c, h, h, dtype=torch.float64), torch.randn(out, c, 3, 3).double()
    gamma, beta = torch.rand(c).double() + 0.1, torch.randn(c).double()
    Z = (X_hat * gamma.view(-1, 1, 1) + beta.view(-1, 1, 1)).relu()
    assert_close(chapter.by_threshold(X_hat, gamma, beta, W),
                 nn.functional.conv2d(Z, W, padding=1))


@pytest.mark.formula("eq-densenet-arcs")
@examples(L=st.integers(0, 7), c=small, growth=small, seed=seeds)
def test_every_layer_reads_every_earlier_output(L, c, growth, seed):
    torch.manual_seed(seed)
    block = chapter.DenseBlock(L, c, growth).double()
    for layer in block.net:  # so large a threshold that every channel is heard
        nn.init.constant_(layer[0].bias, 10)
    found = chapter.connections(block, torch.randn(3, c, 4, 4, dtype=torch.float64))
    assert found == [(s, layer) for layer in range(1, L + 1) for s in range(layer)]
    assert len(found) == L * (L + 1) // 2


@pytest.mark.formula("eq-densenet-depth")
@examples(num_convs=st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_depth_counts_the_layers(num_convs):
    with torch.device("meta"):
        net = chapter.imagenet_densenet(num_convs)
    layers = sum(isinstance(layer, (nn.Conv2d, nn.Linear)) for layer in net.modules())
    assert chapter.depth_of(num_convs) == layers


@pytest.mark.parametrize("name", [121, 169, 201])
def test_the_papers_networks_have_their_names_depth(name):
    assert chapter.depth_of(chapter.CONVS[name]) == name


def trained_dense(num_convs, seed):
    """A small DenseNet whose moving statistics have seen data, in float64."""
    torch.manual_seed(seed)
    net = chapter.dense_net(chapter.small_stem(4), 4, 3, num_convs).double()
    net(torch.rand(8, 1, 12, 12, dtype=torch.float64))
    return net


@pytest.mark.formula("eq-densenet-need")
@examples(num_convs=st.lists(st.integers(1, 3), min_size=1, max_size=2), seed=seeds,
          data=st.data())
def test_a_need_is_the_rise_of_the_loss(num_convs, seed, data):
    net = trained_dense(num_convs, seed)
    X, y = torch.rand(6, 1, 12, 12, dtype=torch.float64), torch.arange(6)
    i, s, reader = data.draw(st.sampled_from(chapter.connections_of(net)))
    bn = chapter.readers(net, i)[reader - 1][0]
    start = 0 if s == 0 else sum(chapter.segments_read(net, i, reader)[:s])
    stop = start + chapter.segments_read(net, i, reader)[s]

    def by_hand(bn, inputs):
        X = inputs[0]
        mean = bn.running_mean[start:stop].view(1, -1, 1, 1).expand_as(X[:, start:stop])
        return torch.cat((X[:, :start], mean, X[:, stop:]), 1)

    before = chapter.lab.evaluate(net, X, y)[0]
    handle = bn.register_forward_pre_hook(by_hand)
    expected = chapter.lab.evaluate(net, X, y)[0] - before
    handle.remove()
    assert chapter.needs(net, X, y)[i, s, reader] == pytest.approx(expected, abs=1e-5)
    assert chapter.lab.evaluate(net, X, y)[0] == pytest.approx(before, abs=1e-6)


def test_silenced_leaves_no_trace_even_after_an_error():
    net = trained_dense((2, 2), 0)
    with (contextlib.suppress(ZeroDivisionError),
          chapter.silenced(net, chapter.connections_of(net))):
        raise ZeroDivisionError
    assert not any(module._forward_pre_hooks for module in net.modules())


def test_only_the_reader_that_was_cut_notices():
    net = trained_dense((3,), 1).eval()
    X = torch.rand(4, 1, 12, 12, dtype=torch.float64)
    inner = net[:2]
    before = inner(X)
    with chapter.silenced(net, [(1, 1, 2)]):
        after = inner(X)
    same = [torch.equal(a, b) for a, b in zip(
        before.split((4, 3, 3, 3), 1), after.split((4, 3, 3, 3), 1), strict=True)]
    assert same == [True, True, False, False]  # layer 3 reads layer 2, which has changed


def test_relative_and_grid():
    found = {(1, 0, 1): 2.0, (1, 0, 2): 1.0, (1, 1, 2): 4.0, (2, 0, 1): 3.0}
    assert chapter.relative(found) == {(1, 0, 1): 1, (1, 0, 2): 0.25, (1, 1, 2): 1, (2, 0, 1): 1}
    grid = chapter.grid(found, 1)
    assert_close(grid, torch.tensor([[2.0, 1.0], [float("nan"), 4.0]]), equal_nan=True)


@pytest.mark.formula("eq-densenet-one-shot")
@examples(n=st.integers(1, 4), c=small, width=small, out=small, seed=seeds)
def test_one_shot_aggregation(n, c, width, out, seed):
    torch.manual_seed(seed)
    block = chapter.OneShotBlock(n, c, width, out).double()
    outputs = [torch.randn(3, c, 5, 4, dtype=torch.float64)]
    for layer in block.net:
        outputs.append(layer(outputs[-1]))
    Y = block(outputs[0])
    assert Y.shape == (3, out, 5, 4)
    assert_close(Y, block.last(torch.cat(outputs, 1)))


def test_three_blocks_of_equal_work():
    blocks = chapter.equal_blocks(n=6, channels=16, growth_rate=8)
    work = [chapter.multiply_adds(block, torch.zeros(1, chapter.width(block), 4, 4))
            for block in blocks.values()]
    assert max(work) < 1.1 * min(work)


def test_watch_counts_what_moves_and_what_is_alive():
    X = torch.zeros(1000)
    with chapter.Watch() as watch:
        X.view(10, 100)  # moves nothing
        Y = X + 1
        Y = Y * 2  # for a moment the old Y and the new one
    assert watch.moved == 4 * 4000
    assert watch.peak == 3 * 4000
    del Y


def test_the_nearest_size():
    number = chapter.sized(chapter.compact_resnet, 20_000)
    near = [abs(chapter.num_parameters(chapter.compact_resnet(n)) - 20_000)
            for n in (number - 1, number, number + 1)]
    assert near[1] == min(near)


# ---------------------------------------------------------------------- your turn
TASKS = ("two_gradient", "transition", "channels")


@pytest.mark.parametrize("task", TASKS)
def test_solutions_pass_and_skeletons_are_open(task):
    judge = getattr(chapter, f"judge_{task}")
    judge(getattr(chapter, f"solved_{task}"))
    with pytest.raises(NotImplementedError):
        judge(lambda *args: (_ for _ in ()).throw(NotImplementedError))


def gradient_parts(x, f1, f2, dy):
    """The four terms of the gradient of [x, f1(x), f2([x, f1(x)])]."""
    dy0, dy1, dy2 = dy.split((3, 2, 5), 1)
    back = chapter.pull_back(f2, torch.cat((x, f1(x)), 1), dy2)
    return (dy0, back[:, :3], chapter.pull_back(f1, x, back[:, 3:]),
            chapter.pull_back(f1, x, dy1))


@pytest.mark.parametrize(("missing", "hint"), [
    (0, "straight to x"), (1, "f2 reads x itself"), (2, "must go on through f1"),
    (3, "gradient of y1")])
def test_each_wrong_gradient_gets_its_hint(missing, hint):
    def wrong(x, f1, f2, dy):
        return sum(part for i, part in enumerate(gradient_parts(x, f1, f2, dy)) if i != missing)

    with pytest.raises(AssertionError, match=hint):
        chapter.judge_two_gradient(wrong)


def test_a_gradient_of_the_wrong_shape_is_told():
    with pytest.raises(AssertionError, match="shape of x"):
        chapter.judge_two_gradient(lambda x, f1, f2, dy: dy)


def weighted(Z, W):
    """The 1 x 1 convolution."""
    return torch.einsum("ok,nkhw->nohw", W, Z)


@pytest.mark.parametrize(("wrong", "hint"), [
    (lambda Z, W, b: 4 * nn.functional.avg_pool2d(weighted(Z, W), 2) + b.view(1, -1, 1, 1),
     "averaged, not summed"),
    (lambda Z, W, b: nn.functional.avg_pool2d(weighted(Z, W), 2) + b.view(1, -1, 1, 1) / 4,
     "has the bias"),
    (lambda Z, W, b: nn.functional.avg_pool2d(weighted(Z, W), 2), "bias is missing"),
    (lambda Z, W, b: weighted(Z, W)[..., ::2, ::2] + b.view(1, -1, 1, 1), "all four pixels"),
    (lambda Z, W, b: weighted(Z, W), "output must be"),
    (lambda Z, W, b: torch.zeros(2, 3, 2, 3), "not those of the equation")])
def test_each_wrong_transition_gets_its_hint(wrong, hint):
    with pytest.raises(AssertionError, match=hint):
        chapter.judge_transition(wrong)


def channels(start, growth, num_convs, theta, keep=True, whole=True, last=False):
    """The channels, with a mistake or without."""
    found = []
    for n in num_convs:
        start = (start if keep else 0) + n * growth
        found.append(start)
        start = int(round(start * theta, 6)) if whole else start * theta
        found.append(start)
    return found if last else found[:-1]


@pytest.mark.parametrize(("mistake", "hint"), [
    (dict(keep=False), "keeps its input"), (dict(last=True), "last block"),
    (dict(whole=False), "round down")])
def test_each_wrong_count_of_channels_gets_its_hint(mistake, hint):
    with pytest.raises(AssertionError, match=hint):
        chapter.judge_channels(lambda *args: channels(*args, **mistake))
    chapter.judge_channels(channels)
