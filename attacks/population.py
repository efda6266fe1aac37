"""Attack-P and attack-R (Ye et al. 2022): a loss among those of other examples, or of other models on this example."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from .references import ReferenceAttack, References, Rule
from .signals import cross_entropy

Floats = NDArray[np.float64]

HIGHEST_LOSS = 1000.0
"""Upper end of the interpolated reference losses, in nats (the authors' code)."""
_CHUNK = 4096


def population_scores(loss: Floats, population: Floats) -> Floats:
    """Attack-P: 1 − fraction of the population's losses below each loss.

    As an order of examples this is the loss itself (with ties below the least and above the largest population loss);
    its worth is a threshold taken from data that the evaluation does not use: a score of 1 − α has FPR α.

    Args:
        loss: the target's losses, [examples].
        population: losses of non-members, [population].

    Returns:
        [examples], in [0, 1], higher = member.

    Raises:
        ValueError: no population.
    """
    if not len(population):
        raise ValueError("Attack-P needs a population of non-members' losses; got none.")
    return 1 - np.searchsorted(np.sort(population), loss) / len(population)


def reference_scores(loss: Floats, shadows: Floats, member: NDArray[np.bool_]) -> Floats:
    """Attack-R: 1 − level of each loss among the OUT references' losses of the same example.

    The level is found by linear interpolation between the sorted reference losses, padded with 0 and
    ``HIGHEST_LOSS``, at levels equally spaced over [0, 1]. With few references it is coarse in meaning, though not
    tied.

    Args:
        loss: the target's losses, [examples].
        shadows: the references' losses, [models, examples].
        member: whether a reference is trained on an example, bool [models, examples].

    Returns:
        [examples], in [0, 1], higher = member; NaN where there is no OUT reference.

    Raises:
        ValueError: shapes disagree.
    """
    if loss.shape != shadows.shape[1:] or member.shape != shadows.shape:
        raise ValueError(
            f"Expected losses [examples], references [models, examples] and membership of the same shape, got "
            f"{list(loss.shape)}, {list(shadows.shape)} and {list(member.shape)}."
        )
    level = np.empty_like(loss)
    for start in range(0, len(loss), _CHUNK):
        part = slice(start, start + _CHUNK)
        level[part] = _levels(loss[part], np.where(member[:, part], np.inf, shadows[:, part]))
    return 1 - level


def _levels(loss: Floats, references: Floats) -> Floats:
    """Interpolated levels; ``references`` [models, examples] are infinite where there is none."""
    count = np.isfinite(references).sum(axis=0)
    knots = np.sort(np.minimum(np.concatenate([np.zeros((1, len(loss))), references]), HIGHEST_LOSS), axis=0)
    knots = np.concatenate([knots, np.full((1, len(loss)), HIGHEST_LOSS)])
    column = np.arange(len(loss))
    # Of equal knots the last is the left end, as it is the first with something to its right.
    left = np.minimum((knots <= loss).sum(axis=0) - 1, count)
    low, high = knots[left, column], knots[left + 1, column]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(high > low, (np.minimum(loss, HIGHEST_LOSS) - low) / (high - low), 1.0)
    return np.where(count > 0, (left + share) / (count + 1), np.nan)


def _population_rule(values: Floats, references: References, *, population: Floats) -> Floats:
    return population_scores(values[:, 0], population)


def _learn_population(references: References) -> Rule:
    outside = references.calibration & ~references.member
    return partial(_population_rule, population=np.sort(references.values[..., 0][outside]))


def _reference_rule(values: Floats, references: References) -> Floats:
    return reference_scores(values[:, 0], references.values[..., 0], references.member)


def _learn_reference(references: References) -> Rule:
    return _reference_rule


def attack_p() -> ReferenceAttack:
    """The estimator.

    Its population are the shadows' losses on what they were not trained on: the attacker is given the target's
    outputs on no other examples than those under attack (ours; the paper asks the target itself).
    """
    return ReferenceAttack(name="attack-p", signal=cross_entropy, learn=_learn_population, natural=0.5)


def attack_r() -> ReferenceAttack:
    """The estimator."""
    return ReferenceAttack(name="attack-r", signal=cross_entropy, learn=_learn_reference, natural=0.5)
