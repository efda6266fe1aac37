"""An attack fitted again on parts of what it learns from: how far its fit, and no model, moves its scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .observations import Observations
from .protocol import Attack

DIVISIONS = 2
"""How often the examples are divided anew (ours). More would steady the estimate, at the price of a fit each. Forests
of fewer trees cost less, but their own chance then hides that near-equal models leak the same."""
PARTS = 3
"""Into how many parts (ours). For the same work thirds tell the spread from twice as many differences as halves, which
mirror each other; smaller parts say less of the whole."""


def fitted_on_parts(make: Callable[[int], Attack], shadows: Observations, seeds: Sequence[int]) -> list[list[Attack]]:
    """The attack fitted on each part of the shadows' examples.

    Args:
        make: an attack that is not fitted yet, given its number from 1: one that stacks on others takes their fits on
            the same part.
        shadows: what the whole attack is fitted on.
        seeds: of each division; the same for all models that are compared, so that their fits see the same examples.

    Returns:
        ``PARTS`` for each seed: random groups, from which ``results.delong`` estimates the variance of the whole's fit.
    """
    return [
        [make(1 + division * PARTS + part).fit(shadows.part_of_calibration(seed, part, PARTS)) for part in range(PARTS)]
        for division, seed in enumerate(seeds)
    ]
