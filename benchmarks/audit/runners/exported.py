"""Running a .pt2 file, as ``torch.export.save`` writes it. It is a program: only run files that you trust."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .. import AuditError
from ..layout import misfit

BATCH = 32


def open_exported(path: Path, *, threads: int = 1) -> Callable[[NDArray[np.generic]], NDArray[np.float32]]:
    """Load a .pt2 file that anybody may have made.

    Returns:
        A function from inputs [examples, ...] in the program's own layout to its outputs, float32 [examples, ...].
        A program exported for a fixed batch size is run by that size, the last batch filled up with zeros.

    Raises:
        AuditError: not an exported program, or one of several inputs.
    """
    torch.set_num_threads(threads)
    try:
        program = torch.export.load(path)
    except Exception as error:  # The archive's reader, its JSON and its unpickler all raise errors of their own.
        reason = str(error).split("\n")[0]
        raise AuditError(f"{path} is not a .pt2 file that torch.export.load can read: {reason}") from error
    names = program.graph_signature.user_inputs
    values = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
    if len(values) != 1 or not isinstance(values[0], torch.Tensor) or values[0].ndim == 0:
        raise AuditError(f"{path} takes {len(values)} inputs; export a module that takes one batch of examples.")
    module, stated, kind = program.module(), list(values[0].shape), values[0].dtype
    size = stated[0] if isinstance(stated[0], int) else BATCH

    def run(examples: NDArray[np.generic]) -> NDArray[np.float32]:
        wanted = stated[1:]
        fits = len(wanted) == examples.ndim - 1 and all(
            not isinstance(n, int) or n == m for n, m in zip(wanted, examples.shape[1:], strict=True)
        )
        if not fits:
            raise misfit(path, wanted, examples.shape[1:])
        parts = [_outputs(module, examples[i : i + size], size, kind, path) for i in range(0, len(examples), size)]
        return np.concatenate(parts)

    return run


def _outputs(module: Any, chunk: NDArray[np.generic], size: int, kind: torch.dtype, path: Path) -> NDArray[np.float32]:
    batch = np.zeros((size, *chunk.shape[1:]), dtype=chunk.dtype)
    batch[: len(chunk)] = chunk
    tensor = torch.from_numpy(batch).to(kind)
    if not kind.is_floating_point and not np.array_equal(tensor.numpy(), batch):
        raise AuditError(f"{path} takes {kind}, and the inputs are no whole numbers. Pass them on as they are.")
    with torch.no_grad():
        output = module(tensor)
    if not isinstance(output, torch.Tensor) or output.ndim == 0 or len(output) != size:
        raise AuditError(f"{path} must return one tensor [examples, classes]; it gives a {type(output).__name__}.")
    return output[: len(chunk)].float().numpy()
