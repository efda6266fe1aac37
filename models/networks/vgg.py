"""VGG-16 with batch normalisation (Simonyan and Zisserman 2015, configuration D), in the usual form for CIFAR.

That form has one dense layer. The global average pool in front of it stands in for the fifth max-pool, so that
28 px images, which five halvings would shrink to nothing, fit as well.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from . import NetworkSpec
from .head import Head

STRIDE = {"vgg16bn": 16}

_STAGES = ((1, 1), (2, 2), (4, 4, 4), (8, 8, 8), (8, 8, 8))


def build(spec: NetworkSpec) -> nn.Module:
    """Build ``vgg16bn`` (usual width 64)."""
    width = spec.width or 64
    channels = spec.image[2]
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for stage, multiples in enumerate(_STAGES, start=1):
        if stage > 1:
            layers[f"pool{stage - 1}"] = nn.MaxPool2d(2)
        for i, multiple in enumerate(multiples, start=1):
            outputs = width * multiple
            # No bias: the batch normalisation that follows would take it out again.
            layers[f"conv{stage}_{i}"] = nn.Conv2d(channels, outputs, 3, padding=1, bias=False)
            layers[f"bn{stage}_{i}"] = nn.BatchNorm2d(outputs)
            layers[f"relu{stage}_{i}"] = nn.ReLU()
            channels = outputs
    layers["head"] = Head(channels, spec.classes)
    return nn.Sequential(layers)
