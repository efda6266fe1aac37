"""Running any .tflite file on arrays: whatever its input is, as long as there is one, and one output."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....compressors.quiet import quiet
from ....compressors.tflite.interpreter import open_interpreter
from .. import AuditError
from ..layout import misfit

BATCH = 32


def open_tflite(path: Path, *, threads: int = 1) -> Callable[[NDArray[np.generic]], NDArray[np.float32]]:
    """Load a .tflite file that anybody may have made.

    Returns:
        A function from inputs [examples, ...] in the file's own layout, in real numbers, to its outputs, float32
        [examples, ...]. A quantized tensor is quantized and dequantized by its own scale and zero point. A file of a
        fixed batch size is run by that size, the last batch filled up with zeros.

    Raises:
        AuditError: the file is damaged, or has several inputs or outputs.
    """
    interpreter = open_interpreter(path, threads=threads)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1:
        raise AuditError(f"{path} has {len(inputs)} inputs and {len(outputs)} outputs; only files with one of each.")
    stated = [int(n) for n in inputs[0].get("shape_signature", inputs[0]["shape"])]
    if not stated:
        raise AuditError(f"{path} takes a single number, not a batch of examples.")

    def run(examples: NDArray[np.generic]) -> NDArray[np.float32]:
        wanted = stated[1:]
        fits = len(wanted) == examples.ndim - 1 and all(
            n in (-1, m) for n, m in zip(wanted, examples.shape[1:], strict=True)
        )
        if not fits:
            raise misfit(path, wanted, examples.shape[1:])
        size = stated[0] if stated[0] > 0 else BATCH
        if -1 in stated:
            _resize(interpreter, inputs[0]["index"], (size, *examples.shape[1:]), path)
        else:
            with quiet():
                interpreter.allocate_tensors()
        source, sink = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        parts = []
        for start in range(0, len(examples), size):
            chunk = examples[start : start + size]
            batch = np.zeros((size, *chunk.shape[1:]), dtype=source["dtype"])
            batch[: len(chunk)] = _stored(chunk, source, path)
            interpreter.set_tensor(source["index"], batch)
            interpreter.invoke()
            parts.append(_real(_by_example(interpreter.get_tensor(sink["index"]), size, path)[: len(chunk)], sink))
        return np.concatenate(parts)

    return run


def _resize(interpreter: Any, index: int, shape: tuple[int, ...], path: Path) -> None:
    try:
        with quiet():
            interpreter.resize_tensor_input(index, list(shape), strict=True)
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise AuditError(f"LiteRT cannot run {path} on inputs of shape {list(shape)}: {error}") from error


def _by_example(values: NDArray[np.generic], size: int, path: Path) -> NDArray[np.generic]:
    if size == 1 and (values.ndim == 0 or len(values) != 1):
        return values[None]
    if values.ndim == 0 or len(values) != size:
        raise AuditError(f"{path} gives an output of shape {list(values.shape)} for {size} examples.")
    return values


def _stored(values: NDArray[np.generic], tensor: dict[str, Any], path: Path) -> NDArray[np.generic]:
    """Real numbers as the tensor stores them."""
    kind = np.dtype(tensor["dtype"])
    if kind.kind == "f":
        return values.astype(kind)
    scale, zero_point = tensor["quantization"]
    limits = np.iinfo(kind)
    if scale:
        real = values.astype(np.float32)
        stored: NDArray[np.generic] = np.clip(np.rint(real / scale) + zero_point, limits.min, limits.max).astype(kind)
        return stored
    exact = values.astype(kind)
    if not np.array_equal(exact, values):
        raise AuditError(
            f"{path} takes {kind} without a quantization scale, and the prepared inputs are not such whole numbers "
            f"(they run from {values.min():.4g} to {values.max():.4g}). Pass them on as they are: scale 1, "
            "mean 0, std 1."
        )
    return exact


def _real(values: NDArray[np.generic], tensor: dict[str, Any]) -> NDArray[np.float32]:
    """What the tensor stores as real numbers."""
    scale, zero_point = tensor["quantization"]
    if np.dtype(tensor["dtype"]).kind == "f" or not scale:
        return values.astype(np.float32)
    real: NDArray[np.float32] = ((values.astype(np.float32) - zero_point) * scale).astype(np.float32)
    return real
