"""The robust membership-inference attack (RMIA, Zarifzadeh et al. 2024), by sorting.

With p(x|θ) the target's probability of the true class and p(x) its mean over what reference models say,

    ratio(x) = p(x|θ) / p(x)        score(x) = Pr_z [ratio(x) / ratio(z) > γ],   z from a population.

online      p(x) = mean over all references (about half of them trained on x)
offline     p(x) = ½ [(1 + a) · mean over OUT references + (1 − a)], which takes p_IN = a · p_OUT + (1 − a)

The score counts the z with ratio(z) < ratio(x) / γ: a rank, found by ``searchsorted`` in memory linear in the examples,
where the definition's outer product needs examples × population. Being a non-decreasing function of ratio(x), it
orders examples as ``rmia_ratios`` does, save for ties that it adds: γ and the population change thresholds and ties,
never the order. Where ties matter (a small population, γ > 1), rank by the ratio.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from .references import ReferenceAttack, References, Rule
from .signals import cross_entropy

Mode = Literal["online", "offline"]
Floats = NDArray[np.float64]

DEFAULT_A = 0.3
"""The authors' value for CIFAR-10, where too few shadows are there to tune it."""
LEAST_TO_TUNE = 8
"""Shadows below which ``a`` is not tuned (ours): what two shadows prefer is chance, and differs between two variants of
one model by more than the variants do."""
GRID = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def rmia_scores(
    target: Floats,
    shadows: Floats,
    member: NDArray[np.bool_],
    target_z: Floats,
    shadows_z: Floats,
    *,
    mode: Mode = "offline",
    gamma: float = 1.0,
    a: float = DEFAULT_A,
    member_z: NDArray[np.bool_] | None = None,
) -> Floats:
    """Score examples by RMIA.

    Args:
        target: the target's probability of the true class, [examples].
        shadows: the references', [models, examples].
        member: whether a reference is trained on an example, bool [models, examples].
        target_z: the target's on the population, [population].
        shadows_z: the references' on the population, [models, population].
        mode: see the module.
        gamma: the factor by which ratio(x) must exceed ratio(z), strictly.
        a: the offline form's constant, in [0, 1]: 1 trusts p_OUT as it is; unused online.
        member_z: whether a reference is trained on a z, bool [models, population]; None where none is.

    Returns:
        [examples], in [0, 1], higher = member; NaN where the offline form finds no OUT reference.

    Raises:
        ValueError: shapes disagree, something is not a probability, or ``gamma`` or ``a`` is out of range.
    """
    if not gamma > 0:
        raise ValueError(f"gamma must be positive, got {gamma}.")
    if member_z is None:
        member_z = np.zeros_like(shadows_z, dtype=bool)
    ratio_z = rmia_ratios(target_z, shadows_z, member_z, mode=mode, a=a)
    ratio = rmia_ratios(target, shadows, member, mode=mode, a=a)
    return rank_above(ratio, ratio_z, gamma)


def rmia_ratios(
    target: Floats, shadows: Floats, member: NDArray[np.bool_], *, mode: Mode = "offline", a: float = DEFAULT_A
) -> Floats:
    """``p(x|θ) / p(x)`` of every example, [examples]; arguments and errors as of ``rmia_scores``."""
    _check(target, shadows, member, a)
    reference = shadows.mean(axis=0) if mode == "online" else _offline(_mean_out(shadows, member), a)
    # Every reference may give a true class no chance at all; then any chance is infinitely more.
    return np.asarray(target / np.maximum(reference, np.finfo(np.float64).tiny))


def _mean_out(shadows: Floats, member: NDArray[np.bool_]) -> Floats:
    """Mean over OUT references, NaN where there is none, [examples]."""
    outside = (~member).sum(axis=0)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.einsum("mn,mn->n", ~member, shadows) / outside)


def _offline(mean_out: Floats, a: float) -> Floats:
    return ((1 + a) * mean_out + (1 - a)) / 2


def rank_above(ratio: Floats, ratio_z: Floats, gamma: float) -> Floats:
    """Fraction of the population with ratio / ratio_z > gamma, strictly, [examples]; NaN where the ratio is.

    The quotient rounds differently from the division of the definition by one unit in the last place, so that within
    that of a tie either answer may come.

    Raises:
        ValueError: no population.
    """
    population = np.sort(ratio_z[~np.isnan(ratio_z)])
    if not len(population):
        raise ValueError("RMIA needs a population with at least one ratio; got none.")
    return np.where(np.isnan(ratio), np.nan, np.searchsorted(population, ratio / gamma) / len(population))


def tune_a(references: References, grid: tuple[float, ...] = GRID, *, untuned: float = DEFAULT_A) -> float:
    """The ``a`` with the best mean AUC over shadows, each attacked offline with the others less its twin (ours).

    Args:
        references: true-class losses of the shadows. Neither the target nor its membership comes into it.
        grid: the candidates; the first of equals is taken.
        untuned: taken where there are fewer than ``LEAST_TO_TUNE`` shadows.
    """
    if len(references.member) < LEAST_TO_TUNE:
        return untuned
    found = []
    for values, others, member in references.held_out():
        known = ~others.member.all(axis=0)
        if member[known].any() and not member[known].all():
            target = np.exp(-values[known, 0])
            mean_out = _mean_out(np.exp(-others.values[:, known, 0]), others.member[:, known])
            found.append([roc_auc_score(member[known], target / _offline(mean_out, a)) for a in grid])
    return grid[int(np.argmax(np.mean(found, axis=0)))] if found else untuned


def _ratio_rule(values: Floats, references: References, *, mode: Mode, a: float) -> Floats:
    member = references.member
    ratio = rmia_ratios(np.exp(-values[:, 0]), np.exp(-references.values[..., 0]), member, mode=mode, a=a)
    return ratio if mode == "offline" else np.where(member.any(axis=0) & ~member.all(axis=0), ratio, np.nan)


def _rank_rule(values: Floats, references: References, *, mode: Mode, gamma: float, a: float) -> Floats:
    ratio = _ratio_rule(values, references, mode=mode, a=a)
    return ratio if np.isnan(ratio).all() else rank_above(ratio, ratio, gamma)


def _learn(references: References, *, mode: Mode, gamma: float, untuned: float) -> Rule:
    a = tune_a(references, untuned=untuned) if mode == "offline" else untuned
    return partial(_rank_rule, mode=mode, gamma=gamma, a=a)


def rmia(mode: Mode = "offline", gamma: float = 1.0, *, untuned: float = DEFAULT_A) -> ReferenceAttack:
    """The estimator, with ``a`` tuned on the shadows where they suffice, else ``untuned``.

    The population is the target's own evaluation examples, of unknown membership: the attacker is given the target's
    outputs on no others. The authors' code takes known non-members, which shifts scores but not their order.
    """
    return ReferenceAttack(
        name=f"rmia-{mode}",
        signal=cross_entropy,
        learn=partial(_learn, mode=mode, gamma=gamma, untuned=untuned),
        natural=0.5,
    )


def _check(target: Floats, shadows: Floats, member: NDArray[np.bool_], a: float) -> None:
    if not 0 <= a <= 1:
        raise ValueError(f"a must lie in [0, 1], got {a}.")
    if shadows.ndim != 2 or shadows.shape[0] == 0 or member.shape != shadows.shape or member.dtype != bool:
        raise ValueError(
            f"Expected probabilities [models, examples] of at least one model and bool membership of the same shape, "
            f"got {list(shadows.shape)} and {member.dtype} {list(member.shape)}."
        )
    if target.shape != shadows.shape[1:]:
        raise ValueError(f"The target has shape {list(target.shape)}, the references {list(shadows.shape[1:])}.")
    for values in (target, shadows):
        if values.size and not (values.min() >= 0 and values.max() <= 1):
            raise ValueError(
                f"Expected probabilities in [0, 1], got {values.min()} to {values.max()}. "
                "Give the softmax of the true class, exp(-cross_entropy)."
            )
