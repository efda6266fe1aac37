"""The kernels stored in a .tflite file, read with its flatbuffer schema; neither TensorFlow nor Keras is needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..protocol import Weight
from .interpreter import ArtifactError, open_interpreter

_DTYPES = {0: np.dtype(np.float32), 1: np.dtype(np.float16), 9: np.dtype(np.int8)}


def read_weights(path: Path) -> tuple[Weight, ...]:
    """Kernels of the convolutions, depthwise convolutions and dense layers in the file, in execution order.

    Raises:
        ArtifactError: the file is damaged, or stores a kernel in a way that this adapter never writes.
    """
    from ai_edge_litert import schema_py_generated as schema

    open_interpreter(path)  # Checks the flatbuffer, which the schema's Python code takes on trust.
    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    kinds = schema.BuiltinOperator
    operators = [graph.Operators(i) for i in range(graph.OperatorsLength())]
    codes = [model.OperatorCodes(op.OpcodeIndex()).BuiltinCode() for op in operators]
    # float16 kernels are stored in constants that a DEQUANTIZE operator widens.
    widened = {
        op.Outputs(0): op.Inputs(0) for op, code in zip(operators, codes, strict=True) if code == kinds.DEQUANTIZE
    }
    channel_axes = {kinds.CONV_2D: 0, kinds.DEPTHWISE_CONV_2D: 3, kinds.FULLY_CONNECTED: 0}
    weights = []
    for op, code in zip(operators, codes, strict=True):
        if code in channel_axes:
            index = op.Inputs(1)
            tensor = graph.Tensors(widened.get(index, index))
            weight = _weight(path, model, tensor, channel_axes[code])
            spared = code == kinds.DEPTHWISE_CONV_2D
            weights.append(replace(weight, folded=code != kinds.FULLY_CONNECTED, spared=spared))
    return tuple(weights)


def _weight(path: Path, model: Any, tensor: Any, channel_axis: int) -> Weight:
    name, kind = tensor.Name().decode(), tensor.Type()
    buffer = model.Buffers(tensor.Buffer())
    if kind not in _DTYPES or not buffer.DataLength():
        raise ArtifactError(
            f"{path}: the kernel {name!r} is stored with type number {kind} in {buffer.DataLength()} bytes. "
            "Expected a constant of float32, float16 or int8."
        )
    shape = tuple(int(n) for n in tensor.ShapeAsNumpy())
    values: NDArray[np.generic] = buffer.DataAsNumpy().view(_DTYPES[kind]).reshape(shape)
    quantization = tensor.Quantization()
    if quantization is None or not quantization.ScaleLength():
        return Weight(name, values, None, channel_axis)
    if np.any(quantization.ZeroPointAsNumpy()):
        raise ArtifactError(f"{path}: the kernel {name!r} has a zero point; TF-Lite's int8 kernels have none.")
    scales = quantization.ScaleAsNumpy().astype(np.float64)
    return Weight(name, values, scales, int(quantization.QuantizedDimension()))
