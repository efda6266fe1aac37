"""The likelihood-ratio attack (LiRA, Carlini et al. 2022, §V) in named variants.

A target's signal t on an example is compared with the shadows' signals on the same example: those of shadows trained
on it (IN) and not (OUT), each taken as Gaussian.

=====================  ============================================================================================
online                 log N(t; μ_in, σ_in) − log N(t; μ_out, σ_out)
offline                (t − μ_out) / σ_out, one-sided: its normal CDF is the paper's Pr[N(μ_out, σ_out) ≤ t], but
                       the z-score itself has no ties where the CDF rounds to 1. The authors' code scores
                       −log N(t; μ_out, σ_out) instead, which calls an example far *below* μ_out a member
per-example variance   σ of each example's group, around its mean, ddof 0; at least two shadows on either side
fixed variance         one σ per side: root mean square of all residuals around their example's location
bayes variance         ours: ``hierarchy``, with means and variances shrunk to what is common to all examples
=====================  ============================================================================================
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from . import hierarchy
from .references import ReferenceAttack, References, Rule, TooFewReferencesError
from .signals import logit_confidence

Mode = Literal["online", "offline"]
Variance = Literal["per-example", "fixed", "bayes"]
Location = Literal["median", "mean"]
Missing = Literal["raise", "mask"]

FLOOR = 1e-12
"""Least standard deviation: a group of equal values gives a large but finite score."""
_CHUNK = 1024
_LARGE = 2**21
"""Signals from which on blocks are worked on side by side."""


@dataclass(frozen=True)
class Moments:
    """One side (IN or OUT) of every example.

    Attributes:
        count: shadows on this side, [examples].
        location: median or mean, NaN where there is none, [examples].
        residual: mean square around the location, [examples].
        variance: around the mean, ddof 0, [examples].
    """

    count: NDArray[np.int64]
    location: NDArray[np.float64]
    residual: NDArray[np.float64]
    variance: NDArray[np.float64]

    def pooled_variance(self) -> float:
        """Mean square of all residuals around their example's location; zero where no example has two shadows."""
        some = self.count > 0
        return float(np.average(self.residual[some], weights=self.count[some])) if some.any() else 0.0


def lira_scores(
    target: NDArray[np.float64],
    shadows: NDArray[np.float64],
    member: NDArray[np.bool_],
    *,
    mode: Mode = "online",
    variance: Variance = "per-example",
    location: Location = "median",
    missing: Missing = "raise",
    sigma: float | None = None,
) -> NDArray[np.float64]:
    """Score examples by LiRA.

    Args:
        target: the target's signal, [examples].
        shadows: the shadows' signals, [models, examples].
        member: whether a shadow is trained on an example, bool [models, examples].
        mode: see the module.
        variance: see the module.
        location: centre of each group; unused with ``bayes``, whose means are posterior means.
        missing: what to do where an example has too few shadows on a side that is needed (one; two with per-example
            variance): ``raise``, or ``mask``: its score is NaN, to be counted with ``np.isnan``.
        sigma: the fixed standard deviation of the OUT side, where it is known from more shadows than these.

    Returns:
        [examples], higher = member: a log likelihood ratio (online) or a z-score (offline).

    Raises:
        ValueError: shapes disagree or a signal is not finite.
        TooFewReferencesError: an example has too few shadows and ``missing`` is ``raise``; or no example has the two
            shadows on a side without which a fixed or bayes variance is unknown.
    """
    target, shadows, member = _checked(target, shadows, member)
    needed = 2 if variance == "per-example" else 1
    if variance == "bayes":
        inside = member.sum(axis=0)
        lacking = (len(member) - inside < needed) | ((inside < needed) & (mode == "online"))
        _refuse(lacking, needed, mode, missing)
        scores = np.nan if lacking.all() else _bayes(target, shadows, member, mode)
        return np.where(lacking, np.nan, scores)
    outside, *rest = group_moments(shadows, member, location, sides=(False, True)[: 1 + (mode == "online")])
    lacking = np.any([side.count < needed for side in (outside, *rest)], axis=0)
    _refuse(lacking, needed, mode, missing)
    if lacking.all():
        return np.full_like(target, np.nan)
    for side in (outside, *rest):
        _require_finite(side.residual[side.count > 0])
    z_out, log_out = _standardise(target, outside, variance, sigma)
    if mode == "offline":
        scores = z_out
    else:
        z_in, log_in = _standardise(target, rest[0], variance)
        scores = 0.5 * (z_out**2 - z_in**2) + log_out - log_in
    return np.where(lacking, np.nan, scores)


def group_moments(
    shadows: NDArray[np.float64],
    member: NDArray[np.bool_],
    location: Location,
    sides: tuple[bool, ...] = (False, True),
) -> tuple[Moments, ...]:
    """Moments of the OUT (False) and IN (True) values of every example, a block of columns at a time.

    Args:
        shadows: [models, examples].
        member: bool [models, examples].
        location: centre of a group.
        sides: which sides.
    """
    examples = shadows.shape[1]
    inside_count = np.add.reduce(member.view(np.uint8), axis=0, dtype=np.int64)
    counts = {True: inside_count, False: len(shadows) - inside_count}
    results = tuple(Moments(counts[side], *(np.empty(examples) for _ in range(3))) for side in sides)

    def block(start: int) -> None:
        part = slice(start, start + _CHUNK)
        # Transposed to [examples, models], a block of columns at a time so that it stays in a cache.
        values, inside = np.ascontiguousarray(shadows[:, part].T), np.ascontiguousarray(member[:, part].T)
        for side, result in zip(sides, results, strict=True):
            chosen = np.compress((inside if side else ~inside).ravel(), values.ravel())
            with np.errstate(invalid="ignore"):  # of signals that are not finite, which the caller refuses
                _fill(result, part, chosen, location)

    starts = range(0, examples, _CHUNK)
    # Blocks touch nothing of one another's, and numpy lets go of the interpreter while it sorts and sums.
    with ThreadPoolExecutor(max_workers=cores() if shadows.size >= _LARGE else 1) as pool:
        list(pool.map(block, starts))
    return results


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _fill(result: Moments, part: slice, values: NDArray[np.float64], location: Location) -> None:
    """Moments of the groups of a block of examples, whose ``values`` follow one another; ``values`` is overwritten."""
    count = result.count[part]
    some = count > 0
    size, width = count[some], int(count.max(initial=0))
    for whole in (result.location, result.residual, result.variance):
        whole[part] = np.nan
    if not width:
        return
    starts = np.cumsum(size) - size
    if len(values) == width * len(size):
        groups = values.reshape(len(size), width)
        centre = _middle(groups, size) if location == "median" else groups.mean(axis=1)
        groups -= centre[:, None]
        shift, square = groups.sum(axis=1), np.vecdot(groups, groups)
    else:
        centre = (
            _middle(_padded(values, size), size) if location == "median" else np.add.reduceat(values, starts) / size
        )
        values -= np.repeat(centre, size)
        shift, square = np.add.reduceat(values, starts), np.add.reduceat(values * values, starts)
    result.location[part][some] = centre
    result.residual[part][some] = square / size
    result.variance[part][some] = square / size - (shift / size) ** 2


def _padded(values: NDArray[np.float64], size: NDArray[np.int64]) -> NDArray[np.float64]:
    """Groups as rows of equal length, ended by infinities."""
    groups = np.full((len(size), int(size.max())), np.inf)
    groups[np.arange(groups.shape[1]) < size[:, None]] = values
    return groups


def _middle(groups: NDArray[np.float64], size: NDArray[np.int64]) -> NDArray[np.float64]:
    """Median of the first ``size`` in order of each row; sorts the rows in place."""
    groups.sort(axis=1)
    rows = np.arange(len(groups))
    return np.asarray((groups[rows, (size - 1) // 2] + groups[rows, size // 2]) / 2)


def _standardise(
    target: NDArray[np.float64], side: Moments, variance: Variance, sigma: float | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The target's z-score on one side and the log of the standard deviation, both [examples]."""
    if variance == "fixed":
        pooled = side.pooled_variance() if sigma is None else sigma**2
        if pooled == 0:
            raise TooFewReferencesError(
                "A fixed variance needs some example with two shadows that differ on each side; got none. "
                f"At most {side.count.max(initial=0)} shadows stand on one side. Take more shadows."
            )
        spread = np.full_like(target, np.sqrt(pooled))
    else:
        spread = np.sqrt(np.maximum(side.variance, FLOOR**2))
    return (target - side.location) / spread, np.log(spread)


def _bayes(
    target: NDArray[np.float64], shadows: NDArray[np.float64], member: NDArray[np.bool_], mode: Mode
) -> NDArray[np.float64]:
    _require_finite(shadows)
    outside = hierarchy.group(shadows[..., None], ~member)
    if mode == "offline":
        return hierarchy.one_sided(target, outside)
    inside = hierarchy.group(shadows[..., None], member)
    return hierarchy.likelihood_ratio(target[:, None], outside, inside, hierarchy.fit_prior(outside, inside))


def _checked(
    target: NDArray[np.float64], shadows: NDArray[np.float64], member: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    target = np.asarray(target, dtype=np.float64)
    shadows = np.asarray(shadows, dtype=np.float64)
    member = np.asarray(member)
    if member.dtype != bool or shadows.ndim != 2 or member.shape != shadows.shape:
        raise ValueError(
            f"Expected signals [models, examples] and bool membership of the same shape, "
            f"got {list(shadows.shape)} and {member.dtype} {list(member.shape)}."
        )
    if target.shape != shadows.shape[1:]:
        raise ValueError(f"The target has {list(target.shape)} signals, the shadows {list(shadows.shape[1:])}.")
    _require_finite(target)
    return target, shadows, member


def _require_finite(values: NDArray[np.float64]) -> None:
    # A sum is finite iff no term is NaN or infinite (or the signals overflow), and needs no second array.
    if not np.isfinite(values.sum()):
        raise ValueError("Some signals are not finite. Use signals computed from logits, such as logit_confidence.")


def _refuse(lacking: NDArray[np.bool_], needed: int, mode: Mode, missing: Missing) -> None:
    if missing == "raise" and lacking.any():
        sides = "IN and OUT" if mode == "online" else "OUT"
        raise TooFewReferencesError(
            f"{lacking.sum()} of {len(lacking)} examples have fewer than {needed} {sides} shadows. "
            "Take more shadows, the offline mode where only IN shadows lack, or missing='mask'."
        )


def _rule(
    values: NDArray[np.float64], references: References, *, mode: Mode, variance: Variance, sigma: float | None
) -> NDArray[np.float64]:
    return lira_scores(
        values[:, 0],
        references.values[..., 0],
        references.member,
        mode=mode,
        variance=variance,
        missing="mask",
        sigma=sigma,
    )


def _learn(references: References, *, mode: Mode, variance: Variance) -> Rule:
    sigma = None
    if mode == "offline" and variance == "fixed":
        # Of all shadows at once: with two of them, one held out leaves a single one, which has no variance.
        (outside,) = group_moments(references.values[..., 0], references.member, "median", sides=(False,))
        sigma = float(np.sqrt(outside.pooled_variance())) or None
    return partial(_rule, mode=mode, variance=variance, sigma=sigma)


def lira(mode: Mode = "online", variance: Variance = "per-example") -> ReferenceAttack:
    """The estimator: logit-scaled confidence, medians, un-augmented query."""
    suffix = {"per-example": "", "fixed": "-fixed-var", "bayes": "-bayes"}[variance]
    return ReferenceAttack(
        name=f"lira-{mode}{suffix}",
        signal=logit_confidence,
        learn=partial(_learn, mode=mode, variance=variance),
        natural=0.0,
    )
