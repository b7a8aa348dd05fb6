"""The code of chapters/epilogue.md: the three stacks and what is measured of them."""
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from tools.shared import source
from tools.shared.definitions import definitions

page = SimpleNamespace(**definitions("epilogue"))
JOINS = "plain", "add", "concatenate"


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("join", JOINS)
def test_a_stack_joins_its_layers(join, normalize):
    torch.manual_seed(0)
    stack, X = page.Stack(join, normalize, depth=3, channels=4), torch.randn(5, 4, 6, 6)
    Y, read = X, X
    for layer in stack.net:
        Y = layer(read)
        read = {"plain": Y, "add": read + Y if Y.shape == read.shape else None,
                "concatenate": torch.cat((read, Y), 1)}[join]
    assert_close(stack(X), stack.head(read.relu().mean((2, 3))))
    assert len(stack.outputs) == 3


@pytest.mark.parametrize("join", JOINS)
def test_gradients_are_those_of_the_outputs(join):
    torch.manual_seed(0)
    stack, X, y = page.Stack(join, True, depth=3, channels=4), torch.randn(5, 4, 6, 6), torch.ones(
        5, dtype=torch.long)
    found = page.gradient_by_depth(stack, X, y)
    loss = F.cross_entropy(stack(X), y)
    sizes = [grad.square().mean().sqrt() for grad in torch.autograd.grad(loss, stack.outputs)]
    assert found == pytest.approx([(size / sizes[-1]).item() for size in sizes], rel=1e-3)


def test_work_counts_the_convolutions():
    stack = page.Stack("concatenate", False, depth=3, channels=4)
    assert page.work(stack, 36) == 36 * 9 * 4 * (4 + 8 + 12)


def test_kept_bytes_leave_out_the_parameters():
    stack, X = page.Stack("plain", False, depth=2, channels=4), torch.randn(5, 4, 6, 6)
    image = 4 * X.numel()
    kept, _ = page.kept_bytes(stack, X)
    # Each ReLU's output, the head's (which its mean does not keep), and the pooled features.
    assert kept == pytest.approx(3 * image, rel=0.2)


def test_the_epilogue_has_no_number_and_the_chapters_have():
    assert source.number("epilogue") == 0 and "epilogue" in source.chapter_names()
    numbered = source.chapter_names(numbered=True)
    assert [source.number(name) for name in numbered] == list(range(1, len(numbered) + 1))
