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

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from .batches import cosine_learning_rate, epoch_batches
from .inputs import Transform
from .networks import Spec, TextSpec, build
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
        loss: mean cross-entropy, in nats.
        accuracy: fraction of examples classified rightly.
    """

    loss: float
    accuracy: float


@dataclass(frozen=True)
class TrainedModel:
    """What training leaves.

    Attributes:
        module: the network after the last epoch, on the CPU, in evaluation mode.
        history: every epoch, in order.
        dev_accuracy: accuracy of ``module`` on the dev examples; None where there were none.
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
    seed: int,
    device: str = "cpu",
    on_epoch: Callable[[int, int, float], None] | None = None,
) -> TrainedModel:
    """Train the network of ``spec``: an image network from scratch, a text network from ``spec.weights``.

    On one machine, the same arguments and number of threads give the same weights, byte for byte. The caller's
    random state is left as it was.

    Args:
        spec: what to build.
        recipe: how to train it.
        inputs: training examples: uint8 [examples, height, width, channels], or token ids [examples, length].
        labels: int64 [examples].
        normalization: of all inputs.
        dev: inputs and labels that are only reported on.
        seed: of the first weights, the order, the augmentation and dropout.
        device: where to train.
        on_epoch: called after each epoch with the epochs done, all epochs, and the epoch's mean loss.

    Raises:
        ValueError: inputs or labels that do not fit ``spec``.
        DivergedError: the loss became infinite or not a number.
    """
    _check(spec, inputs, labels)
    history: list[Epoch] = []
    with _reproducible(seed, device):
        # Built on the CPU, so that every device starts from the same weights.
        network = build(spec)
        if isinstance(spec, TextSpec):
            initialise(network, spec)
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
            totals, seen = torch.zeros(2, dtype=torch.float64, device=device), 0
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
                logits = network(as_tensor(batch, device))
                loss = F.cross_entropy(logits, target)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                step += 1
                # Summed on the device: reading a number back would make it wait at every step.
                right = (logits.detach().argmax(1) == target).sum()
                totals += torch.stack([loss.detach() * len(truth), right])
                seen += len(truth)
            loss_sum, correct = totals.tolist()
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
            predicted = predict_logits(network, dev[0], normalization).argmax(axis=1)
            dev_accuracy = float(np.mean(predicted == dev[1]))
    module = network.to("cpu", memory_format=torch.contiguous_format)
    return TrainedModel(module=module, history=tuple(history), dev_accuracy=dev_accuracy)


def predict_logits(
    module: nn.Module, inputs: Inputs, normalization: Transform, *, batch_size: int = 256
) -> NDArray[np.float32]:
    """Logits of un-augmented examples, float32 [examples, classes], computed where ``module`` is.

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
    """One batch through a network in evaluation mode, unchecked: float32 [examples, classes]."""
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
    if len(inputs) != len(labels) or len(inputs) < 2:
        raise ValueError(f"Expected two or more examples, each with a label; got {len(inputs)} and {len(labels)}.")
    shape, kind = ((spec.length,), "texts of length") if isinstance(spec, TextSpec) else (spec.image, "images")
    if inputs.shape[1:] != shape:
        raise ValueError(f"{spec.name} was specified for {kind} {shape}, got {inputs.shape[1:]}.")
    if labels.min() < 0 or labels.max() >= spec.classes:
        raise ValueError(
            f"Labels must be 0 to {spec.classes - 1} ({spec.classes} classes), got {labels.min()} to {labels.max()}."
        )


@contextmanager
def _reproducible(seed: int, device: str) -> Iterator[None]:
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
