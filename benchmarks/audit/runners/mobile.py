"""Running any .ptl file on arrays. It is a program: only run files that you trust, in a process of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.jit.mobile import _load_for_lite_interpreter

from ....compressors.pytorch_mobile.lite import quiet
from ....compressors.pytorch_mobile.quantize import mobile_engine
from .. import AuditError

BATCH = 32


def open_mobile(path: Path, *, threads: int = 1) -> Callable[[NDArray[np.generic]], NDArray[np.float32]]:
    """Load a .ptl file that anybody may have made.

    Returns:
        A function from inputs [examples, ...] in the file's own layout to its outputs, float32 [examples, ...].

    Raises:
        AuditError: the lite interpreter cannot load it.
    """
    torch.set_num_threads(threads)
    try:
        with quiet(), mobile_engine():
            module = _load_for_lite_interpreter(str(path))  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        reason = str(error).split("\n")[0]
        raise AuditError(f"{path} is not a .ptl file for the lite interpreter, or is damaged: {reason}") from error

    def run(examples: NDArray[np.generic]) -> NDArray[np.float32]:
        with quiet(), mobile_engine(), torch.no_grad():
            parts = []
            for start in range(0, len(examples), BATCH):
                output = module(torch.from_numpy(np.ascontiguousarray(examples[start : start + BATCH])))
                if not isinstance(output, torch.Tensor):
                    raise AuditError(f"{path} gives a {type(output).__name__}; make it return one tensor.")
                parts.append(output.dequantize() if output.is_quantized else output)
        return np.concatenate([part.float().numpy() for part in parts])

    return run
