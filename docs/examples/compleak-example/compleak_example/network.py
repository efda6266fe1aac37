"""A network. Every adapter takes it: plain `torch.nn` layers, each called once, and `torch.flatten`."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from compleak.models.networks import NetworkSpec
from compleak.models.networks.head import Head


def two_convolutions(spec: NetworkSpec) -> nn.Module:
    """From float32 [batch, channels, height, width] to logits [batch, classes]."""
    width = spec.width or 16
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(spec.image[2], width, 3, padding=1, bias=False),
            bn1=nn.BatchNorm2d(width),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=False),
            bn2=nn.BatchNorm2d(2 * width),
            relu2=nn.ReLU(),
            head=Head(2 * width, spec.classes),
        )
    )
