"""The trainer of encoders: views in, an encoder out, by any of the methods."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..batches import cosine_learning_rate
from ..inputs import Transform
from ..networks import EncoderSpec, build
from ..optimizers import make_optimizer
from ..training import DivergedError, as_tensor, reproducible
from .augment import NUMBERS, draw, render
from .method import build_method
from .private import private_training
from .recipe import EncoderRecipe

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class TrainedEncoder:
    """What training leaves.

    Attributes:
        module: the encoder after the last epoch, on the CPU, in evaluation mode; its method's heads are gone. It is the
            one that gradients trained: the query encoder, the online network, the student.
        history: mean loss of every epoch, in order.
        checkpoints: the same encoder after the recipe's ``checkpoints``, by epoch.
        epsilon: spent by private training at the recipe's delta; None where there was none.
    """

    module: nn.Module
    history: tuple[float, ...]
    checkpoints: dict[int, nn.Module] = field(default_factory=dict)
    epsilon: float | None = None


def train_encoder(
    spec: EncoderSpec,
    recipe: EncoderRecipe,
    images: Images,
    normalization: Transform,
    *,
    seed: int,
    device: str = "cpu",
    on_epoch: Callable[[int, int, float], None] | None = None,
) -> TrainedEncoder:
    """Train an encoder from random weights; no label plays a part.

    On one machine, the same arguments and number of threads give the same weights, byte for byte. The caller's
    random state is left as it was.

    Args:
        spec: what to build.
        recipe: how to train it.
        images: uint8 [examples, height, width, channels].
        normalization: of all images, after their augmentation.
        seed: of the first weights, the order, the views, and what a method itself draws.
        device: where to train.
        on_epoch: called after each epoch with the epochs done, all epochs, and the epoch's mean loss.

    Raises:
        ValueError: images, method and encoder do not fit together.
        DivergedError: the loss became infinite or not a number.
    """
    _check(spec, recipe, images)
    history: list[float] = []
    checkpoints: dict[int, nn.Module] = {}
    with reproducible(seed, device), warnings.catch_warnings():
        # opacus hooks layers whose inputs, images, need no gradient.
        warnings.filterwarnings("ignore", message="Full backward hook is firing")
        # Built on the CPU, so that every device starts from the same weights.
        method = build_method(build(spec), spec, recipe).to(device, memory_format=torch.channels_last).train()
        optimizer = make_optimizer(
            method,
            recipe.optimizer,
            learning_rate=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
        )
        batch_size = min(recipe.batch_size, len(images))
        per_epoch = len(images) // batch_size
        private = private_training(method, optimizer, recipe, examples=len(images), batch_size=batch_size)
        optimizer = optimizer if private is None else private.optimizer
        step, steps = 0, recipe.epochs * per_epoch
        for epoch in range(recipe.last_epoch):
            total = torch.zeros((), dtype=torch.float64, device=device)
            for chosen, u in _draws(
                len(images), per_epoch, batch_size, method.views, seed=seed, epoch=epoch, poisson=private is not None
            ):
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(recipe, step, steps)
                views = [as_tensor(normalization(render(images[chosen], draw(v, recipe))), device) for v in u]
                optimizer.zero_grad()
                loss = method.losses(*views).mean()
                loss.backward()
                if recipe.clip_norm is not None:
                    nn.utils.clip_grad_norm_(method.parameters(), recipe.clip_norm)
                optimizer.step()
                step += 1
                method.after_step(step / steps)
                total += loss.detach()
            mean = total.item() / per_epoch
            if not np.isfinite(mean):
                raise DivergedError(
                    f"Training {spec.name} by {recipe.method} diverged in epoch {epoch + 1} of {recipe.epochs}: the "
                    f"loss is {mean}. Lower the learning rate ({recipe.learning_rate:g})."
                )
            history.append(mean)
            if epoch + 1 in recipe.checkpoints:
                checkpoints[epoch + 1] = _finished(method.encoder)
            if on_epoch is not None:
                on_epoch(epoch + 1, recipe.last_epoch, mean)
    return TrainedEncoder(
        module=_finished(method.encoder),
        history=tuple(history),
        checkpoints=checkpoints,
        epsilon=None if private is None else private.epsilon(),
    )


def learning_rate(recipe: EncoderRecipe, step: int, steps: int) -> float:
    """Learning rate at ``step`` of ``steps``: it rises along a line, and falls to 0 along half a cosine."""
    warm = steps * min(recipe.warmup_epochs, recipe.epochs // 10) // recipe.epochs
    if step < warm:
        return recipe.learning_rate * (step + 1) / warm
    return cosine_learning_rate(recipe.learning_rate, step - warm, steps - warm)


def _draws(
    examples: int, batches: int, batch_size: int, views: int, *, seed: int, epoch: int, poisson: bool
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """An epoch's batches, and the numbers that their views are made of, [views, batch, NUMBERS].

    Without ``poisson`` each example is in one batch at most; with it, in each independently, as the accounting of
    private training has it.
    """
    rng = np.random.default_rng((seed, epoch, 0))
    order = rng.permutation(examples)
    for batch in range(batches):
        chosen = order[batch * batch_size : (batch + 1) * batch_size]
        if poisson:
            chosen = np.flatnonzero(rng.random(examples) < batch_size / examples)
        yield chosen, rng.random((views, len(chosen), NUMBERS))


def _finished(encoder: nn.Module) -> nn.Module:
    return copy.deepcopy(encoder).to("cpu", memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload, no-any-return]


def _check(spec: EncoderSpec, recipe: EncoderRecipe, images: Images) -> None:
    if len(images) < 2 or images.dtype != np.uint8 or images.shape[1:] != spec.image:
        raise ValueError(
            f"{spec.name} was specified for two or more images, uint8 {list(spec.image)}; got {images.dtype} "
            f"{list(images.shape)}."
        )
    if recipe.queue is not None and recipe.queue > len(images):
        raise ValueError(
            f"A queue of {recipe.queue:,} keys holds each of these {len(images):,} images, as a negative of itself. "
            "Set the queue to fewer than there are images."
        )
