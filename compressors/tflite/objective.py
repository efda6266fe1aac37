"""What a compressed model is trained on for, in TensorFlow: the same as in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...models.keras_twins import twin_of
from ...models.likelihood import PADDING
from ...models.networks import EncoderSpec, task_of
from ..protocol import Target

Loss = Callable[[Any, Any, Any], Any]
"""From a model's answers, the inputs that it was given, and labels, to what is to become small."""


def loss_of(target: Target) -> Loss:
    """The loss by the target's task; an encoder learns to answer as its original does (see PyTorch Mobile's)."""
    if isinstance(target.network, EncoderSpec):
        return distillation(target)
    return {"classification": classification, "language-model": next_token}[task_of(target.network.name)]


def classification(logits: Any, inputs: Any, labels: Any) -> Any:
    """Mean cross-entropy of the classes: logits [batch, classes], labels [batch]."""
    import tensorflow as tf

    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def next_token(logits: Any, ids: Any, labels: Any) -> Any:
    """Mean cross-entropy of tokens given those before: ``models.objectives.next_token``, whose docstring says more.

    Args:
        logits: [batch, length, vocabulary].
        ids: [batch, length].
        labels: not looked at.
    """
    import tensorflow as tf

    target = ids[:, 1:]
    real = target != PADDING
    predicted = tf.boolean_mask(logits[:, :-1, PADDING + 1 :], real)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.boolean_mask(target, real) - PADDING - 1, predicted)
    return tf.reduce_sum(losses) / tf.maximum(tf.reduce_sum(tf.cast(real, tf.float32)), 1)


def distillation(target: Target) -> Loss:
    """Mean squared error of answers against the original's, in units of the original's variance in the batch."""
    import tensorflow as tf

    original = twin_of(target.network, target.checkpoint)

    def loss(answers: Any, inputs: Any, labels: Any) -> Any:
        wanted = original(inputs, training=False)
        error = tf.reduce_mean(tf.math.squared_difference(answers, wanted))
        return error / tf.maximum(tf.math.reduce_variance(wanted), 1e-12)

    return loss
