"""The kernels stored in a .pte file.

The file is a flatbuffer. Each part of the network that XNNPACK runs is a second flatbuffer inside it, a graph whose
constants are kept beside it under the hash of their content. Embeddings are run by ExecuTorch's own kernels, and are
constants of the first. Both are read with the schemas that ExecuTorch brings.
"""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..protocol import Activations, Weight
from .lower import quiet

_LAYERS = {"XNNConv2d": "convolution", "XNNDepthwiseConv2d": "depthwise", "XNNFullyConnected": "dense"}
_DTYPES: dict[str, np.dtype[Any]] = {
    "xnn_datatype_fp32": np.dtype(np.float32),
    "xnn_datatype_fp16": np.dtype(np.float16),
    "xnn_datatype_qint8": np.dtype(np.int8),
    "xnn_datatype_qcint8": np.dtype(np.int8),
}
_ACTIVATIONS: dict[str, Activations] = {
    "xnn_datatype_fp32": "float",
    "xnn_datatype_fp16": "float",
    "xnn_datatype_qdint8": "dynamic int8",
    "xnn_datatype_qint8": "static int8",
}
_TABLES = ("aten::embedding", "quantized_decomposed::embedding_byte")
"""Operators for embeddings. Their first argument is the table; the second of the last is the scales of its rows."""
_TABLE_DTYPES: dict[str, np.dtype[Any]] = {
    "FLOAT": np.dtype(np.float32),
    "HALF": np.dtype(np.float16),
    "CHAR": np.dtype(np.int8),
}
_HEADER_BYTES = 30
_TRANSPOSED = 1
_ELSEWHERE = re.compile(r"conv|linear|mm\b|embedding")


class ArtifactError(ValueError):
    """A file is not a .pte file, or not one of ours."""


@dataclass(frozen=True)
class _Graph:
    """What XNNPACK runs: nodes, values by their id, and constants by their index."""

    nodes: list[dict[str, Any]]
    values: dict[int, dict[str, Any]]
    constants: list[bytes]


def read_weights(content: bytes) -> tuple[Weight, ...]:
    """Embeddings; then kernels of convolutions, depthwise ones too, and dense layers, output channels first.

    Each come in the file's order. Embeddings are marked as spared: most settings neither prune nor cluster them.

    Args:
        content: of a .pte file.

    Raises:
        ArtifactError: the file is damaged, or has layers that XNNPACK does not run, or in another form than this
            adapter writes.
    """
    with quiet():
        file = _parse(content)
        weights = _tables(file.program)
        for graph in _graphs(file):
            for node in graph.nodes:
                if (kind := _LAYERS.get(node["xnode_union_type"].removeprefix("XNodeUnion_"))) is not None:
                    weights.append(_weight(graph, node["xnode_union"], kind, len(weights)))
    return tuple(weights)


def takes_one_size(content: bytes) -> bool:
    """Whether a .pte file takes batches of one size only, and not smaller ones as well.

    Raises:
        ArtifactError: the file is damaged.
    """
    with quiet():
        plan = _parse(content).program.execution_plan[0]
    return bool(plan.values[plan.inputs[0]].val.shape_dynamism.name == "STATIC")


def _parse(content: bytes) -> Any:
    from executorch.exir._serialize._program import deserialize_pte_binary

    try:
        return deserialize_pte_binary(content)
    except Exception as error:  # the library raises whatever the bytes lead it to
        raise ArtifactError(
            f"These {len(content):,} bytes are not a .pte file, or are damaged. Compress the model again. ({error})"
        ) from error


def _graphs(file: Any) -> list[_Graph]:
    plan = file.program.execution_plan[0]
    elsewhere = sorted({op.name for op in plan.operators if _ELSEWHERE.search(op.name)} - set(_TABLES))
    others = sorted({part.id for part in plan.delegates if part.id != "XnnpackBackend"})
    if elsewhere or others:
        raise ArtifactError(f"Only layers that XNNPACK runs can be read; the file has {elsewhere + others}.")
    named = file.named_data
    stored = {k: bytes(named.buffers[e.buffer_index]) for k, e in named.pte_data.items()} if named else {}
    inline = file.program.backend_delegate_data
    return [_graph(bytes(inline[part.processed.index].data), stored) for part in plan.delegates]


def _tables(program: Any) -> list[Weight]:
    plan = program.execution_plan[0]
    found: list[Weight] = []
    calls = [step.instr_args for chain in plan.chains for step in chain.instructions]
    for call in calls:
        operator = plan.operators[call.op_index].name if hasattr(call, "op_index") else ""
        if operator in _TABLES:
            values, *others = (_constant(program, plan.values[i].val) for i in call.args[: 1 + _TABLES.index(operator)])
            scales = others[0].astype(np.float64) if others else None
            found.append(Weight(f"{len(found):02d}-embedding", values, scales, spared=True))
    return found


def _constant(program: Any, tensor: Any) -> NDArray[np.generic]:
    if tensor.data_buffer_idx == 0 or tensor.scalar_type.name not in _TABLE_DTYPES:
        raise ArtifactError(
            f"An embedding is {'computed' if tensor.data_buffer_idx == 0 else 'stored'} as {tensor.scalar_type.name}; "
            "expected a constant of float32, float16 or int8."
        )
    dtype = _TABLE_DTYPES[tensor.scalar_type.name]
    stored: NDArray[np.generic] = np.frombuffer(
        bytes(program.constant_buffer[tensor.data_buffer_idx].storage), dtype=dtype
    )
    return stored[: int(np.prod(tensor.sizes))].reshape([int(n) for n in tensor.sizes])


def _graph(payload: bytes, stored: dict[str, bytes]) -> _Graph:
    from executorch.backends.xnnpack.serialization.xnnpack_graph_serialize import XNNHeader, _get_schema_bytes
    from executorch.exir._serialize._flatbuffer import _flatc_decompile

    header = XNNHeader.from_bytes(payload[:_HEADER_BYTES])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "schema.fbs").write_bytes(_get_schema_bytes())
        start = header.flatbuffer_offset
        (folder / "graph.bin").write_bytes(payload[start : start + header.flatbuffer_size])
        _flatc_decompile(name, str(folder / "schema.fbs"), str(folder / "graph.bin"), ["--raw-binary"])
        text = (folder / "graph.json").read_text(encoding="utf-8")
    # flatc writes the bounds of an activation without any as inf, which JSON does not know; Python has Infinity.
    graph = json.loads(re.sub(r":\s*(-?)inf\b", r": \1Infinity", text))
    values = {}
    for value in graph["xvalues"]:
        tensor = value["xvalue_union"].get("tensor_value", value["xvalue_union"])
        values[tensor["id_out"]] = value["xvalue_union"]
    beside = payload[header.constant_data_offset :]
    constants = [
        stored[entry["named_key"]][: entry["size"]]
        if entry.get("named_key")
        else beside[entry["offset"] : entry["offset"] + entry["size"]]
        for entry in graph["constant_data"]
    ]
    return _Graph(graph["xnodes"], values, constants)


def _weight(graph: _Graph, layer: dict[str, Any], kind: str, index: int) -> Weight:
    value = graph.values[layer["filter_id"]]
    tensor = value.get("tensor_value", value)
    name, constant = f"{index:02d}-{kind}", int(tensor["constant_buffer_idx"])
    if constant == 0 or tensor["datatype"] not in _DTYPES:
        raise ArtifactError(
            f"The kernel {name} is {'computed' if constant == 0 else 'stored'} as {tensor['datatype']}; expected a "
            "constant of float32, float16 or int8."
        )
    dtype, shape = _DTYPES[tensor["datatype"]], [int(n) for n in tensor["dims"]]
    values: NDArray[np.generic] = np.frombuffer(graph.constants[constant], dtype=dtype).reshape(shape)
    # XNNPACK keeps the output channels of depthwise kernels last, and may keep those of dense ones last too.
    if kind == "depthwise":
        values = np.moveaxis(values, -1, 0)
    elif kind == "dense" and layer["flags"] & _TRANSPOSED:
        values = values.T
    scales, zero_point = _quantization(graph, value)
    given = graph.values[layer["input1_id"]]
    taken = _ACTIVATIONS.get(given.get("tensor_value", given)["datatype"])
    return Weight(name, values, scales, folded=kind != "dense", zero_point=zero_point, activations=taken)


def _quantization(graph: _Graph, value: dict[str, Any]) -> tuple[NDArray[np.float64] | None, int]:
    """Scales, [1] or [channels], and the zero point."""
    if (how := value.get("quant_params")) is None:
        return None, 0
    if value["quant_params_type"] == "PerTensorQuant":
        return np.array([how["scale"]], dtype=np.float64), int(how["zero_point"])
    scales = how["scale"] or np.frombuffer(graph.constants[how["scale_buffer_idx"]], dtype=np.float32)
    return np.asarray(scales, dtype=np.float64)[: how["num_scales"] or None], 0
