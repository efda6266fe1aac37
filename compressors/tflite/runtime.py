"""TensorFlow as this adapter uses it: on the CPU, one thread, deterministic, and silent."""

from __future__ import annotations

import os
from contextlib import suppress

from ..quiet import quiet


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
