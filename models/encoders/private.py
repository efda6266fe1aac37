"""Differentially private training of an encoder (DP-SGD, Abadi et al. 2016), by the opacus library (extra ``dp``).

The noise comes from PyTorch's generator, so that a run can be repeated: whoever knows the seed knows the noise. It
measures what private training does to leakage; it is not how to train on secrets.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from .recipe import EncoderRecipe

LEAST_BATCH = 32
"""Examples that a batch holds on average, at least: that it may hold none, with chance e^-32, is then neglected."""


@dataclass(frozen=True)
class PrivateTraining:
    """What private training puts in the place of an optimizer.

    Attributes:
        optimizer: clips each example's gradient and adds noise at each step.
        epsilon: what the steps up to now have spent, at the recipe's delta.
    """

    optimizer: torch.optim.Optimizer
    epsilon: Callable[[], float]


def private_training(
    method: nn.Module, optimizer: torch.optim.Optimizer, recipe: EncoderRecipe, *, examples: int, batch_size: int
) -> PrivateTraining | None:
    """Make ``optimizer``'s steps private, where the recipe asks for it.

    Args:
        method: whose loss is the mean of each example's own.
        optimizer: of ``method``'s parameters.
        recipe: with ``dp``, or without.
        examples: in the training set.
        batch_size: examples a step on average; each example is in each batch with chance ``batch_size / examples``.

    Raises:
        ValueError: opacus is not installed, the batches are too small, or delta does not suit the examples.
    """
    if recipe.dp is None:
        return None
    if batch_size < LEAST_BATCH or recipe.dp.delta >= 1 / examples:
        raise ValueError(
            f"Private training needs batches of {LEAST_BATCH} or more and a delta below 1 / {examples:,}; got batches "
            f"of {batch_size} and a delta of {recipe.dp.delta:g}."
        )
    try:
        from opacus import GradSampleModule
        from opacus.accountants import RDPAccountant
        from opacus.accountants.utils import get_noise_multiplier
        from opacus.optimizers import DPOptimizer
    except ImportError as error:
        raise ValueError("Private training needs opacus: pip install 'compleak-bench[dp]'.") from error
    rate = batch_size / examples
    steps = recipe.last_epoch * (examples // batch_size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of orders of the accountant at the ends of its range, and of older PyTorch
        noise = recipe.dp.noise_multiplier or get_noise_multiplier(
            target_epsilon=recipe.dp.epsilon,
            target_delta=recipe.dp.delta,
            sample_rate=rate,
            steps=steps,
            accountant="rdp",
        )
        GradSampleModule(method, strict=False)
    private = DPOptimizer(
        optimizer,
        noise_multiplier=noise,
        max_grad_norm=recipe.dp.max_grad_norm,
        expected_batch_size=batch_size,
    )
    accountant = RDPAccountant()
    private.attach_step_hook(accountant.get_optimizer_hook_fn(sample_rate=rate))
    delta = recipe.dp.delta
    return PrivateTraining(optimizer=private, epsilon=lambda: float(accountant.get_epsilon(delta=delta)))
