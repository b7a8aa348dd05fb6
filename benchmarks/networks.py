"""The networks of the races by name, and the terms on which they compute."""
import functools

import torch
from torch import nn

import lab
from tools.shared.definitions import definitions


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
    """A network that computes in float32 and PyTorch's own layout, or as fast as it can.

    So all loops that train it do so in one precision and layout.
    """

    def __init__(self, net, fast, layout=None):
        super().__init__()
        self.dtype = lab.fast_dtype() if fast else torch.float32
        self.layout = layout or (torch.channels_last if fast else torch.contiguous_format)
        self.net = net.to(memory_format=self.layout)

    def forward(self, X):
        """The logits, float32."""
        enabled = self.dtype != torch.float32
        with torch.autocast(X.device.type, self.dtype if enabled else torch.bfloat16,
                            enabled=enabled):
            return self.net(X.contiguous(memory_format=self.layout)).float()
