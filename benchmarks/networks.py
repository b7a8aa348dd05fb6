"""The networks of the races by name, and the terms on which they compute."""
import functools

import torch
from torch import nn

from tools.shared.definitions import definitions
from training import autocast


@functools.cache
def chapters():
    """What the three chapters define."""
    return tuple(map(definitions, ("batch_norm", "resnet", "densenet")))


def make(name):
    """One of the chapters', with PyTorch's batch norm, or of d2l's size."""
    bn, resnet, densenet = chapters()
    return {"LeNet + BN": lambda: bn["lenet"](bn["torch_norm"]),
            "LeNet": bn["lenet"],
            "ResNet-20": resnet["pooled_resnet"],
            "plain, 20 layers": lambda: resnet["pooled_resnet"](resnet["Plain"]),
            "ResNet-8": lambda: resnet["pooled_resnet"](depth=8, width=24),
            "ResNet-18": resnet["resnet18_small_images"],
            "DenseNet": densenet["compact_densenet"],
            "d2l's ResNet-18": densenet["d2l_resnet18"],
            "d2l's DenseNet": densenet["d2l_densenet"]}[name]()


class Terms(nn.Module):
    """A network that computes in ``dtype`` and ``layout``, whichever loop trains it.

    layout: by default channels_last, and in float32 PyTorch's own.
    """

    def __init__(self, net, dtype, layout=None):
        super().__init__()
        fast = dtype != torch.float32
        self.dtype = dtype
        self.layout = layout or (torch.channels_last if fast else torch.contiguous_format)
        self.net = net.to(memory_format=self.layout)

    def forward(self, X):
        """The logits, float32."""
        with autocast(self.dtype, X):
            return self.net(X.contiguous(memory_format=self.layout)).float()
