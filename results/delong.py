"""DeLong's variance of the AUC, and the paired test of two attacks on the same examples.

The placements come from two sorts, O(n log n), and equal those of Sun and Xu 2014 (midranks).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from scipy import special

from .exact import Interval, tail, unanimous_pairs
from .metrics import Bools, Floats, ScoreError, auc, checked


@dataclass(frozen=True)
class PairedTest:
    """Whether one set of scores separates the same examples better than another.

    Attributes:
        difference: AUC of the first less AUC of the second.
        low: lower end of its interval.
        high: upper end of its interval.
        p_value: two-sided, against no difference; not corrected for multiple tests, see ``holm``.
        freedom: degrees of freedom of Student's t; infinite for the normal law.
    """

    difference: float
    low: float
    high: float
    p_value: float
    freedom: float = math.inf


def delong_interval(scores: Floats, member: Bools, level: float = 0.95) -> Interval:
    """Interval for the AUC: DeLong's variance, on the logit scale; exact where that variance is zero.

    Args:
        scores: floating point [examples], higher = member.
        member: bool [examples], at least two of each class.
        level: nominal coverage.

    Raises:
        ScoreError: see ``metrics.checked``; or fewer than two of a class.
    """
    z = -float(special.ndtri(tail(level)))
    above, below = _placements(scores, member)
    value = auc(scores, member)
    variance = _variance(above, below)
    if variance == 0.0:
        return unanimous_pairs(value, min(len(above), len(below)), level)
    half = z * np.sqrt(variance) / (value * (1 - value))
    centre = special.logit(value)
    low, high = special.expit(centre - half), special.expit(centre + half)
    return Interval(float(low), float(high), level, "delong-logit")


def delong_paired_test(
    scores_a: Floats, scores_b: Floats, member: Bools, level: float = 0.95, refits: Sequence[Sequence[float]] = ()
) -> PairedTest:
    """AUC of ``a`` less AUC of ``b``, both on the same examples (DeLong et al. 1988).

    Where the two order every member against every non-member alike, the difference is 0 with p = 1 and the exact
    interval of ``unanimous_pairs``. Where the difference is not zero but its variance is, Hoeffding's (1963)
    inequality for U-statistics gives interval and p-value; both are then conservative.

    DeLong's variance is that of the examples, for scores as they are. Where the attacks that made them were fitted,
    ``refits`` say by how much other fits differ. ``fit_variance`` is added to it, and the normal law gives way to
    Student's t with Satterthwaite's (1946) degrees of freedom (ours).

    Args:
        scores_a: floating point [examples], higher = member.
        scores_b: the same examples in the same order.
        member: bool [examples], at least two of each class.
        level: nominal coverage of the interval.
        refits: the same difference of AUCs, of both attacks fitted on the same part of what they are fitted on: for
            each division into parts, one for each part.

    Raises:
        ScoreError: see ``metrics.checked``; or fewer than two of a class.
    """
    above_a, below_a = _placements(scores_a, member)
    above_b, below_b = _placements(scores_b, member)
    difference = auc(scores_a, member) - auc(scores_b, member)
    pairs = min(len(above_a), len(below_a))
    if np.array_equal(above_a, above_b) and np.array_equal(below_a, below_b):
        same = unanimous_pairs(0.5, pairs, level)
        return PairedTest(0.0, 2 * same.low - 1, 2 * same.high - 1, 1.0)
    freedom = math.inf
    error = np.sqrt(_variance(above_a - above_b, below_a - below_b))
    spread = fit_variance(difference, refits) if refits else 0.0
    if error == 0.0 == spread:
        half = np.sqrt(2 * np.log(2 / (1 - level)) / pairs)
        p_value = min(1.0, 2 * np.exp(-pairs * difference**2 / 2))
    elif spread:
        freedom = sum(len(parts) - 1 for parts in refits) * (1 + error**2 / spread) ** 2
        error = np.hypot(error, np.sqrt(spread))
        half = -special.stdtrit(freedom, tail(level)) * error
        p_value = 2 * special.stdtr(freedom, -abs(difference) / error)
    else:
        half = -special.ndtri(tail(level)) * error
        p_value = 2 * special.ndtr(-abs(difference) / error)
    low, high = max(-1.0, difference - half), min(1.0, difference + half)
    return PairedTest(difference, float(low), float(high), float(p_value), float(freedom))


def fit_variance(whole: float, refits: Sequence[Sequence[float]]) -> float:
    """Variance that the fit gives to a figure, from fits on parts of the examples; the mean over the divisions.

    With K parts, whose figures have variance s² and mean m, ``s² / K + (K - 1) / (K + 1) · (m - whole)²``.

    The first term is the random groups' estimator (Wolter 2007, section 2.2): unbiased for a figure that is linear in
    the examples. It holds a K-th only of the variance of an attack's own draws, which do not shrink with more examples;
    with the second term, zero for the linear, the sum is unbiased for both (ours). What is quadratic in the examples,
    as the AUC of a fit near its best, is overestimated K + (K - 1)² / (K + 1) times, 4 for thirds: intervals of such
    attacks are up to twice as wide as they need be.

    Args:
        whole: the figure of the fit on all examples.
        refits: for each division into parts, at least two, the figure of each.
    """
    found = []
    for parts in refits:
        k, away = len(parts), fmean(parts) - whole
        found.append(float(np.var(parts, ddof=1)) / k + (k - 1) / (k + 1) * away**2)
    return fmean(found)


def mean_test(tests: Sequence[PairedTest], level: float = 0.95) -> PairedTest:
    """The mean of paired tests on several targets; of one test, that test.

    Each end of its interval is the mean of theirs: too wide rather than too narrow, however the targets are
    correlated. The p-value takes the interval's half towards no difference for that of Student's t with the least
    degrees of freedom among them. Ours.

    Args:
        tests: at least one.
        level: nominal coverage of their intervals.
    """
    if len(tests) == 1:
        return tests[0]
    difference, low, high = (fmean(getattr(test, name) for test in tests) for name in ("difference", "low", "high"))
    half = difference - low if difference > 0 else high - difference
    freedom = min(test.freedom for test in tests)
    z = difference / half * float(special.stdtrit(freedom, tail(level)))
    return PairedTest(difference, low, high, float(2 * special.stdtr(freedom, -abs(z))), freedom)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given: the chance of *any* false alarm stays below them (Holm 1979)."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return [float(x) for x in adjusted]


def _placements(scores: Floats, member: Bools) -> tuple[Floats, Floats]:
    """How many non-members each member beats, and how many members beat each non-member; ties are half, so exact."""
    scores, member = checked(scores, member)
    members, others = scores[member], scores[~member]
    if min(len(members), len(others)) < 2:
        raise ScoreError(f"Need two members and two non-members, got {len(members)} and {len(others)}.")
    return _midpoint(np.sort(others), members), len(members) - _midpoint(np.sort(members), others)


def _midpoint(ascending: Floats, values: Floats) -> Floats:
    """How many of ``ascending`` lie below each value, equal ones counting half."""
    return (np.searchsorted(ascending, values, "left") + np.searchsorted(ascending, values, "right")) / 2


def _variance(above: Floats, below: Floats) -> float:
    """DeLong's variance of a mean of placements; exactly 0 where each class's placements are all the same."""
    parts = [
        0.0 if np.ptp(own) == 0 else float(np.var(own, ddof=1)) / len(other) ** 2 / len(own)
        for own, other in ((above, below), (below, above))
    ]
    return sum(parts)
