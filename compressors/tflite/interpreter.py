"""Running a .tflite file with LiteRT's interpreter, without TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.inputs import Transform
from ..quiet import quiet


class ArtifactError(ValueError):
    """A file is not a .tflite file, or not one of ours."""


def open_interpreter(path: Path, *, threads: int = 1) -> Any:
    """An interpreter for the file at ``path``, not yet allocated.

    Raises:
        ArtifactError: the file is not a .tflite file, or is damaged.
        FileNotFoundError: there is no such file.
    """
    from ai_edge_litert.interpreter import Interpreter

    content = path.read_bytes()
    try:
        with quiet():
            return Interpreter(model_content=content, num_threads=threads)
    except (ValueError, RuntimeError) as error:
        raise ArtifactError(
            f"{path} ({len(content):,} bytes) is not a .tflite file, or is damaged. Compress the model again. ({error})"
        ) from error


class TflitePredictor:
    """``Predictor`` for a .tflite file; examples go in by batches of one size, the last one filled up with zeros."""

    def __init__(self, path: Path, normalization: Transform, *, batch_size: int, threads: int) -> None:
        """Load the file and allocate memory for one batch.

        Raises:
            ArtifactError: the file is damaged, or does not map a batch of images or texts to a batch of answers.
            ValueError: ``batch_size`` or ``threads`` is not positive.
        """
        if batch_size < 1 or threads < 1:
            raise ValueError(f"batch_size and threads must be positive, got {batch_size} and {threads}.")
        self._normalization = normalization
        self._interpreter = open_interpreter(path, threads=threads)
        example = self._interpreter.get_input_details()[0]
        if len(example["shape"]) != (2 if example["dtype"] == np.int32 else 4):
            raise ArtifactError(
                f"{path} takes {example['dtype'].__name__} of shape {example['shape']}, not a batch of images or texts."
            )
        try:
            with quiet():
                self._interpreter.resize_tensor_input(example["index"], [batch_size, *example["shape"][1:]])
                self._interpreter.allocate_tensors()
        except RuntimeError as error:
            raise ArtifactError(
                f"LiteRT cannot run {path}: {error} Where weights have exploded in fine-tuning, scales leave the "
                "range that it works with: lower the learning rate and compress again."
            ) from error
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]

    def __call__(self, examples: NDArray[np.generic]) -> NDArray[np.float32]:
        """Answers, float32 [examples, ...], of images [examples, height, width, channels] or ids [examples, length].

        Raises:
            ValueError: examples of another shape or type than the file was made for.
        """
        size, *example = (int(n) for n in self._input["shape"])
        if list(examples.shape[1:]) != example:
            what = "token ids" if self._input["dtype"] == np.int32 else "images"
            raise ValueError(f"This file was made for {what} {example}, got {list(examples.shape[1:])}.")
        batches = [self._run(examples[i : i + size], size) for i in range(0, len(examples), size)]
        empty = np.empty((0, *self._output["shape"][1:]), dtype=np.float32)
        return np.concatenate([empty, *batches])

    def _run(self, examples: NDArray[np.generic], size: int) -> NDArray[np.float32]:
        batch = np.zeros((size, *examples.shape[1:]), dtype=self._input["dtype"])
        batch[: len(examples)] = _quantize(self._normalization(examples), self._input)
        self._interpreter.set_tensor(self._input["index"], batch)
        self._interpreter.invoke()
        return _dequantize(self._interpreter.get_tensor(self._output["index"])[: len(examples)], self._output)


def _quantize(values: NDArray[np.generic], tensor: dict[str, Any]) -> NDArray[np.generic]:
    if tensor["dtype"] in (np.float32, np.int32):
        return values
    scale, zero_point = tensor["quantization"]
    limits = np.iinfo(tensor["dtype"])
    rounded = np.clip(np.rint(values / scale) + zero_point, limits.min, limits.max)
    quantized: NDArray[np.generic] = rounded.astype(tensor["dtype"])
    return quantized


def _dequantize(values: NDArray[np.generic], tensor: dict[str, Any]) -> NDArray[np.float32]:
    if tensor["dtype"] == np.float32:
        return values.astype(np.float32)
    scale, zero_point = tensor["quantization"]
    dequantized: NDArray[np.float32] = ((values.astype(np.float32) - zero_point) * scale).astype(np.float32)
    return dequantized
