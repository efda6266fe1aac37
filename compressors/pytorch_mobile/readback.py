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

from ..protocol import Activations, Weight
from .lite import quiet
from .quantize import mobile_engine

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
}
_LOOKUP = "aten::embedding"


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
        nodes = [node for node in module.inlined_graph.nodes() if node.kind() in _FLOAT | _PACKED]
        return tuple(_weight(i, node) for i, node in enumerate(n for n in nodes if not _looks_up_scales(n)))


def _weight(index: int, node: Any) -> Weight:
    kind = (_FLOAT | _PACKED)[node.kind()]
    name, spared, stored = f"{index:02d}-{kind}", kind == "embedding", _stored(node)
    if node.kind() in _PACKED:
        unpack = torch.ops.quantized.conv2d_unpack if kind == "convolution" else torch.ops.quantized.linear_unpack
        return Weight(name, *_integers(unpack(stored)[0]), activations=_activations(node))
    scales = _scales_of_rows(node) if stored.dtype == torch.int8 else None
    return Weight(name, stored.numpy(), scales, spared=spared, activations=None if spared else "float")


def _activations(node: Any) -> Activations:
    return "dynamic int8" if node.kind().endswith("_dynamic") else "static int8"


def _stored(node: Any) -> Any:
    """The kernel or table of a layer: embeddings take theirs first, the others second."""
    kernel = list(node.inputs())[int(node.kind() != _LOOKUP)]
    if kernel.node().kind() == "aten::type_as":
        kernel = next(kernel.node().inputs())
    if kernel.node().kind() != "prim::Constant":
        raise ValueError(f"The kernel of {node.kind()} is the result of {kernel.node().kind()}, expected a constant.")
    return kernel.toIValue()


def _looks_up_scales(node: Any) -> bool:
    """Whether ``node`` looks up the scales of an ``Int8Table`` [rows, 1], which are no weights."""
    return bool(node.kind() == _LOOKUP and _stored(node).shape[1] == 1)


def _scales_of_rows(lookup: Any) -> NDArray[np.float64]:
    """The scales [rows] that an ``Int8Table`` multiplies what it looked up by."""
    (widened,) = (use.user for use in lookup.output().uses())
    (product,) = (use.user for use in widened.output().uses())
    scales = next(i.node() for i in product.inputs() if i.node().kind() == _LOOKUP)
    found: NDArray[np.float64] = _stored(scales).double().numpy().ravel()
    return found


def _integers(weight: Tensor) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Integers and scales, [1] or [channels], of a quantized kernel."""
    if weight.qscheme() in (torch.per_channel_affine, torch.per_channel_symmetric):
        scales, zero_points = weight.q_per_channel_scales(), weight.q_per_channel_zero_points()
    else:
        scales, zero_points = torch.tensor([weight.q_scale()]), torch.tensor([weight.q_zero_point()])
    if zero_points.any():
        raise ValueError(f"Expected symmetric int8 kernels, found zero points {sorted(set(zero_points.tolist()))}.")
    return weight.int_repr().numpy(), scales.double().numpy()
