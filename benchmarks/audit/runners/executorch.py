"""Running any .pte file on arrays. It is a program: only run files that you trust, in a process of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....compressors.executorch.adapter import missing_extra
from .. import AuditError
from ..layout import misfit

_MARK = b"ET"
_DTYPES: dict[int, type[np.generic]] = {0: np.uint8, 1: np.int8, 3: np.int32, 4: np.int64, 5: np.float16, 6: np.float32}
"""PyTorch's numbers of types, which a .pte file states its inputs' by."""


def open_executorch(path: Path, *, threads: int = 1) -> Callable[[NDArray[np.generic]], NDArray[np.float32]]:
    """Load a .pte file that anybody may have made.

    Returns:
        A function from inputs [examples, ...] in the file's own layout to its outputs, float32 [examples, ...]. The
        file is run by its largest batch, the last one filled up with zeros.

    Raises:
        AuditError: ExecuTorch is not installed, or its runtime cannot load the file, or it has several inputs.
    """
    if (reason := missing_extra()) is not None:
        raise AuditError(f"{path} is run by ExecuTorch: {reason}")
    import torch

    from ....compressors.executorch.predictor import load_method

    content = path.read_bytes()
    # Given what is no .pte file at all, the runtime ends the whole process.
    if content[4:6] != _MARK:
        raise AuditError(f"{path} is not a .pte file: it lacks the mark {_MARK.decode()!r} that they begin with.")
    try:
        method, _ = load_method(content, threads=threads)
    except RuntimeError as error:
        raise AuditError(f"{path} is not a .pte file for this ExecuTorch, or is damaged: {error}") from error
    about = method.metadata
    if about.num_inputs() != 1 or about.num_outputs() != 1:
        raise AuditError(
            f"{path} has {about.num_inputs()} inputs and {about.num_outputs()} outputs; only files with one of each."
        )
    tensor = about.input_tensor_meta(0)
    size, *wanted = (int(n) for n in tensor.sizes())
    kind = _DTYPES.get(int(tensor.dtype()))
    if kind is None:
        raise AuditError(f"{path} takes inputs of PyTorch's type {tensor.dtype()}; only {_known()} are run.")

    # The runtime points into the content, which must live as long as its method.
    kept = (content, method)

    def run(examples: NDArray[np.generic]) -> NDArray[np.float32]:
        if list(examples.shape[1:]) != wanted:
            raise misfit(path, wanted, examples.shape[1:])
        exact = examples.astype(kind)
        if np.dtype(kind).kind in "iu" and not np.array_equal(exact, examples):
            raise AuditError(
                f"{path} takes {_name(kind)}, and the inputs are no whole numbers. Pass them on as they are."
            )
        parts = []
        for start in range(0, len(exact), size):
            chunk = exact[start : start + size]
            batch = np.zeros((size, *wanted), dtype=kind)
            batch[: len(chunk)] = chunk
            output = kept[1].execute([torch.from_numpy(batch)])[0]
            if not isinstance(output, torch.Tensor) or output.ndim == 0 or len(output) != size:
                raise AuditError(f"{path} must return one tensor [examples, classes].")
            parts.append(output[: len(chunk)].float().numpy())
        return np.concatenate(parts)

    return run


def _name(kind: type[np.generic]) -> str:
    return np.dtype(kind).name


def _known() -> str:
    return ", ".join(map(_name, _DTYPES.values()))
