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
from .quantize import TABLE_ZERO_POINT, mobile_engine

_FLOAT = {
    "aten::_convolution": "convolution",
    "aten::conv2d": "convolution",
    "aten::linear": "dense",
    "aten::embedding": "embedding",
}
_PACKED = {
    "quantized::conv2d": "convolution",
    "quantized::conv2d_relu": "convolution",
    "quantized::linear": "dense",
    "quantized::linear_relu": "dense",
    "quantized::linear_dynamic": "dense",
    "quantized::linear_relu_dynamic": "dense",
    "quantized::embedding_byte": "embedding",
}
_FIRST = ("aten::embedding", "quantized::embedding_byte")
"""Operators whose first argument is the table; the others take their kernel second."""


def read_weights(content: bytes) -> tuple[Weight, ...]:
    """Convolution and dense kernels, and embeddings, in the order in which they run.

    Embeddings are marked as spared: most settings neither prune nor cluster them.

    Args:
        content: of a .ptl file.

    Raises:
        ValueError: a layer's kernel is computed rather than stored, or has a zero point.
    """
    with quiet(), mobile_engine():
        module: Any = torch.jit.load(io.BytesIO(content))  # type: ignore[no-untyped-call]
        found = [_weight(node) for node in module.inlined_graph.nodes() if node.kind() in _FLOAT | _PACKED]
    return tuple(
        Weight(f"{i:02d}-{kind}", values, scales, spared=kind == "embedding")
        for i, (kind, values, scales) in enumerate(found)
    )


def _weight(node: Any) -> tuple[str, NDArray[np.generic], NDArray[np.float64] | None]:
    kernel = list(node.inputs())[int(node.kind() not in _FIRST)]
    if kernel.node().kind() == "aten::type_as":
        kernel = next(kernel.node().inputs())
    if kernel.node().kind() != "prim::Constant":
        raise ValueError(f"The kernel of {node.kind()} is the result of {kernel.node().kind()}, expected a constant.")
    stored = kernel.toIValue()
    if node.kind() in _FLOAT:
        return _FLOAT[node.kind()], stored.numpy(), None
    kind = _PACKED[node.kind()]
    if kind == "embedding":
        return kind, *_table(torch.ops.quantized.embedding_bag_unpack(stored))
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


def _table(weight: Tensor) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Integers and scales, [rows], of an int8 embedding: stored as unsigned, with 128 for 0."""
    zero_points = weight.q_per_channel_zero_points()
    if not torch.equal(zero_points, torch.full_like(zero_points, TABLE_ZERO_POINT)):
        raise ValueError(f"Expected embeddings with the zero point {TABLE_ZERO_POINT}.")
    integers = (weight.int_repr().numpy().astype(np.int16) - TABLE_ZERO_POINT).astype(np.int8)
    return integers, weight.q_per_channel_scales().double().numpy()
