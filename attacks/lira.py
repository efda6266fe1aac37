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

from collections.abc import Iterator
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
_CHUNK = 512


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
        scores = _bayes(target, shadows, member, mode)
        return np.where(lacking, np.nan, scores)
    outside, *rest = group_moments(shadows, member, location, sides=(False, True)[: 1 + (mode == "online")])
    lacking = np.any([side.count < needed for side in (outside, *rest)], axis=0)
    _refuse(lacking, needed, mode, missing)
    z_out, log_out = _standardise(target, outside, variance)
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
    n = shadows.shape[1]
    results = tuple(Moments(np.zeros(n, dtype=np.int64), *(np.full(n, np.nan) for _ in range(3))) for _ in sides)
    for part, values, inside in _blocks(shadows, member):
        for side, result in zip(sides, results, strict=True):
            chosen = inside if side else ~inside
            group, count = _compact(values, chosen)
            result.count[part] = count
            with np.errstate(invalid="ignore", divide="ignore"):
                _fill(result, part, group, count, location)
    return results


def _fill(
    result: Moments, part: slice, group: NDArray[np.float64], count: NDArray[np.int64], location: Location
) -> None:
    """Moments of groups [examples, width], each followed by NaN from ``count`` on."""
    width = group.shape[1]
    ragged = bool((count != width).any())
    if location == "median":
        group.sort(axis=1)
        rows = np.arange(len(group))
        last = max(width - 1, 0)
        low, high = ((count - 1) // 2).clip(0, last), (count // 2).clip(0, last)
        centre = (group[rows, low] + group[rows, high]) / 2 if width else np.full(len(group), np.nan)
    else:
        centre = (np.nansum(group, axis=1) if ragged else group.sum(axis=1)) / count
    deviation = group - centre[:, None]
    if ragged:
        np.nan_to_num(deviation, copy=False)
    residual = np.vecdot(deviation, deviation) / count
    shift = deviation.sum(axis=1) / count
    result.location[part] = centre
    result.residual[part] = residual
    result.variance[part] = residual - shift**2


def _blocks(
    shadows: NDArray[np.float64], member: NDArray[np.bool_]
) -> Iterator[tuple[slice, NDArray[np.float64], NDArray[np.bool_]]]:
    """Blocks of examples, transposed to [examples, models] while they fit into a cache."""
    for start in range(0, shadows.shape[1], _CHUNK):
        part = slice(start, start + _CHUNK)
        yield part, np.ascontiguousarray(shadows[:, part].T), np.ascontiguousarray(member[:, part].T)


def _compact(values: NDArray[np.float64], chosen: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Each row's chosen values moved to its front, then NaN: [examples, largest count], and the counts."""
    count = chosen.sum(axis=1)
    width = int(count.max(initial=0))
    flat = np.compress(chosen.ravel(), values.ravel())
    if len(flat) == width * len(count):
        return flat.reshape(len(count), width), count
    padded = np.full((len(count), width), np.nan)
    padded[np.arange(width) < count[:, None]] = flat
    return padded, count


def _standardise(
    target: NDArray[np.float64], side: Moments, variance: Variance
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The target's z-score on one side and the log of the standard deviation, both [examples]."""
    if variance == "fixed":
        pooled = side.pooled_variance()
        if pooled == 0:
            raise TooFewReferencesError(
                "A fixed variance needs some example with two shadows that differ on each side; got none. "
                f"At most {side.count.max(initial=0)} shadows stand on one side. Take more shadows."
            )
        sigma = np.full_like(target, np.sqrt(pooled))
    else:
        sigma = np.sqrt(np.maximum(side.variance, FLOOR**2))
    return (target - side.location) / sigma, np.log(sigma)


def _bayes(
    target: NDArray[np.float64], shadows: NDArray[np.float64], member: NDArray[np.bool_], mode: Mode
) -> NDArray[np.float64]:
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
    # A sum is finite iff no term is NaN or infinite (or the signals overflow), and needs no second array.
    if not np.isfinite(target.sum()) or not np.isfinite(shadows.sum()):
        raise ValueError("Some signals are not finite. Use signals computed from logits, such as logit_confidence.")
    return target, shadows, member


def _refuse(lacking: NDArray[np.bool_], needed: int, mode: Mode, missing: Missing) -> None:
    if missing == "raise" and lacking.any():
        sides = "IN and OUT" if mode == "online" else "OUT"
        raise TooFewReferencesError(
            f"{lacking.sum()} of {len(lacking)} examples have fewer than {needed} {sides} shadows. "
            "Take more shadows, the offline mode where only IN shadows lack, or missing='mask'."
        )


def _rule(
    values: NDArray[np.float64], references: References, *, mode: Mode, variance: Variance
) -> NDArray[np.float64]:
    return lira_scores(
        values[:, 0],
        references.values[..., 0],
        references.member,
        mode=mode,
        variance=variance,
        missing="mask",
    )


def _learn(references: References, *, mode: Mode, variance: Variance) -> Rule:
    return partial(_rule, mode=mode, variance=variance)


def lira(mode: Mode = "online", variance: Variance = "per-example") -> ReferenceAttack:
    """The estimator: logit-scaled confidence, medians, un-augmented query."""
    suffix = {"per-example": "", "fixed": "-fixed-var", "bayes": "-bayes"}[variance]
    return ReferenceAttack(
        name=f"lira-{mode}{suffix}",
        signal=logit_confidence,
        learn=partial(_learn, mode=mode, variance=variance),
        natural=0.0,
    )
