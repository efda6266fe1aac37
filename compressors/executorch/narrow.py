"""Fewer bits in the dense layers and embeddings of a transformer, before it is exported.

PT2E, which quantizes networks of convolutions (``lower.quantize``), works on an exported graph, and turns the
integers that a transformer finds its padding and its positions with into floating-point numbers. torchao's
``quantize_`` works on layers.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from ..shaping.kernels import tables

_LIMITS = (-128, 127)


class Int8Table(nn.Module):
    """An embedding of int8 weights, one scale a row; what is looked up is float32.

    Attributes:
        weight: int8 [rows, width].
        scales: float32 [rows].
    """

    weight: Tensor
    scales: Tensor

    def __init__(self, table: nn.Embedding) -> None:
        super().__init__()
        values = table.weight.detach()
        scales = values.abs().amax(dim=1).clamp(min=1e-12) / _LIMITS[1]
        self.register_buffer("weight", torch.round(values / scales[:, None]).to(torch.int8))
        self.register_buffer("scales", scales)

    def forward(self, ids: Tensor) -> Tensor:
        """Look up ``ids``, float32 [..., width]."""
        operators: Any = torch.ops.quantized_decomposed
        found: Tensor = operators.embedding_byte(self.weight, self.scales, None, *_LIMITS, ids)
        return found


class Half(nn.Module):
    """A network that is stored and computed in float16; images go in, and answers come out, as float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).half()

    def forward(self, x: Tensor) -> Tensor:
        """Run the network on ``x``."""
        out: Tensor = self.network(x.half() if x.is_floating_point() else x)
        return out.float()


def quantize_dense(network: nn.Module) -> nn.Module:
    """Int8 weights in dense layers, one scale an output channel, and in embeddings, one scale a row.

    Dense layers round their input to int8 by a range that they find as they run, for each position of each example.
    """
    from torchao.quantization import Int8DynamicActivationIntxWeightConfig, quantize_
    from torchao.quantization.granularity import PerAxis

    narrow = copy.deepcopy(network)
    quantize_(narrow, Int8DynamicActivationIntxWeightConfig(weight_dtype=torch.int8, weight_granularity=PerAxis(0)))
    for name, table in tables(narrow).items():
        narrow.set_submodule(name, Int8Table(table))
    return narrow
