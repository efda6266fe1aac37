"""Training batches, the same for every framework: shuffled, augmented, normalised, from one seed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .inputs import Augmentation, Transform, augment


def epoch_batches(
    inputs: NDArray[np.generic],
    labels: NDArray[np.int64],
    *,
    batch_size: int,
    augmentation: Augmentation,
    normalization: Transform,
    seed: int,
    epoch: int,
) -> Iterator[tuple[NDArray[np.float32] | NDArray[np.int64], NDArray[np.int64]]]:
    """One shuffled pass over the training set.

    A last batch of a single example is joined to none and left out of this epoch (batch normalisation cannot
    train on it).

    Yields:
        inputs, float32 [batch, height, width, channels] or int64 [batch, length], and labels int64 [batch].
    """
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(len(inputs))
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        if len(batch) > 1:
            yield normalization(augment(inputs[batch], augmentation, rng)), labels[batch]


def cosine_learning_rate(peak: float, step: int, steps: int) -> float:
    """Learning rate at ``step`` of ``steps``: from ``peak`` along half a cosine to 0."""
    return float(peak * 0.5 * (1 + np.cos(np.pi * step / steps)))
