"""The stratified bootstrap, counted instead of copied, and resampling of targets on top of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .exact import Interval, tail
from .metrics import Bools, Floats, ScoreError, point_at, split_by_class

_CELLS = 250_000  # array elements that a chunk of resamples may take


class Resampler(Protocol):
    """Draws a metric's bootstrap distribution: resamples members and non-members apart, with replacement."""

    def __call__(self, scores: Floats, member: Bools, rng: np.random.Generator, resamples: int) -> Floats:
        """Return the metric of each resample, [resamples]."""
        ...


def resample_auc(scores: Floats, member: Bools, rng: np.random.Generator, resamples: int) -> Floats:
    """Bootstrap distribution of the AUC, [resamples]; sorts once, then counts."""
    members, others = split_by_class(scores, member)
    low, high = np.searchsorted(others, members, "left"), np.searchsorted(others, members, "right")
    values = np.empty(resamples)
    step = max(1, _CELLS // len(scores))
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        below = np.zeros((count, len(others) + 1), dtype=np.int64)
        np.cumsum(multiplicities(len(others), count, rng), axis=1, out=below[:, 1:])
        wins = below[:, low] + below[:, high]
        values[start : start + count] = np.einsum("ij,ij->i", multiplicities(len(members), count, rng), wins)
    return values / (2 * len(members) * len(others))


def resample_tpr(scores: Floats, member: Bools, rng: np.random.Generator, resamples: int, *, fpr: float) -> Floats:
    """Bootstrap distribution of the TPR at an FPR of at most ``fpr``, the threshold estimated anew, [resamples].

    Drawn from its exact law, without resampling anything. With k false positives allowed, the threshold lies just
    above the (k+1)-th largest of the resampled non-members. Resampled positions are floor(n·U), U uniform, so that
    one's position is floor(n·B), B ~ Beta(n−k, k+1); the resampled members above it are then binomial. Ours.
    """
    members, others = split_by_class(scores, member)
    allowed = int(np.count_nonzero(np.arange(1, len(others) + 1) / len(others) <= fpr))
    if allowed == len(others):
        return np.ones(resamples)
    position = len(others) * rng.beta(len(others) - allowed, allowed + 1, size=resamples)
    barrier = others[np.minimum(position.astype(np.int64), len(others) - 1)]
    above = len(members) - np.searchsorted(members, barrier, "right")
    return rng.binomial(len(members), above / len(members)) / len(members)


def resample_balanced_accuracy(
    scores: Floats, member: Bools, rng: np.random.Generator, resamples: int, *, threshold: float
) -> Floats:
    """Bootstrap distribution of the balanced accuracy at a threshold from the shadows, [resamples]."""
    point = point_at(scores, member, threshold)
    tp = rng.binomial(point.n_members, point.tpr, size=resamples)
    fp = rng.binomial(point.n_nonmembers, point.fpr, size=resamples)
    return (tp / point.n_members + 1 - fp / point.n_nonmembers) / 2


def stratified_bootstrap(
    draw: Resampler, scores: Floats, member: Bools, *, seed: int, resamples: int = 1000, level: float = 0.95
) -> Interval:
    """Percentile interval of a metric from resampling members and non-members apart.

    Args:
        draw: for example ``resample_auc``, or ``partial(resample_tpr, fpr=0.01)``.
        scores: floating point [examples], higher = member.
        member: bool [examples].
        seed: of this interval's own generator; the order of the examples has no influence.
        resamples: how many.
        level: nominal coverage.
    """
    values = draw(scores, member, np.random.default_rng(seed), resamples)
    return _percentiles(values, level, "stratified-bootstrap")


def clustered_bootstrap(
    draw: Resampler,
    targets: Sequence[tuple[Floats, Bools]],
    *,
    seed: int,
    resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """Percentile interval of the *mean over targets* of a metric: resamples targets, then examples within each.

    With one target this is the stratified bootstrap. With fewer than about ten it is still too narrow, as any
    resampling of so few is.

    Args:
        draw: see ``stratified_bootstrap``.
        targets: scores and membership of each target.
        seed: of this interval's own generator.
        resamples: how many.
        level: nominal coverage.

    Raises:
        ScoreError: no target.
    """
    if not targets:
        raise ScoreError("Need at least one target.")
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, len(targets), size=(resamples, len(targets)))
    values = np.empty(chosen.shape)
    for index, (scores, member) in enumerate(targets):
        places = chosen == index
        values[places] = draw(scores, member, rng, int(np.count_nonzero(places)))
    return _percentiles(values.mean(axis=1), level, "clustered-bootstrap")


def multiplicities(n: int, resamples: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """How often each of ``n`` items is drawn in each resample, [resamples, n]."""
    drawn = rng.integers(0, n, size=(resamples, n)) + n * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * n).reshape(resamples, n)


def _percentiles(values: Floats, level: float, method: str) -> Interval:
    error = tail(level)
    low, high = np.quantile(values, [error, 1 - error])
    return Interval(float(low), float(high), level, method)
