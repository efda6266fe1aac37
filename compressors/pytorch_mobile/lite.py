"""The .ptl file: written for the lite interpreter, and run by it.

Only load files that this program wrote: a .ptl file is a program, and its pickles are not checked.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.jit.mobile import _export_operator_list, _load_for_lite_interpreter

from ...models.inputs import Transform
from ...models.training import as_tensor
from .quantize import mobile_engine

_RANGE_OF_THE_BATCH = {"quantized::linear_dynamic", "quantized::linear_relu_dynamic"}


@contextmanager
def quiet() -> Iterator[None]:
    """Mute what PyTorch says about its mobile toolchain being deprecated, here only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def serialize(network: nn.Module, example: Tensor) -> bytes:
    """Trace, freeze and save ``network`` for the lite interpreter.

    Freezing inlines every layer and turns every weight into a constant. It is told to leave the numbers alone:
    folding batch normalisation multiplies weights, which is for the caller to decide.

    Args:
        network: in evaluation mode.
        example: one example, [1, ...]; only its shape and type matter.

    Returns:
        The file's content; the same network gives the same bytes.
    """
    network.requires_grad_(False)
    blank = torch.zeros(2, *example.shape[1:], dtype=example.dtype)
    with torch.no_grad():
        traced = torch.jit.trace(network, blank, check_trace=False)  # type: ignore[no-untyped-call]
        frozen = torch.jit.freeze(traced.eval(), optimize_numerics=False)
    return _save(torch.jit.load(io.BytesIO(_without_history(_save(frozen)))))  # type: ignore[no-untyped-call]


def _save(module: Any) -> bytes:
    content: bytes = module._save_to_buffer_for_lite_interpreter()
    return content


def _without_history(content: bytes) -> bytes:
    """Take out what depends on the process and the machine, not on the network.

    PyTorch numbers the classes that it traces in one process, and notes the paths of the source files.
    """
    archive, cleaned = zipfile.ZipFile(io.BytesIO(content)), io.BytesIO()
    with zipfile.ZipFile(cleaned, "w") as output:
        for name in archive.namelist():
            record = archive.read(name)
            if name.endswith(".debug_pkl"):
                continue
            if "/code/" in name or name.endswith("/data.pkl"):
                record = re.sub(rb"\.___torch_mangle_\d+", b"", record)
            output.writestr(re.sub(r"/___torch_mangle_\d+", "", name), record)
    return cleaned.getvalue()


@dataclass(frozen=True)
class LitePredictor:
    """Runs a .ptl file with the lite interpreter.

    Attributes:
        module: the loaded file.
        normalization: applied to the examples.
        batch_size: examples run at a time; see ``load_predictor``.
        threads: CPU threads; the process's own number is restored after each call.
    """

    module: Any
    normalization: Transform
    batch_size: int
    threads: int

    def __call__(self, examples: NDArray[np.generic]) -> NDArray[np.float32]:
        """Answers, float32 [examples, ...], of images [examples, height, width, channels] or ids [texts, length]."""
        with quiet(), mobile_engine(), _threads(self.threads), torch.no_grad():
            # An empty batch runs as one blank example, whose answer is then left out: not all kernels take none.
            padded = examples if len(examples) else np.zeros((1, *examples.shape[1:]), dtype=examples.dtype)
            answers = [
                self.module(as_tensor(self.normalization(padded[start : start + self.batch_size]))).numpy()
                for start in range(0, len(padded), self.batch_size)
            ]
        return np.concatenate(answers)[: len(examples)].astype(np.float32, copy=False)


def load_predictor(source: Path | bytes, normalization: Transform, *, batch_size: int, threads: int) -> LitePredictor:
    """Load a file, or its content, into the lite interpreter.

    A file of dynamic int8 is run one example at a time, whatever ``batch_size`` says: its layers round by one range for
    the whole batch, so an example's answer would depend on the others.
    """
    with quiet(), mobile_engine():
        module = _load_for_lite_interpreter(io.BytesIO(source) if isinstance(source, bytes) else str(source))  # type: ignore[no-untyped-call]
        if not _RANGE_OF_THE_BATCH.isdisjoint(_export_operator_list(module)):
            batch_size = 1
    return LitePredictor(module, normalization, batch_size, threads)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
