"""TensorFlow as this adapter uses it: on the CPU, one thread, deterministic, and silent."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what native code writes to stdout and stderr off the terminal; attach its end to an exception.

    The converter and the interpreter write to the file descriptors, where neither ``logging`` nor
    ``redirect_stderr`` reaches them.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
        try:
            yield
        except Exception as error:
            sink.seek(0)
            error.add_note(sink.read()[-4000:].decode(errors="replace"))
            raise
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for descriptor, original in zip((1, 2), saved, strict=True):
                os.dup2(original, descriptor)
                os.close(original)


def prepare(seed: int) -> None:
    """Import TensorFlow and leave it as a fresh process would find it, so that a compression depends on its inputs.

    Layer names count up through the life of a process, and they end up in the artifact: Keras starts afresh here.
    One thread, since the order in which several of them add up would change the weights. Another user of TensorFlow
    in this process who has already started it keeps their threads and devices.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet():
        import tensorflow as tf
        import tensorflow_model_optimization  # noqa: F401
        import tf_keras
    tf.get_logger().setLevel("ERROR")
    with suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.set_visible_devices([], "GPU")
    tf.config.experimental.enable_op_determinism()
    tf_keras.backend.clear_session()
    tf.random.set_seed(seed)
