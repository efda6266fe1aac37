"""The kernels and embeddings stored in a .tflite file, read with its flatbuffer schema, without TensorFlow."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..protocol import Activations, Weight
from .interpreter import ArtifactError, open_interpreter

_DTYPES = {0: np.dtype(np.float32), 1: np.dtype(np.float16), 9: np.dtype(np.int8)}
_INT4 = 17


def read_weights(path: Path) -> tuple[Weight, ...]:
    """Kernels of the convolutions, depthwise convolutions and dense layers, and embeddings, in execution order.

    A table that is read at the same places for every text, as that of BERT's and GPT-2's positions, is no longer in
    the file as such: the converter has read it.

    Raises:
        ArtifactError: the file is damaged, or stores a kernel in a way that this adapter never writes.
    """
    from ai_edge_litert import schema_py_generated as schema

    open_interpreter(path)  # Checks the flatbuffer, which the schema's Python code takes on trust.
    content = path.read_bytes()
    model = schema.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    kinds = schema.BuiltinOperator
    operators = [graph.Operators(i) for i in range(graph.OperatorsLength())]
    codes = [model.OperatorCodes(op.OpcodeIndex()).BuiltinCode() for op in operators]
    # float16 kernels, and integer ones of float operators, are stored in constants that a DEQUANTIZE operator widens.
    widened = {
        op.Outputs(0): op.Inputs(0) for op, code in zip(operators, codes, strict=True) if code == kinds.DEQUANTIZE
    }
    channel_axes = {kinds.CONV_2D: 0, kinds.DEPTHWISE_CONV_2D: 3, kinds.FULLY_CONNECTED: 0}
    embeddings = {kinds.GATHER: 0, kinds.EMBEDDING_LOOKUP: 1}
    weights = []
    for op, code in zip(operators, codes, strict=True):
        if code in channel_axes:
            index = op.Inputs(1)
            tensor = graph.Tensors(widened.get(index, index))
            weight = _weight(path, tensor, _stored(content, model, tensor), channel_axes[code])
            if weight.zero_point:
                raise ArtifactError(
                    f"{path}: the kernel {weight.name!r} has a zero point; TF-Lite's kernels have none."
                )
            if weight.scales is None or index in widened:
                activations: Activations = "float"
            else:
                taken = graph.Tensors(op.Inputs(0)).Type()
                activations = "static int8" if taken == schema.TensorType.INT8 else "dynamic int8"
            weights.append(
                replace(
                    weight,
                    folded=code != kinds.FULLY_CONNECTED,
                    spared=code == kinds.DEPTHWISE_CONV_2D,
                    activations=activations,
                )
            )
        elif code in embeddings:
            index = op.Inputs(embeddings[code])
            tensor = graph.Tensors(widened.get(index, index))
            stored = _stored(content, model, tensor)
            # What is gathered may as well be computed: the state of a text's last token.
            if stored.size and tensor.ShapeLength() == 2:
                weights.append(replace(_weight(path, tensor, stored, 0), spared=True))
    return tuple(weights)


def _stored(content: bytes, model: Any, tensor: Any) -> NDArray[np.uint8]:
    """The bytes of a constant, which a large file has behind its flatbuffer; none where the tensor is computed."""
    buffer = model.Buffers(tensor.Buffer())
    if buffer.DataLength():
        within: NDArray[np.uint8] = buffer.DataAsNumpy()
        return within
    return np.frombuffer(content, np.uint8, count=buffer.Size(), offset=buffer.Offset() if buffer.Size() else 0)


def _weight(path: Path, tensor: Any, stored: NDArray[np.uint8], channel_axis: int) -> Weight:
    name, kind = tensor.Name().decode(), tensor.Type()
    if kind not in (*_DTYPES, _INT4) or not stored.size:
        raise ArtifactError(
            f"{path}: the kernel {name!r} is stored with type number {kind} in {stored.size} bytes. "
            "Expected a constant of float32, float16, int8 or int4."
        )
    shape = tuple(int(n) for n in tensor.ShapeAsNumpy())
    values: NDArray[np.generic] = _nibbles(stored, shape) if kind == _INT4 else stored.view(_DTYPES[kind])  # type: ignore[call-overload]
    values = values.reshape(shape)
    quantization = tensor.Quantization()
    if quantization is None or not quantization.ScaleLength():
        return Weight(name, values, None, channel_axis)
    zero_points = {int(n) for n in quantization.ZeroPointAsNumpy()}
    if len(zero_points) > 1:
        raise ArtifactError(f"{path}: {name!r} has several zero points, {sorted(zero_points)}; expected one.")
    scales = quantization.ScaleAsNumpy().astype(np.float64)
    return Weight(name, values, scales, int(quantization.QuantizedDimension()), zero_point=zero_points.pop())


def _nibbles(stored: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.generic]:
    """Two's-complement integers of 4 bits, packed two to a byte, the lower half first."""
    from ml_dtypes import int4

    halves = np.stack([stored & 15, stored >> 4], axis=-1).reshape(-1)[: math.prod(shape)].astype(np.int8)
    integers: NDArray[np.generic] = np.where(halves > 7, halves - 16, halves).astype(int4)
    return integers
