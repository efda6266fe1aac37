"""Decision thresholds, calibrated where membership is known: on shadow models."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def best_threshold(scores: NDArray[np.float64], member: NDArray[np.bool_]) -> float:
    """The observed score that maximises balanced accuracy when ``score >= threshold`` says member.

    Balanced accuracy is ½ (TPR + TNR). Every distinct score is a candidate and equal scores are never parted; of
    equally good candidates the lowest is taken (Song & Mittal 2021 take the first one met). It is never below ½,
    since the lowest score calls everything a member.

    Args:
        scores: [records], finite, higher = member.
        member: [records].

    Raises:
        ValueError: no member, or no non-member.
    """
    members = int(np.count_nonzero(member))
    outsiders = len(member) - members
    if members == 0 or outsiders == 0:
        raise ValueError(
            f"A threshold needs members and non-members to be calibrated on, got {members} and {outsiders}."
        )
    order = np.argsort(scores, kind="stable")
    candidates, first = np.unique(scores[order], return_index=True)
    below = np.concatenate([[0], np.cumsum(member[order])])[first]
    caught, wrong = members - below, outsiders - (first - below)
    # Balanced accuracy times 2 · members · outsiders, in whole numbers so that equal ones compare as equal.
    return float(candidates[np.argmax(caught * outsiders - wrong * members)])


def class_thresholds(
    scores: NDArray[np.float64], labels: NDArray[np.int64], member: NDArray[np.bool_], classes: int
) -> NDArray[np.float64]:
    """``best_threshold`` of every class, float64 [classes] (Song & Mittal 2021).

    A class without a member or without a non-member takes the threshold of all records together (ours).
    """
    thresholds = np.full(classes, best_threshold(scores, member))
    for label in np.unique(labels):
        own = labels == label
        if member[own].any() and not member[own].all():
            thresholds[label] = best_threshold(scores[own], member[own])
    return thresholds
