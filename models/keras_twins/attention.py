"""What a transformer has besides layers with weights: attention, its masks, GELU, positions and pooling.

Everything with weights is an ordinary Embedding, Dense or LayerNormalization, which tfmot and the converter know;
the layers here have none. They can be cloned (``get_config``), as tfmot does. Importing this module imports
TensorFlow: it is imported only where a twin is built.

States are rows, [batch x length, width]. A dense layer over rows becomes one operator of the file, its bias within;
over [batch, length, width] it becomes ten, among them an addition of the bias that int8 would round once more.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras

MASKED = -100.0
"""Added to the score of a position that must not be attended to.

exp(-100) is nothing beside 1 in float32, and a larger number would cost the int8 file its resolution: scores of
either sign and this one share 256 steps.
"""


class Positions(tf_keras.layers.Layer):  # type: ignore[misc]
    """0, 1, 2 ... along a text, int32 [1, length]: a constant, the same for every text."""

    def call(self, ids: Any) -> Any:
        """From int32 [batch, length]."""
        return tf.range(ids.shape[1])[None]


class Zeros(tf_keras.layers.Layer):  # type: ignore[misc]
    """The token type of every position: 0, int32 [1, length]."""

    def call(self, ids: Any) -> Any:
        """From int32 [batch, length]."""
        return tf.zeros((1, ids.shape[1]), tf.int32)


class PaddingBias(tf_keras.layers.Layer):  # type: ignore[misc]
    """``MASKED`` where the id is 0, else 0: float32 [batch, 1, 1, length], to add to scores."""

    def call(self, ids: Any) -> Any:
        """From int32 [batch, length]."""
        return tf.where(ids == 0, MASKED, 0.0)[:, None, None, :]


class CausalBias(tf_keras.layers.Layer):  # type: ignore[misc]
    """``MASKED`` where a position would see a later one: float32 [1, 1, length, length].

    It takes care of padding too: padding comes last, and no state but that of the last real token is used.
    """

    def call(self, ids: Any) -> Any:
        """From int32 [batch, length]."""
        length = ids.shape[1]
        return MASKED * (1 - tf.linalg.band_part(tf.ones((1, 1, length, length)), -1, 0))


class CausalPaddingBias(tf_keras.layers.Layer):  # type: ignore[misc]
    """``MASKED`` where a position would see a later one or padding: float32 [batch, 1, length, length].

    For a language model, whose every position answers: those of padding then do so as the original's.
    """

    def call(self, ids: Any) -> Any:
        """From int32 [batch, length]."""
        length = ids.shape[1]
        causal = MASKED * (1 - tf.linalg.band_part(tf.ones((1, 1, length, length)), -1, 0))
        return tf.minimum(causal, tf.where(ids == 0, MASKED, 0.0)[:, None, None, :])


class Line(tf_keras.layers.Layer):  # type: ignore[misc]
    """All ids of the batch in one line, int32 [batch x length]: what TF-Lite's operator for embeddings takes."""

    def call(self, ids: Any) -> Any:
        """From int32 [batch, length]."""
        return tf.reshape(ids, (-1,))


class Placed(tf_keras.layers.Layer):  # type: ignore[misc]
    """Embedded tokens plus what their places add, as rows [batch x length, width]."""

    def call(self, inputs: Any) -> Any:
        """From rows of embedded tokens, and the places [1, length, width]."""
        words, places = inputs
        return tf.reshape(tf.reshape(words, (-1, *places.shape[1:])) + places, (-1, words.shape[-1]))


class Scores(tf_keras.layers.Layer):  # type: ignore[misc]
    """Scaled dot products of queries and keys, with a bias if there is one: [batch, heads, length, length].

    Attributes:
        heads: attention heads; each takes an equal part of the width.
        length: tokens of an example.
    """

    def __init__(self, heads: int, length: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.heads, self.length = heads, length

    def get_config(self) -> dict[str, Any]:
        """What a clone needs."""
        return {**super().get_config(), "heads": self.heads, "length": self.length}

    def call(self, inputs: Any) -> Any:
        """From rows of queries and of keys, and perhaps a bias, which tells what not to attend to."""
        queries, keys, *bias = inputs
        scale = (queries.shape[-1] / self.heads) ** -0.5
        queries, keys = (_split(x, self.length, self.heads) for x in (queries, keys))
        return sum(bias, start=tf.matmul(queries, keys, transpose_b=True) * scale)


class Mix(tf_keras.layers.Layer):  # type: ignore[misc]
    """Values weighted by attention, heads side by side again: rows [batch x length, width]."""

    def call(self, inputs: Any) -> Any:
        """From probabilities [batch, heads, length, length] and rows of values."""
        probabilities, values = inputs
        _, heads, _, length = probabilities.shape
        mixed = tf.matmul(probabilities, _split(values, length, heads))
        return tf.reshape(tf.transpose(mixed, (0, 2, 1, 3)), (-1, values.shape[-1]))


class Third(tf_keras.layers.Layer):  # type: ignore[misc]
    """One of the three parts of the last axis: GPT-2 computes queries, keys and values in one dense layer.

    Attributes:
        part: 0, 1 or 2.
    """

    def __init__(self, part: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.part = part

    def get_config(self) -> dict[str, Any]:
        """What a clone needs."""
        return {**super().get_config(), "part": self.part}

    def call(self, packed: Any) -> Any:
        """From [..., 3 width]."""
        width = packed.shape[-1] // 3
        return packed[..., self.part * width : (self.part + 1) * width]


class Gelu(tf_keras.layers.Layer):  # type: ignore[misc]
    """GELU (Hendrycks & Gimpel 2016), exact as in BERT, or its tanh approximation as in GPT-2.

    Attributes:
        approximate: whether it is the approximation.
    """

    def __init__(self, approximate: bool, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.approximate = approximate

    def get_config(self) -> dict[str, Any]:
        """What a clone needs."""
        return {**super().get_config(), "approximate": self.approximate}

    def call(self, x: Any) -> Any:
        """Elementwise."""
        return tf.nn.gelu(x, approximate=self.approximate)


class ByExample(tf_keras.layers.Layer):  # type: ignore[misc]
    """Rows taken apart again, one answer for each token: [batch, length, width].

    Attributes:
        length: tokens of an example.
    """

    def __init__(self, length: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.length = length

    def get_config(self) -> dict[str, Any]:
        """What a clone needs."""
        return {**super().get_config(), "length": self.length}

    def call(self, rows: Any) -> Any:
        """From rows [batch x length, width]."""
        return tf.reshape(rows, (-1, self.length, rows.shape[-1]))


class First(tf_keras.layers.Layer):  # type: ignore[misc]
    """The state of the first token, [batch, width]: BERT's pooling."""

    def call(self, inputs: Any) -> Any:
        """From rows of states, and int32 ids [batch, length]."""
        states, ids = inputs
        return tf.reshape(states, (-1, ids.shape[1], states.shape[1]))[:, 0]


class Last(tf_keras.layers.Layer):  # type: ignore[misc]
    """The state of the last token that is not padding, [batch, width]: GPT-2's pooling.

    Gathered, rather than multiplied by a mask and added up: zeros times int8 states would blur the one that counts.
    """

    def call(self, inputs: Any) -> Any:
        """From rows of states, and int32 ids [batch, length]."""
        states, ids = inputs
        last = tf.reduce_sum(tf.cast(ids != 0, tf.int32), axis=1) - 1
        texts = tf.reshape(states, (-1, ids.shape[1], states.shape[1]))
        return tf.gather(texts, tf.maximum(last, 0), batch_dims=1)


def activation(function: str, **keywords: Any) -> Any:
    """The layer for an activation that the transformers library calls ``function``.

    Raises:
        ValueError: it has no Keras form here.
    """
    known = {"gelu": False, "gelu_new": True, "gelu_pytorch_tanh": True}
    if function not in known:
        raise ValueError(f"No Keras form of the activation {function!r}. There are {', '.join(known)}; add it here.")
    return Gelu(known[function], **keywords)


def _split(rows: Any, length: int, heads: int) -> Any:
    """[batch x length, width] to [batch, heads, length, width / heads]."""
    return tf.transpose(tf.reshape(rows, (-1, length, heads, rows.shape[-1] // heads)), (0, 2, 1, 3))
