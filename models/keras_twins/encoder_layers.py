"""What an encoder has besides layers with weights: positions in the image, and the shape of its answer.

As in ``attention``, these layers have no weights and can be cloned, and importing this module imports TensorFlow.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras

from ..networks.encoders import sine_positions


class MapAndMean(tf_keras.layers.Layer):  # type: ignore[misc]
    """A feature map's mean, then the map itself, row by row: [batch, 1 + height x width, channels].

    Neither averaged nor concatenated, but summed, scaled and added: TF-Lite gives what is averaged or concatenated one
    scale with what it is made of, and the mean's range is so much smaller that it would keep few of the 256 steps.
    """

    def call(self, x: Any) -> Any:
        """From [batch, height, width, channels]."""
        _, height, width, channels = x.shape
        positions = height * width
        rows = tf.reshape(x, (-1, positions, channels))
        first = tf.one_hot([[0]], 1 + positions, on_value=1 / positions, axis=1)
        return tf.pad(rows, [[0, 0], [1, 0], [0, 0]]) + tf.reduce_sum(rows, axis=1, keepdims=True) * first


class Tokens(tf_keras.layers.Layer):  # type: ignore[misc]
    """A CLS token of zeros before the patches, plus the positions of all, as rows [batch x (1 + patches), width]."""

    def call(self, patches: Any) -> Any:
        """From [batch, rows, columns, width]."""
        _, rows, columns, width = patches.shape
        tokens = tf.pad(tf.reshape(patches, (-1, rows * columns, width)), [[0, 0], [1, 0], [0, 0]])
        positions = tf.pad(sine_positions(rows, columns, width).numpy(), [[0, 0], [1, 0], [0, 0]])
        return tf.reshape(tokens + positions, (-1, width))
