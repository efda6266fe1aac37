"""What an encoder has besides layers with weights: positions in the image, and the shape of its answer.

As in ``attention``, these layers have no weights and can be cloned, and importing this module imports TensorFlow.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras

from ..networks.encoders import sine_positions


class MapAndMean(tf_keras.layers.Layer):  # type: ignore[misc]
    """A feature map's mean, then the map itself, row by row: [batch, 1 + height x width, channels]."""

    def call(self, x: Any) -> Any:
        """From [batch, height, width, channels]."""
        _, height, width, channels = x.shape
        positions = tf.reshape(x, (-1, height * width, channels))
        return tf.concat([tf.reduce_mean(positions, axis=1, keepdims=True), positions], axis=1)


class Tokens(tf_keras.layers.Layer):  # type: ignore[misc]
    """A CLS token of zeros before the patches, plus the positions of all, as rows [batch x (1 + patches), width]."""

    def call(self, patches: Any) -> Any:
        """From [batch, rows, columns, width]."""
        _, rows, columns, width = patches.shape
        tokens = tf.pad(tf.reshape(patches, (-1, rows * columns, width)), [[0, 0], [1, 0], [0, 0]])
        positions = tf.pad(sine_positions(rows, columns, width).numpy(), [[0, 0], [1, 0], [0, 0]])
        return tf.reshape(tokens + positions, (-1, width))
