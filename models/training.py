"""Training a network from a seed, and reading its logits.

The last epoch is kept. Choosing an epoch by its accuracy on held-out examples would give those examples a say in
the model, and they are the non-members that the attacks are judged on; the dev examples' accuracy is reported, and
decides nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .batches import cosine_learning_rate, epoch_batches
from .inputs import Transform
from .likelihood import PADDING
from .networks import EncoderSpec, Spec, TextSpec, build, task_of
from .objectives import objective_of
from .optimizers import make_optimizer
from .pretrained import initialise
from .recipe import TrainingRecipe

Inputs = NDArray[np.generic]
Labels = NDArray[np.int64]


class DivergedError(RuntimeError):
    """The loss stopped being a number."""


@dataclass(frozen=True)
class Epoch:
    """One pass over the training set, as seen while training (augmented, dropout on, weights moving).

    Attributes:
        loss: mean cross-entropy, in nats; of a language model, a token's.
        accuracy: fraction of examples classified rightly; of a language model, of tokens foretold rightly.
    """

    loss: float
    accuracy: float


@dataclass(frozen=True)
class TrainedModel:
    """What training leaves.

    Attributes:
        module: the network after the last epoch, on the CPU, in evaluation mode.
        history: every epoch, in order.
        dev_accuracy: accuracy of ``module`` on the dev examples, as in ``Epoch``; None where there were none.
    """

    module: nn.Module
    history: tuple[Epoch, ...]
    dev_accuracy: float | None


def train(
    spec: Spec,
    recipe: TrainingRecipe,
    inputs: Inputs,
    labels: Labels,
    normalization: Transform,
    *,
    dev: tuple[Inputs, Labels] | None = None,
    start: Path | None = None,
    seed: int,
    device: str = "cpu",
    on_epoch: Callable[[int, int, float], None] | None = None,
) -> TrainedModel:
    """Train the network of ``spec``: an image network from scratch, a text network from ``spec.weights``.

    A classifier learns its labels. A language model learns each token of a text from those before it.

    On one machine, the same arguments and number of threads give the same weights, byte for byte. The caller's
    random state is left as it was.

    Args:
        spec: what to build.
        recipe: how to train it.
        inputs: training examples: uint8 [examples, height, width, channels], or token ids [examples, length].
        labels: int64 [examples]; a language model does not look at them.
        normalization: of all inputs.
        dev: inputs and labels that are only reported on.
        start: a file of ``pretraining`` that a text network starts from, in the place of ``spec.weights``.
        seed: of the first weights, the order, the augmentation and dropout.
        device: where to train.
        on_epoch: called after each epoch with the epochs done, all epochs, and the epoch's mean loss.

    Raises:
        ValueError: inputs or labels that do not fit ``spec``, or a start for a network that takes none.
        DataError: the weights to start from cannot be had, or are of another shape.
        DivergedError: the loss became infinite or not a number.
    """
    _check(spec, inputs, labels)
    objective = objective_of(task_of(spec.name))
    if start is not None and not isinstance(spec, TextSpec):
        raise ValueError(f"{spec.name} starts from random weights; only text networks start from a file.")
    history: list[Epoch] = []
    with reproducible(seed, device):
        # Built on the CPU, so that every device starts from the same weights.
        network = build(spec)
        if isinstance(spec, TextSpec):
            initialise(network, spec, start)
        network = network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        optimizer = make_optimizer(
            network,
            recipe.optimizer,
            learning_rate=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
        )
        full, left = divmod(len(inputs), recipe.batch_size)
        steps, step = recipe.epochs * (full + (left > 1)), 0
        for epoch in range(recipe.epochs):
            totals = torch.zeros(3, dtype=torch.float64, device=device)
            for batch, truth in epoch_batches(
                inputs,
                labels,
                batch_size=recipe.batch_size,
                augmentation=recipe.augmentation,
                normalization=normalization,
                seed=seed,
                epoch=epoch,
            ):
                for group in optimizer.param_groups:
                    group["lr"] = cosine_learning_rate(recipe.learning_rate, step, steps)
                target = torch.from_numpy(truth).to(device, non_blocking=True)
                given = as_tensor(batch, device)
                outcome = objective(network(given), given, target)
                optimizer.zero_grad()
                outcome.loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                step += 1
                # Summed on the device: reading a number back would make it wait at every step.
                totals += torch.stack([outcome.loss.detach() * outcome.counted, outcome.right, outcome.counted])
            loss_sum, correct, counted = totals.tolist()
            seen = max(counted, 1)
            if not np.isfinite(loss_sum):
                raise DivergedError(
                    f"Training {spec.name} diverged in epoch {epoch + 1} of {recipe.epochs}: the loss is "
                    f"{loss_sum / seen}. Lower the learning rate ({recipe.learning_rate:g})."
                )
            history.append(Epoch(loss=loss_sum / seen, accuracy=correct / seen))
            if on_epoch is not None:
                on_epoch(epoch + 1, recipe.epochs, loss_sum / seen)
        network.eval()
        dev_accuracy = None
        if dev is not None and len(dev[0]):
            dev_accuracy = accuracy(network, spec, dev[0], dev[1], normalization)
    module = network.to("cpu", memory_format=torch.contiguous_format)
    return TrainedModel(module=module, history=tuple(history), dev_accuracy=dev_accuracy)


def accuracy(
    module: nn.Module, spec: Spec, inputs: Inputs, labels: Labels, normalization: Transform, *, batch_size: int = 256
) -> float:
    """Fraction of examples classified rightly, or of tokens foretold rightly; 0 where there is none to foretell.

    Raises:
        ValueError: as ``predict_logits``.
    """
    if task_of(spec.name) == "classification":
        predicted = predict_logits(module, inputs, normalization, batch_size=batch_size).argmax(axis=1)
        return float(np.mean(predicted == labels))
    right = counted = 0
    # Few at a time: a language model's logits are a vocabulary for every token.
    batch_size = min(batch_size, 32)
    for start in range(0, len(inputs), batch_size):
        ids = normalization(inputs[start : start + batch_size])
        logits = predict_logits(module, ids, normalization, batch_size=batch_size)[:, :-1, 1:]
        real = ids[:, 1:] != PADDING
        right += int((logits.argmax(axis=2) + 1 == ids[:, 1:])[real].sum())
        counted += int(real.sum())
    return right / max(counted, 1)


def predict_logits(
    module: nn.Module, inputs: Inputs, normalization: Transform, *, batch_size: int = 256
) -> NDArray[np.float32]:
    """Answers to un-augmented examples, float32 [examples, *spec.outputs], computed where ``module`` is.

    Members and non-members go through this one function, and it changes nothing in the network.

    Args:
        module: a network in evaluation mode.
        inputs: uint8 [examples, height, width, channels], or token ids [examples, length].
        normalization: the one it was trained with.
        batch_size: examples a forward pass.

    Raises:
        ValueError: a layer is in training mode, or there are no inputs.
        RuntimeError: a buffer (a batch-normalisation statistic, say) changed while predicting.
    """
    if training := [name or type(m).__name__ for name, m in module.named_modules() if m.training]:
        raise ValueError(
            f"predict_logits needs a network in evaluation mode, but {training[0]} is training: its output would "
            "depend on the other examples of the batch. Call module.eval() first."
        )
    if not len(inputs):
        raise ValueError("predict_logits was given no examples.")
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    logits = [forward(module, inputs[i : i + batch_size], normalization) for i in range(0, len(inputs), batch_size)]
    for name, buffer in module.named_buffers():
        if not torch.equal(buffer, before[name]):
            raise RuntimeError(f"Predicting changed {name}: the queries would leak into the network.")
    return np.concatenate(logits)


def forward(module: nn.Module, inputs: Inputs, normalization: Transform) -> NDArray[np.float32]:
    """One batch through a network in evaluation mode, unchecked: float32 [examples, *spec.outputs]."""
    device = next(module.parameters()).device
    with torch.inference_mode():
        logits: NDArray[np.float32] = module(as_tensor(normalization(inputs), device)).cpu().numpy()
    return logits


def as_tensor(batch: NDArray[np.float32] | NDArray[np.int64], device: torch.device | str = "cpu") -> Tensor:
    """What a network takes of a transformed batch, over the same memory.

    Images [batch, height, width, channels] become [batch, channels, height, width], channels last in memory, which
    convolutions are fastest on. Token ids [batch, length] stay as they are.
    """
    tensor = torch.from_numpy(batch)
    return (tensor.permute(0, 3, 1, 2) if tensor.ndim == 4 else tensor).to(device, non_blocking=True)


def _check(spec: Spec, inputs: Inputs, labels: Labels) -> None:
    if isinstance(spec, EncoderSpec):
        raise ValueError(f"{spec.name} is an encoder, which models.encoders trains.")
    if len(inputs) != len(labels) or len(inputs) < 2:
        raise ValueError(f"Expected two or more examples, each with a label; got {len(inputs)} and {len(labels)}.")
    shape, kind = ((spec.length,), "texts of length") if isinstance(spec, TextSpec) else (spec.image, "images")
    if inputs.shape[1:] != shape:
        raise ValueError(f"{spec.name} was specified for {kind} {shape}, got {inputs.shape[1:]}.")
    if task_of(spec.name) != "classification":
        return
    if labels.min() < 0 or labels.max() >= spec.classes:
        raise ValueError(
            f"Labels must be 0 to {spec.classes - 1} ({spec.classes} classes), got {labels.min()} to {labels.max()}."
        )


@contextmanager
def reproducible(seed: int, device: str) -> Iterator[None]:
    """Seed PyTorch and allow deterministic algorithms only; put both back afterwards."""
    cuda = device.startswith("cuda")
    if cuda:  # cuBLAS is deterministic only with a workspace of fixed size.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[torch.device(device)] if cuda else []):
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before)
