"""Training a Keras model on: one loop for pruning, clustering and quantization-aware training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...models.batches import cosine_learning_rate, epoch_batches
from ..protocol import Finetuning, Target
from .objective import Loss, loss_of

if TYPE_CHECKING:
    import tf_keras


_CENTROIDS = "cluster_centroids"


class FinetuningError(RuntimeError):
    """Fine-tuning cannot run, or did not end well."""


@dataclass(frozen=True)
class Finetuner:
    """Trains a model on its own training set, for what ``objective`` says of its task.

    With the optimizer of ``finetuning``: SGD with momentum and L2 decay of every trainable weight, or AdamW with decay
    of its matrices. Zeros stay zeros, and centroids shrink together with the weights that are assigned to them. The
    last epoch is kept.

    Attributes:
        target: its examples, labels, augmentation and normalization are used.
        finetuning: epochs, batch size, optimizer, momentum, weight decay.
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
            model: images or token ids to answers.
            learning_rate: peak of the cosine schedule.

        Raises:
            FinetuningError: no batch has two examples, the loss ended up infinite or not a number, or a kernel that
                training reaches has not moved.
        """
        if not self.steps:
            raise FinetuningError(
                f"{len(self.target.images)} examples in batches of {self.finetuning.batch_size} leave no batch of "
                "2 or more, which batch normalisation needs. Raise finetuning.batch_size."
            )
        step, reached = _compile_step(model, self.finetuning, loss_of(self.target))
        before = {id(v): v.numpy() for v in model.trainable_variables if _is_kernel(v)}
        dtype = model.inputs[0].dtype.as_numpy_dtype
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
                loss = step(images.astype(dtype, copy=False), labels, rate)
                done += 1
        if not np.isfinite(loss):
            raise FinetuningError(
                f"Fine-tuning diverged: the loss is {loss} after {done} steps. Lower the learning rate "
                f"({learning_rate:g})."
            )
        kernels = [v for v in reached if _is_kernel(v) and before[id(v)].any()]
        if still := [v.name for v in kernels if np.array_equal(before[id(v)], v.numpy())]:
            raise FinetuningError(
                f"Fine-tuning moved nothing in {len(still)} of {len(kernels)} layers ({', '.join(still[:3])}). "
                "Raise the learning rate, or give batches of at least 2 examples."
            )


def _is_kernel(variable: Any) -> bool:
    return variable.shape.rank > 1 or _CENTROIDS in variable.name


def _compile_step(model: tf_keras.Model, finetuning: Finetuning, loss_from: Loss) -> tuple[Any, list[Any]]:
    """One step, traced once for any batch size, and what it trains, known once it has run.

    Returns:
        (inputs, labels, learning rate) to mean loss; and the variables that a gradient reaches.
    """
    import tensorflow as tf

    variables = list({id(v): v for v in model.trainable_variables}.values())
    update = {"sgd": _sgd, "adamw": _adamw}[finetuning.optimizer](variables, finetuning)
    reached: list[Any] = []
    signature = [
        tf.TensorSpec(model.inputs[0].shape, model.inputs[0].dtype),
        tf.TensorSpec((None,), tf.int64),
        tf.TensorSpec((), tf.float32),
    ]

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def step(inputs: Any, labels: Any, learning_rate: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_from(model(inputs, training=True), inputs, labels)
        gradients = tape.gradient(loss, variables)
        # Cluster-preserving training keeps the kernel as an output: no gradient reaches it, and none may.
        pairs = [(g, v) for g, v in zip(gradients, variables, strict=True) if g is not None]
        reached[:] = [v for _, v in pairs]
        update(pairs, learning_rate)
        return loss

    return step, reached


Update = Callable[[list[tuple[Any, Any]], Any], None]


def _sgd(variables: list[Any], finetuning: Finetuning) -> Update:
    """SGD with momentum; decay is added to the gradient, as PyTorch does."""
    import tensorflow as tf

    momenta = {id(v): tf.Variable(tf.zeros_like(v), trainable=False) for v in variables}

    def update(pairs: list[tuple[Any, Any]], learning_rate: Any) -> None:
        for gradient, variable in pairs:
            momentum = momenta[id(variable)]
            decayed = tf.convert_to_tensor(gradient) + finetuning.weight_decay * variable
            momentum.assign(finetuning.momentum * momentum + decayed)
            variable.assign_sub(learning_rate * momentum)

    return update


def _adamw(variables: list[Any], finetuning: Finetuning) -> Update:
    """AdamW (Loshchilov and Hutter 2019), its decay on matrices and embeddings, and on centroids in their stead.

    Keras's own adds epsilon elsewhere, and so takes other steps than PyTorch where gradients are small.
    """
    import tensorflow as tf

    beta1, beta2, epsilon = 0.9, 0.999, 1e-8
    slots = {id(v): [tf.Variable(tf.zeros_like(v), trainable=False) for _ in range(2)] for v in variables}
    count = tf.Variable(0.0, trainable=False)

    def update(pairs: list[tuple[Any, Any]], learning_rate: Any) -> None:
        done = count.assign_add(1.0)
        for gradient, variable in pairs:
            mean, square = slots[id(variable)]
            dense = tf.convert_to_tensor(gradient)
            mean.assign(beta1 * mean + (1 - beta1) * dense)
            square.assign(beta2 * square + (1 - beta2) * dense * dense)
            if variable.shape.rank > 1 or _CENTROIDS in variable.name:
                variable.assign_sub(learning_rate * finetuning.weight_decay * variable)
            scale = tf.sqrt(square / (1 - beta2**done)) + epsilon
            variable.assign_sub(learning_rate * mean / (1 - beta1**done) / scale)

    return update
