"""Running a .keras file, of Keras 3 or of tf_keras (Keras 2), whichever wrote it."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BATCH = 32


class SavedModelError(ValueError):
    """A file is no .keras file, or not one of a single input and output."""


def open_saved(path: Path, *, threads: int = 1) -> Callable[[NDArray[np.generic]], NDArray[np.float32]]:
    """Load a .keras file that anybody may have made; code in it (Lambda layers) is not run.

    Returns:
        A function from inputs [examples, ...] in the model's own layout to its outputs, float32 [examples, ...].

    Raises:
        SavedModelError: not a .keras file, or one of several inputs, or with layers that Keras does not know.
    """
    keras = _keras_of(path, threads)
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras passes on whatever the layers' own constructors raise.
        reason = str(error).split("\n")[0]
        raise SavedModelError(f"{path} cannot be loaded by Keras {keras.__version__}: {reason}") from error
    if len(model.inputs) != 1:
        raise SavedModelError(f"{path} takes {len(model.inputs)} inputs; save a model that takes one.")
    wanted, kind = list(model.inputs[0].shape)[1:], _dtype_name(model.inputs[0].dtype)

    def run(examples: NDArray[np.generic]) -> NDArray[np.float32]:
        fits = len(wanted) == examples.ndim - 1 and all(
            n is None or n == m for n, m in zip(wanted, examples.shape[1:], strict=True)
        )
        if not fits:
            raise SavedModelError(f"{path} takes inputs of shape {wanted}, got {list(examples.shape[1:])}.")
        given = examples.astype(kind)
        if given.dtype.kind in "iu" and not np.array_equal(given, examples):
            raise SavedModelError(
                f"{path} takes {kind}, and the inputs are no whole numbers. Pass them on as they are."
            )
        output = model.predict(given, batch_size=BATCH, verbose=0)
        if not isinstance(output, np.ndarray):
            raise SavedModelError(f"{path} gives {len(output)} outputs; save a model that gives one.")
        return output.astype(np.float32)

    return run


def _dtype_name(kind: Any) -> str:
    return str(getattr(kind, "name", kind))


def _keras_of(path: Path, threads: int) -> Any:
    """The Keras that wrote the file."""
    try:
        with zipfile.ZipFile(path) as archive:
            version = str(json.loads(archive.read("metadata.json"))["keras_version"])
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise SavedModelError(f"{path} is not a .keras file, or is damaged: {error}") from error
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    # In a process that has started TensorFlow already, its threads and devices stay as they are.
    with suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.set_visible_devices([], "GPU")
    if version.startswith("2."):
        import tf_keras

        return tf_keras
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras  # type: ignore[import-untyped]

    return keras
