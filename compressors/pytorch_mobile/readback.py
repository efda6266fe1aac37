"""The weights in a .ptl file.

The file holds two programs, TorchScript source and the bytecode that the lite interpreter runs, over one set of
stored tensors. Weights are found through the first, by the layer that uses them; the adapter's tests change a
stored tensor and see both the interpreter's logits and these weights follow.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..protocol import Weight
from .lite import quiet
from .quantize import mobile_engine

_FLOAT = {"aten::_convolution": "convolution", "aten::conv2d": "convolution", "aten::linear": "dense"}
_PACKED = {
    "quantized::conv2d": "convolution",
    "quantized::conv2d_relu": "convolution",
    "quantized::linear": "dense",
    "quantized::linear_relu": "dense",
    "quantized::linear_dynamic": "dense",
    "quantized::linear_relu_dynamic": "dense",
}


def read_weights(content: bytes) -> tuple[Weight, ...]:
    """Convolution and dense kernels, in the order in which they run.

    Args:
        content: of a .ptl file.

    Raises:
        ValueError: a layer's kernel is computed rather than stored, or has a zero point.
    """
    with quiet(), mobile_engine():
        module: Any = torch.jit.load(io.BytesIO(content))  # type: ignore[no-untyped-call]
        found = [_weight(node) for node in module.inlined_graph.nodes() if node.kind() in _FLOAT | _PACKED]
    return tuple(Weight(f"{i:02d}-{kind}", values, scales) for i, (kind, values, scales) in enumerate(found))


def _weight(node: Any) -> tuple[str, NDArray[np.generic], NDArray[np.float64] | None]:
    kernel = list(node.inputs())[1]
    if kernel.node().kind() == "aten::type_as":
        kernel = next(kernel.node().inputs())
    if kernel.node().kind() != "prim::Constant":
        raise ValueError(f"The kernel of {node.kind()} is the result of {kernel.node().kind()}, expected a constant.")
    stored = kernel.toIValue()
    if node.kind() in _FLOAT:
        return _FLOAT[node.kind()], stored.numpy(), None
    kind = _PACKED[node.kind()]
    unpack = torch.ops.quantized.conv2d_unpack if kind == "convolution" else torch.ops.quantized.linear_unpack
    return kind, *_integers(unpack(stored)[0])


def _integers(weight: Tensor) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Integers and scales, [1] or [channels], of a quantized kernel."""
    if weight.qscheme() in (torch.per_channel_affine, torch.per_channel_symmetric):
        scales, zero_points = weight.q_per_channel_scales(), weight.q_per_channel_zero_points()
    else:
        scales, zero_points = torch.tensor([weight.q_scale()]), torch.tensor([weight.q_zero_point()])
    if zero_points.any():
        raise ValueError(f"Expected symmetric int8 kernels, found zero points {sorted(set(zero_points.tolist()))}.")
    return weight.int_repr().numpy(), scales.double().numpy()
