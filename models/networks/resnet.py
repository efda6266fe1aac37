"""Residual networks for small images: He et al. 2016's CIFAR networks, and CompLeak's ResNet-18.

The skip connection is a plain ``+``: FX graph mode quantization observes it by itself, and fuses it with the ReLU
that follows. Each ReLU is a module of its own, since a quantized ReLU keeps its own scale.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from . import NetworkSpec
from .head import Head

STRIDE = {"resnet8": 4, "resnet20": 4, "resnet18": 16}


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a skip connection, projected by a 1x1 convolution where the shape changes.

    The projection is option B of He et al. 2016, section 3.3.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu2 = nn.ReLU()
        self.shortcut: nn.Module = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map [batch, inputs, height, width] to [batch, outputs, height / stride, width / stride]."""
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        out: Tensor = self.relu2(y + self.shortcut(x))
        return out


def build(spec: NetworkSpec) -> nn.Module:
    """Build ``resnet8``, ``resnet20`` (usual width 16) or ``resnet18`` (usual width 64)."""
    if spec.name == "resnet18":
        return _resnet(spec, width=spec.width or 64, stages=4, blocks=2, pool=True, dropout=0.5)
    blocks = {"resnet8": 1, "resnet20": 3}[spec.name]
    return _resnet(spec, width=spec.width or 16, stages=3, blocks=blocks, pool=False, dropout=0.0)


def _resnet(spec: NetworkSpec, *, width: int, stages: int, blocks: int, pool: bool, dropout: float) -> nn.Module:
    layers = trunk(spec.image[2], width=width, stages=stages, blocks=blocks, pool=pool)
    layers["head"] = Head(width * 2 ** (stages - 1), spec.classes, dropout)
    return nn.Sequential(layers)


def trunk(inputs: int, *, width: int, stages: int, blocks: int, pool: bool) -> OrderedDict[str, nn.Module]:
    """A 3x3 stem and stages of blocks: from [batch, inputs, height, width] to the last feature map.

    Args:
        inputs: channels of the images.
        width: channels of the first stage, doubled in each that follows.
        stages: each but the first halves the height and the width.
        blocks: in each stage.
        pool: whether a max-pool follows the stem and halves both as well.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(inputs, width, 3, padding=1, bias=False),
        bn=nn.BatchNorm2d(width),
        relu=nn.ReLU(),
    )
    if pool:
        layers["pool"] = nn.MaxPool2d(3, stride=2, padding=1)
    channels = width
    for stage in range(stages):
        for block in range(blocks):
            outputs = width * 2**stage
            stride = 2 if stage > 0 and block == 0 else 1
            layers[f"stage{stage + 1}_block{block + 1}"] = BasicBlock(channels, outputs, stride)
            channels = outputs
    return layers
