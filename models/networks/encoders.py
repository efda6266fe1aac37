"""Encoders: what self-supervised training trains, without the projectors that it trains them through.

All answer with [batch, 1 + positions, dimensions]; see ``EncoderSpec``. They take images of the one size of their spec,
as their artifacts do: parts of an image are resized to it before they are asked about.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import ENCODERS, EncoderSpec
from .resnet import trunk

PATCH = ENCODERS["vit-tiny"].stride
HEAD_WIDTH = 64


def build(spec: EncoderSpec) -> nn.Module:
    """Build the encoder of ``spec`` with random weights.

    All of them can be traced (``torch.jit.trace``, ``torch.fx``), and no shape in the trace depends on the input. The
    residual networks can be quantized in FX graph mode; their last layer, ``answer``, only arranges and averages.
    """
    width = spec.width or ENCODERS[spec.name].width
    if spec.name == "vit-tiny":
        return VisionTransformer(spec.image, width, spec.layers or 12)
    stages, blocks = {"resnet8-encoder": (3, 1), "resnet18-encoder": (4, 2)}[spec.name]
    layers = trunk(spec.image[2], width=width, stages=stages, blocks=blocks, pool=False)
    layers["answer"] = MapAndMean()
    return nn.Sequential(layers)


class MapAndMean(nn.Module):
    """A feature map's mean, then the map itself, row by row."""

    def forward(self, x: Tensor) -> Tensor:
        """Map [batch, channels, height, width] to [batch, 1 + height * width, channels]."""
        positions = torch.flatten(x, 2).transpose(1, 2)
        return torch.cat([positions.mean(dim=1, keepdim=True), positions], dim=1)


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017, section 3.2), written out: the fused kernel exports nowhere."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens [batch, tokens, width] to as many."""
        # Heads are cut and joined without naming a size, so that no trace holds the batch's or the number of tokens.
        q, k, v = self.qkv(x).chunk(3, dim=2)
        weights = torch.softmax((self._split(q) @ self._split(k).transpose(2, 3)) * self.scale, dim=3)
        out: Tensor = self.proj(torch.cat((weights @ self._split(v)).unbind(1), dim=2))
        return out

    def _split(self, x: Tensor) -> Tensor:
        return torch.stack(x.chunk(self.heads, dim=2), dim=1)


class Block(nn.Module):
    """A pre-norm transformer block (Dosovitskiy et al. 2021, equations 2 and 3), its hidden layer 4 times as wide."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens [batch, tokens, width] to as many."""
        x = x + self.attention(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class VisionTransformer(nn.Module):
    """A vision transformer (Dosovitskiy et al. 2021) with fixed sine and cosine positions, as MAE's and MoCo v3's.

    The CLS token starts at 0 and is not learned: the bias of the first LayerNorm takes its place. So every parameter
    belongs to a layer that differentially private training knows.

    Attributes:
        patches: images to patches, a strided convolution.
        positions: [1, 1 + patches, width]; those of the CLS token are 0.
        blocks: from tokens to tokens.
        norm: the LayerNorm after the last block.
    """

    positions: Tensor

    def __init__(self, image: tuple[int, int, int], width: int, layers: int) -> None:
        super().__init__()
        height, breadth, channels = image
        self.patches = nn.Conv2d(channels, width, PATCH, stride=PATCH)
        table = sine_positions(height // PATCH, breadth // PATCH, width)
        self.register_buffer("positions", torch.cat([torch.zeros(1, 1, width), table], dim=1))
        heads = heads_of(width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.apply(initialise)

    def tokens(self, x: Tensor) -> Tensor:
        """Images [batch, channels, height, width] to the tokens that the blocks take, [batch, 1 + patches, width]."""
        patches = torch.flatten(self.patches(x), 2).transpose(1, 2)
        return F.pad(patches, (0, 0, 1, 0)) + self.positions

    def forward(self, x: Tensor) -> Tensor:
        """Map [batch, channels, height, width] to [batch, 1 + patches, width], the CLS token first."""
        out: Tensor = self.norm(self.blocks(self.tokens(x)))
        return out


def heads_of(width: int) -> int:
    """Attention heads of a transformer: of 64 channels each where that divides its width, else one."""
    return 1 if width % HEAD_WIDTH else width // HEAD_WIDTH


def sine_positions(rows: int, columns: int, width: int) -> Tensor:
    """Positions in two dimensions, [1, rows * columns, width] (MoCo v3, Chen et al. 2021; MAE, He et al. 2022).

    A quarter of the channels each are the sine and cosine of the column, and of the row, at frequencies
    10000^(-4i / width). What is left where 4 does not divide the width is 0.
    """
    quarter = width // 4
    frequencies = 10000 ** (-torch.arange(quarter) / max(quarter, 1))
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    angles = [where.reshape(-1, 1) * frequencies for where in (column, row)]
    table = torch.cat([f(angle) for angle in angles for f in (torch.sin, torch.cos)], dim=1)
    return F.pad(table, (0, width - 4 * quarter))[None]


def initialise(layer: nn.Module) -> None:
    """Xavier's weights and no bias for a dense layer, and for the patches as the dense layer that they are (MAE)."""
    if isinstance(layer, nn.Linear | nn.Conv2d):
        nn.init.xavier_uniform_(layer.weight.view(layer.weight.shape[0], -1))
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
