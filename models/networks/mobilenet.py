"""MobileNetV2 (Sandler et al. 2018, table 2), with a first stride of 1, so that small images keep their detail.

Its ReLU6 is a plain ReLU here, as in torchvision's quantizable form: FX graph mode quantization fuses a convolution
with a ReLU, not with a ReLU6, and the QNNPACK artifact of a network trained with ReLU6 agreed with its original on
10 % of the examples (98 % with ReLU; width 8, 1,000 Fashion-MNIST images).
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from . import NetworkSpec
from .head import Head

STRIDE = {"mobilenetv2": 16}

_STEM, _LAST = 32, 1280
# Expansion, output channels, blocks, and stride of the first block: the rows of table 2.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _convolution(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1, relu: bool = True
) -> nn.Sequential:
    """Convolution and batch normalisation, then ReLU unless the block ends in a linear bottleneck."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False),
        bn=nn.BatchNorm2d(outputs),
    )
    if relu:
        layers["relu"] = nn.ReLU()
    return nn.Sequential(layers)


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow; and add the input where the shape allows (figure 3 of the paper)."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        if expansion > 1:
            layers["expand"] = _convolution(inputs, hidden, 1)
        layers["depthwise"] = _convolution(hidden, hidden, 3, stride=stride, groups=hidden)
        layers["project"] = _convolution(hidden, outputs, 1, relu=False)
        self.layers = nn.Sequential(layers)
        self.skips = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map [batch, inputs, height, width] to [batch, outputs, height / stride, width / stride]."""
        y: Tensor = self.layers(x)
        return x + y if self.skips else y


def build(spec: NetworkSpec) -> nn.Module:
    """Build ``mobilenetv2`` (usual width 32; another width scales every layer's channels alike)."""
    width = spec.width or _STEM

    def scaled(channels: int) -> int:
        return max(1, round(channels * width / _STEM))

    layers: OrderedDict[str, nn.Module] = OrderedDict(stem=_convolution(spec.image[2], width, 3))
    channels = width
    for stage, (expansion, outputs, blocks, stride) in enumerate(_STAGES, start=1):
        for block in range(1, blocks + 1):
            layers[f"stage{stage}_block{block}"] = InvertedResidual(
                channels, scaled(outputs), expansion, stride if block == 1 else 1
            )
            channels = scaled(outputs)
    layers["last"] = _convolution(channels, scaled(_LAST), 1)
    layers["head"] = Head(scaled(_LAST), spec.classes, dropout=0.2)
    return nn.Sequential(layers)
