"""An attack fitted again on halves of what it learns from: how far its fit, and no model, moves its scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .observations import Observations
from .protocol import Attack

HALVINGS = 2
"""How often the examples are halved; each halving gives two fits."""


def fitted_on_halves(make: Callable[[int], Attack], shadows: Observations, seeds: Sequence[int]) -> list[Attack]:
    """The attack fitted on each half of the shadows' examples.

    Args:
        make: an attack that is not fitted yet, given its number from 1: one that stacks on others takes their fits on
            the same half.
        shadows: what the whole attack is fitted on.
        seeds: of each halving; the same for all models that are compared, so that their fits see the same examples.

    Returns:
        Two for each seed. What they disagree about has the delete-half jackknife's variance (Shao and Wu 1989).
    """
    halves = [shadows.half_calibration(seed, second=second) for seed in seeds for second in (False, True)]
    return [make(number).fit(half) for number, half in enumerate(halves, start=1)]
