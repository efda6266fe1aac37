"""One training loop for every step that trains: after pruning, under clustering, with quantization in the loop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ...models.batches import cosine_learning_rate, epoch_batches
from ...models.optimizers import make_optimizer
from ...models.training import as_tensor
from ..protocol import Finetuning, Target
from .kernels import Constraint, kernels
from .objective import loss_of


class UntrainedError(RuntimeError):
    """Fine-tuning left some layer's weights exactly as they were."""


def finetune(
    network: nn.Module,
    target: Target,
    finetuning: Finetuning,
    *,
    learning_rate: float,
    seed: int,
    constraint: Constraint | None = None,
) -> None:
    """Train ``network`` on in place, on the target's device; it ends on the CPU, in evaluation mode.

    Args:
        network: what is trained; its optimizer is made here, from the very parameters that it runs with.
        target: training examples, normalization and augmentation; its task decides the loss.
        finetuning: epochs, batch size, optimizer, momentum and weight decay.
        learning_rate: peak of the cosine schedule.
        seed: of the order of the examples, their augmentation, and dropout.
        constraint: called after every step, so that the last step ends within it as well.

    Raises:
        UntrainedError: a layer did not move. (A known mistake elsewhere: an optimizer that holds the parameters of
            the network from before it was prepared for quantization trains nothing, and nobody notices.)
    """
    device = torch.device(target.device)
    network.to(device).train()
    before = {name: weight.detach().clone() for name, weight in kernels(network).items()}
    optimizer = make_optimizer(
        network,
        finetuning.optimizer,
        learning_rate=learning_rate,
        momentum=finetuning.momentum,
        weight_decay=finetuning.weight_decay,
    )
    loss_from = loss_of(target)
    steps, step = finetuning.epochs * _batches(len(target.images), finetuning.batch_size), 0
    with _reproducible(seed):
        for epoch in range(finetuning.epochs):
            for images, labels in epoch_batches(
                target.images,
                target.labels,
                batch_size=finetuning.batch_size,
                augmentation=target.augmentation,
                normalization=target.normalization,
                seed=seed,
                epoch=epoch,
            ):
                for group in optimizer.param_groups:
                    group["lr"] = cosine_learning_rate(learning_rate, step, steps)
                given = as_tensor(images).to(device)
                loss = loss_from(network(given), given, torch.from_numpy(labels).to(device))
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                if constraint is not None:
                    constraint(network)
                step += 1
    _require_movement(before, network)
    network.cpu().eval()


@contextmanager
def _reproducible(seed: int) -> Iterator[None]:
    """Seed PyTorch and take deterministic algorithms where there are any; put both back afterwards."""
    before, warn_only = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before, warn_only=warn_only)


def _batches(examples: int, batch_size: int) -> int:
    """Batches an epoch; one of a single example is left out."""
    full, rest = divmod(examples, batch_size)
    return (full if batch_size > 1 else 0) + (rest > 1)


def _require_movement(before: dict[str, Tensor], network: nn.Module) -> None:
    after = kernels(network)
    still = [name for name, old in before.items() if old.any() and torch.equal(old, after[name])]
    if still:
        raise UntrainedError(
            f"Fine-tuning moved nothing in {len(still)} of {len(before)} layers ({', '.join(still[:3])}). "
            "Raise the learning rate, or give batches of at least 2 examples."
        )
