"""Exact and conservative intervals: they cover at least their level at any sample size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from .metrics import Bools, Floats, ScoreError, split_by_class


@dataclass(frozen=True)
class Interval:
    """A confidence interval.

    Attributes:
        low: lower end.
        high: upper end.
        level: nominal coverage, for example 0.95.
        method: how it was made.
    """

    low: float
    high: float
    level: float
    method: str


def clopper_pearson(k: int, n: int, level: float = 0.95) -> Interval:
    """Exact interval for a proportion, ``k`` of ``n`` (Clopper and Pearson 1934).

    Raises:
        ScoreError: ``k`` is not within 0 to ``n``, ``n`` is 0, or ``level`` is not within (0, 1).
    """
    error = tail(level)
    if n < 1 or not 0 <= k <= n:
        raise ScoreError(f"Need 0 <= k <= n and n >= 1, got k={k} and n={n}.")
    low = float(special.betaincinv(k, n - k + 1, error)) if k > 0 else 0.0
    high = float(special.betainccinv(k + 1, n - k, error)) if k < n else 1.0
    return Interval(low, high, level, "clopper-pearson")


def unanimous_pairs(value: float, pairs: int, level: float = 0.95) -> Interval:
    """Interval for the mean of pair outcomes within [0, 1], where all of ``pairs`` independent pairs gave ``value``.

    With the chance of ``value`` at least q (Clopper-Pearson), the mean lies in [q·value, q·value + 1 − q]. Ours.
    """
    q = clopper_pearson(pairs, pairs, level).low
    return Interval(q * value, q * value + 1 - q, level, "unanimous-pairs")


def conservative_tpr_interval(scores: Floats, member: Bools, fpr: float, level: float = 0.95) -> Interval:
    """Interval for the TPR at ``fpr`` that covers at least ``level`` at any sample size (Bonferroni).

    Half of the error goes to the threshold: order statistics of the non-members that lie, each but for a quarter
    of the error, above and below the population's threshold for ``fpr``. The other half goes to Clopper-Pearson
    bounds of the members' rates at those two. Ours; about 1.5 times as wide as the bootstrap.

    Args:
        scores: floating point [examples], higher = member.
        member: bool [examples].
        fpr: the false positive rate asked for.
        level: nominal coverage, from below.

    Raises:
        ScoreError: see ``metrics.checked``; or ``fpr`` or ``level`` not within (0, 1).
    """
    if not 0.0 < fpr < 1.0:
        raise ScoreError(f"The false positive rate must lie in (0, 1), got {fpr}.")
    quarter = tail(level) / 2
    members, others = split_by_class(scores, member)
    at_most = special.bdtr(np.arange(len(others)), len(others), fpr)
    # The k-th largest non-member, k counted from 1; the threshold just above it has FPR <= fpr, but for a quarter.
    strict = int(np.count_nonzero(at_most <= quarter))
    # Calling everything from the k-th largest on has FPR >= fpr, but for a quarter.
    lax = 1 + int(np.count_nonzero(1 - at_most > quarter))
    low, high, inner = 0.0, 1.0, 1 - 2 * quarter
    if strict > 0:
        above = len(members) - int(np.searchsorted(members, others[-strict], "right"))
        low = clopper_pearson(above, len(members), inner).low
    if lax <= len(others):
        reached = len(members) - int(np.searchsorted(members, others[-lax], "left"))
        high = clopper_pearson(reached, len(members), inner).high
    return Interval(low, high, level, "order-statistics")


def epsilon_lower_bound(
    tp: int, n_members: int, fp: int, n_nonmembers: int, *, level: float = 0.95, delta: float = 0.0
) -> float:
    """Lower bound on the ε of (ε, δ)-differential privacy that these counts leave possible, at least 0.

    For audits of a differentially private training, where it is held against the ε that the accountant states: a bound
    above that refutes the claim. No column of the leaderboard comes from it.

    max of log((TPR − δ) / FPR) and log((1 − FPR − δ) / (1 − TPR)) (Kairouz et al. 2015), with the TPR's lower and
    the FPR's upper Clopper-Pearson bound. Both forms use the same two one-sided bounds, each at (1 + level)/2, so
    they hold jointly at ``level``. The threshold must come from other data (the shadows), and the examples are taken
    as independent trials: with one target model that is an approximation.

    Raises:
        ScoreError: see ``clopper_pearson``; or ``delta`` outside [0, 1).
    """
    if not 0.0 <= delta < 1.0:
        raise ScoreError(f"delta must lie in [0, 1), got {delta}.")
    tpr = clopper_pearson(tp, n_members, level).low
    fpr = clopper_pearson(fp, n_nonmembers, level).high
    forms = ((tpr - delta, fpr), (1 - fpr - delta, 1 - tpr))
    return max(0.0, *(float(np.log(over / under)) for over, under in forms if over > 0))


def tail(level: float) -> float:
    """Error left to each side of a two-sided interval.

    Raises:
        ScoreError: ``level`` is not within (0, 1).
    """
    if not 0.0 < level < 1.0:
        raise ScoreError(f"The level must lie in (0, 1), for example 0.95, got {level}.")
    return (1 - level) / 2
