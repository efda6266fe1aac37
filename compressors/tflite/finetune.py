"""Training a Keras model on: one loop for pruning, clustering and quantization-aware training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...models.batches import cosine_learning_rate, epoch_batches
from ..protocol import Finetuning, Target

if TYPE_CHECKING:
    import tf_keras


class FinetuningError(RuntimeError):
    """Fine-tuning cannot run, or did not end well."""


@dataclass(frozen=True)
class Finetuner:
    """Trains a model on its own training set.

    SGD with momentum, and L2 decay of every trainable weight, as the original was trained: zeros stay zeros, and
    centroids shrink together with the weights that are assigned to them. The last epoch is kept.

    Attributes:
        target: its images, labels, augmentation and normalization are used.
        finetuning: epochs, batch size, momentum, weight decay.
        seed: of the order of the examples and of their augmentation.
    """

    target: Target
    finetuning: Finetuning
    seed: int

    @property
    def steps(self) -> int:
        """Batches in one run. A last batch of a single example is left out, as ``epoch_batches`` does."""
        size = self.finetuning.batch_size
        full, rest = divmod(len(self.target.images), size)
        return self.finetuning.epochs * ((full if size > 1 else 0) + (rest > 1))

    def run(self, model: tf_keras.Model, *, learning_rate: float) -> None:
        """Train ``model`` in place; batch normalisation and dropout are in training mode.

        Args:
            model: float32 [batch, height, width, channels] to logits.
            learning_rate: peak of the cosine schedule.

        Raises:
            FinetuningError: no batch has two examples, or the loss ended up infinite or not a number.
        """
        if not self.steps:
            raise FinetuningError(
                f"{len(self.target.images)} examples in batches of {self.finetuning.batch_size} leave no batch of "
                "2 or more, which batch normalisation needs. Raise finetuning.batch_size."
            )
        step = _compile_step(model, self.target.images.shape[1:], self.finetuning)
        done, loss = 0, np.float32(0)
        for epoch in range(self.finetuning.epochs):
            for images, labels in epoch_batches(
                self.target.images,
                self.target.labels,
                batch_size=self.finetuning.batch_size,
                augmentation=self.target.augmentation,
                normalization=self.target.normalization,
                seed=self.seed,
                epoch=epoch,
            ):
                rate = np.float32(cosine_learning_rate(learning_rate, done, self.steps))
                loss = step(images, labels, rate)
                done += 1
        if not np.isfinite(loss):
            raise FinetuningError(
                f"Fine-tuning diverged: the loss is {loss} after {done} steps. Lower the learning rate "
                f"({learning_rate:g})."
            )


def _compile_step(model: tf_keras.Model, image: tuple[int, ...], finetuning: Finetuning) -> Any:
    """One step of SGD, traced once for any batch size: (images, labels, learning rate) to mean loss."""
    import tensorflow as tf

    variables = list({id(v): v for v in model.trainable_variables}.values())
    momenta = [tf.Variable(tf.zeros_like(v), trainable=False) for v in variables]
    signature = [
        tf.TensorSpec((None, *image), tf.float32),
        tf.TensorSpec((None,), tf.int64),
        tf.TensorSpec((), tf.float32),
    ]

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def step(images: Any, labels: Any, learning_rate: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        gradients = tape.gradient(loss, variables)
        for variable, momentum, gradient in zip(variables, momenta, gradients, strict=True):
            # Cluster-preserving training keeps the kernel as an output: no gradient reaches it, and none may.
            if gradient is not None:
                decayed = tf.convert_to_tensor(gradient) + finetuning.weight_decay * variable
                momentum.assign(finetuning.momentum * momentum + decayed)
                variable.assign_sub(learning_rate * momentum)
        return loss

    return step
