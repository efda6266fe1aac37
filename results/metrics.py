"""Metrics of membership scores: the ROC curve, AUC, TPR at a low FPR, balanced accuracy. Members are positive.

An example is called a member when its score is *at least* the threshold, so examples with the same score are always
called together: ties are indivisible. Everything is counted exactly, in integers, before the one division.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Resolution = Literal["undefined", "noisy", "fine"]


class ScoreError(ValueError):
    """Scores and membership that no metric can be computed from."""


@dataclass(frozen=True)
class Roc:
    """Every operating point of a set of scores, from the strictest threshold to the laxest.

    Attributes:
        thresholds: the distinct scores in descending order after a first +inf, [points].
        tp: members scored at least the threshold, int64 [points]; 0 first, all members last.
        fp: non-members scored at least the threshold, int64 [points].
        n_members: number of members.
        n_nonmembers: number of non-members.
    """

    thresholds: Floats
    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    n_members: int
    n_nonmembers: int

    @property
    def tpr(self) -> Floats:
        """True positive rates, [points], from 0 to 1."""
        return self.tp / self.n_members

    @property
    def fpr(self) -> Floats:
        """False positive rates, [points], from 0 to 1."""
        return self.fp / self.n_nonmembers


@dataclass(frozen=True)
class OperatingPoint:
    """One threshold and what it does.

    Attributes:
        tpr: fraction of members scored at least ``threshold``.
        fpr: fraction of non-members scored at least ``threshold``: the realised FPR, not the one asked for.
        threshold: +inf where nothing is called a member.
        tp: members called members.
        fp: non-members called members.
        n_members: number of members.
        n_nonmembers: number of non-members.
    """

    tpr: float
    fpr: float
    threshold: float
    tp: int
    fp: int
    n_members: int
    n_nonmembers: int


def checked(scores: Floats, member: Bools) -> tuple[Floats, Bools]:
    """Scores as float64 and membership as bool, once they are known to be usable.

    Args:
        scores: floating point [examples], higher = member.
        member: bool [examples].

    Raises:
        ScoreError: another type or shape, unequal lengths, a score that is not finite, or one class missing.
    """
    scores, member = np.asarray(scores), np.asarray(member)
    if scores.dtype not in (np.float64, np.float32, np.float16):
        raise ScoreError(f"Scores must be float64, float32 or float16, got {scores.dtype}. Convert them first.")
    if member.dtype != np.bool_:
        raise ScoreError(
            f"Membership must be bool, got {member.dtype}. Libraries disagree on whether 1 means member: "
            "pass `labels == <the member's label>`."
        )
    if scores.ndim != 1 or scores.shape != member.shape:
        raise ScoreError(
            f"Scores and membership must both be [examples], got {list(scores.shape)} and {list(member.shape)}."
        )
    if bad := int(np.count_nonzero(~np.isfinite(scores))):
        first = int(np.flatnonzero(~np.isfinite(scores))[0])
        raise ScoreError(
            f"{bad} of {len(scores)} scores are not finite; the first is {scores[first]} at position {first}. "
            "Mend the attack: dropping examples would change the metric."
        )
    members = int(np.count_nonzero(member))
    if members in (0, len(member)):
        raise ScoreError(f"Need members and non-members, got {members} and {len(member) - members}.")
    return scores.astype(np.float64), member


def split_by_class(scores: Floats, member: Bools) -> tuple[Floats, Floats]:
    """Scores of the members and of the non-members, each ascending.

    Raises:
        ScoreError: see ``checked``.
    """
    scores, member = checked(scores, member)
    return np.sort(scores[member]), np.sort(scores[~member])


def roc(scores: Floats, member: Bools) -> Roc:
    """The ROC curve over all thresholds, none dropped, with both end points (0, 0) and (1, 1).

    Args:
        scores: floating point [examples], higher = member.
        member: bool [examples].

    Raises:
        ScoreError: see ``checked``.
    """
    scores, member = checked(scores, member)
    distinct, group = np.unique(-scores, return_inverse=True)
    tp = np.cumsum(np.bincount(group[member], minlength=len(distinct)))
    fp = np.cumsum(np.bincount(group[~member], minlength=len(distinct)))
    return Roc(
        thresholds=np.concatenate([[np.inf], 0.0 - distinct]),
        tp=np.concatenate([[0], tp]).astype(np.int64),
        fp=np.concatenate([[0], fp]).astype(np.int64),
        n_members=int(tp[-1]),
        n_nonmembers=int(fp[-1]),
    )


def auc(scores: Floats, member: Bools) -> float:
    """Chance that a random member is scored above a random non-member, ties counting half (Mann-Whitney).

    Args:
        scores: floating point [examples], higher = member.
        member: bool [examples].

    Raises:
        ScoreError: see ``checked``.
    """
    curve = roc(scores, member)
    doubled = int(np.sum(np.diff(curve.fp) * (curve.tp[1:] + curve.tp[:-1])))
    return doubled / (2 * curve.n_members * curve.n_nonmembers)


def resolution(n_nonmembers: int, fpr: float) -> Resolution:
    """Whether so many non-members can show so low an FPR.

    Returns:
        ``undefined`` where even one false positive exceeds ``fpr`` (n/a in every table), ``noisy`` where fewer
        than ten are allowed, else ``fine``.
    """
    if 1 / n_nonmembers > fpr:
        return "undefined"
    return "noisy" if 10 / n_nonmembers > fpr else "fine"


def tpr_at_fpr(scores: Floats, member: Bools, fpr: float) -> OperatingPoint:
    """The operating point with the largest TPR among the thresholds whose FPR is at most ``fpr``.

    Where several thresholds reach that TPR, the one with the fewest false positives. The point is always returned;
    ask ``resolution`` whether its TPR may be published.

    Args:
        scores: floating point [examples], higher = member.
        member: bool [examples].
        fpr: the false positive rate asked for, in [0, 1].

    Raises:
        ScoreError: see ``checked``, or ``fpr`` outside [0, 1].
    """
    if not 0.0 <= fpr <= 1.0:
        raise ScoreError(f"The false positive rate must lie in [0, 1], got {fpr}.")
    curve = roc(scores, member)
    last = int(np.searchsorted(curve.fpr, fpr, side="right")) - 1
    best = int(np.searchsorted(curve.tp, curve.tp[last], side="left"))
    return _point(curve, best)


def point_at(scores: Floats, member: Bools, threshold: float) -> OperatingPoint:
    """The operating point of a threshold that was chosen elsewhere, on the shadows.

    Raises:
        ScoreError: see ``checked``, or the threshold is NaN.
    """
    scores, member = checked(scores, member)
    if np.isnan(threshold):
        raise ScoreError("The threshold is NaN: the attack did not calibrate it on its shadows.")
    called = scores >= threshold
    tp, fp = int(np.count_nonzero(called & member)), int(np.count_nonzero(called & ~member))
    members = int(np.count_nonzero(member))
    others = len(member) - members
    return OperatingPoint(tp / members, fp / others, float(threshold), tp, fp, members, others)


def balanced_accuracy(scores: Floats, member: Bools, threshold: float) -> float:
    """Mean of the true positive and true negative rates at a threshold that was chosen on the shadows.

    Raises:
        ScoreError: see ``point_at``.
    """
    point = point_at(scores, member, threshold)
    return (point.tpr + (point.n_nonmembers - point.fp) / point.n_nonmembers) / 2


def _point(curve: Roc, index: int) -> OperatingPoint:
    tp, fp = int(curve.tp[index]), int(curve.fp[index])
    return OperatingPoint(
        tpr=tp / curve.n_members,
        fpr=fp / curve.n_nonmembers,
        threshold=float(curve.thresholds[index]),
        tp=tp,
        fp=fp,
        n_members=curve.n_members,
        n_nonmembers=curve.n_nonmembers,
    )
