"""Running a .pte file with ExecuTorch's own runtime."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...models.inputs import Transform
from .lower import quantized_operators, quiet
from .readback import ArtifactError, takes_one_size


class _Threads:
    """The one thread pool that ExecuTorch has in a process."""

    def __init__(self) -> None:
        self.resets = 0

    def set(self, count: int) -> int:
        """Have ``count`` threads.

        Returns:
            How often the pool was replaced: a program that was loaded before the last time points at one that is gone.
        """
        from executorch.extension.pybindings import portable_lib

        if portable_lib._threadpool_get_thread_count() != count:
            with quiet():
                portable_lib._unsafe_reset_threadpool(count)
            self.resets += 1
        return self.resets


@cache
def _threads() -> _Threads:
    return _Threads()


def load_method(content: bytes, *, threads: int) -> tuple[Any, int]:
    """Load the content of a .pte file, to be run by ``threads`` threads.

    The runtime points into ``content``: hold it for as long as the method.

    Returns:
        The runtime's method, and how often the pool of threads was replaced until then.

    Raises:
        RuntimeError: the runtime does not take it.
    """
    quantized_operators()
    with quiet():
        from executorch.runtime import Runtime

        resets = _threads().set(threads)
        return Runtime.get().load_program(content).load_method("forward"), resets


class PtePredictor:
    """``Predictor`` for a .pte file, which decides itself how many examples it takes at most at a time."""

    def __init__(self, path: Path, normalization: Transform, *, batch_size: int, threads: int) -> None:
        """Load the file.

        Raises:
            ArtifactError: the file is damaged, or does not map a batch of images or texts to a batch of answers.
            ValueError: ``batch_size`` or ``threads`` is not positive.
            FileNotFoundError: there is no such file.
        """
        if batch_size < 1 or threads < 1:
            raise ValueError(f"batch_size and threads must be positive, got {batch_size} and {threads}.")
        self._path, self._content = path, path.read_bytes()
        self._normalization, self._threads = normalization, threads
        self._method, self._resets = self._load()
        about = self._method.metadata
        self._most, *self._example = (int(n) for n in about.input_tensor_meta(0).sizes())
        self._fixed = takes_one_size(self._content)
        if len(self._example) not in (1, 3) or len(about.output_tensor_meta(0).sizes()) < 2:
            raise ArtifactError(f"{path} takes examples of shape {self._example}, not a batch of images or texts.")
        self._batch_size = min(batch_size, self._most)

    def __call__(self, examples: NDArray[np.generic]) -> NDArray[np.float32]:
        """What the network answers, float32 [examples, ...].

        Args:
            examples: images [examples, height, width, channels], or token ids [examples, length].

        Raises:
            ValueError: examples of another shape than the file was made for.
        """
        # The file takes the channels of images first.
        wanted = [*self._example[1:], *self._example[:1]] if len(self._example) == 3 else self._example
        if list(examples.shape[1:]) != wanted:
            kind = "images" if len(wanted) == 3 else "texts"
            raise ValueError(f"This file was made for {kind} {wanted}, got {list(examples.shape[1:])}.")
        if _threads().set(self._threads) != self._resets:
            self._method, self._resets = self._load()
        # An empty batch runs as one blank example, whose answer is then left out: XNNPACK takes none.
        padded = examples if len(examples) else np.zeros((1, *examples.shape[1:]), dtype=examples.dtype)
        answers = [self._run(padded[i : i + self._batch_size]) for i in range(0, len(padded), self._batch_size)]
        return np.concatenate(answers)[: len(examples)]

    def _run(self, examples: NDArray[np.generic]) -> NDArray[np.float32]:
        from ...models.training import as_tensor

        inputs = as_tensor(self._normalization(examples)).contiguous()
        if self._fixed:  # filled up with blank examples
            inputs = torch.cat([inputs, inputs.new_zeros(self._most - len(inputs), *inputs.shape[1:])])
        with torch.no_grad():
            answers: NDArray[np.float32] = self._method.execute([inputs])[0].numpy().astype(np.float32)
        return answers[: len(examples)]

    def _load(self) -> tuple[Any, int]:
        try:
            return load_method(self._content, threads=self._threads)
        except RuntimeError as error:
            raise ArtifactError(
                f"{self._path} ({len(self._content):,} bytes) is not a .pte file, or is damaged. Compress the "
                f"model again. ({error})"
            ) from error
