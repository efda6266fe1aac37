"""RMIA at 20,000 examples and a population of 20,000, against the outer product of the definition."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from ...attacks.rmia import rmia_ratios, rmia_scores
from .comparison import Comparison, compare

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def outer_product(
    target: Floats, shadows: Floats, member: Bools, target_z: Floats, shadows_z: Floats, block: int
) -> Floats:
    """Offline RMIA at γ = 1 by all pairs of examples and population, in blocks so that it fits into memory."""
    ratio = rmia_ratios(target, shadows, member)
    ratio_z = rmia_ratios(target_z, shadows_z, np.zeros(shadows_z.shape, dtype=bool))
    blocks = range(0, len(ratio), block)
    return np.concatenate([(ratio[i : i + block, None] / ratio_z[None, :] > 1).mean(axis=1) for i in blocks])


def run(examples: int = 20_000, population: int = 20_000, models: int = 8) -> list[Comparison]:
    """Both do the whole work."""
    rng = np.random.default_rng(0)
    target, shadows = rng.beta(5, 1, examples), rng.beta(5, 1, (models, examples))
    member = np.argsort(rng.random((models, examples)), axis=0) < models // 2
    inputs = target, shadows, member, rng.beta(5, 1, population), rng.beta(5, 1, (models, population))
    plain = partial(outer_product, *inputs, block=1_000)
    np.testing.assert_array_equal(rmia_scores(*inputs), plain())
    return [
        compare(
            f"RMIA offline, {examples:,} examples x {population:,} population, {models} shadows",
            partial(rmia_scores, *inputs),
            ("outer product, 1,000 examples at a time", plain),
            share=1,
            goal=100,
        )
    ]
