"""Leakage against size and against accuracy: which variants are not beaten in both at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..comparison.pareto import front
from ..records import Row
from .names import attack_names, attack_rank, target_key, target_names


def tradeoff(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """For each attack on single models of a target: which rows it has, and which of them are on a Pareto front.

    Args:
        rows: the leaderboard's; the page has their numbers already, so rows are named by their place in it.

    Returns:
        For each attack and target ``attack``, ``target``, ``rows``, and three lists of booleans, one a row: on the
        front of AUC and size (``size``), of AUC and accuracy (``accuracy``), and of all three (``all``).
    """
    attacks, targets = attack_names(rows), target_names(rows)
    groups: dict[tuple[str, int, tuple[str, ...]], list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        if isinstance(row.bytes_gzip, int) and isinstance(row.accuracy, float):
            groups[row.attack, row.shadows, target_key(row)].append(index)
    found = []
    for (attack, shadows, target), places in sorted(groups.items(), key=lambda g: (attack_rank(g[0][0]), g[0][1])):
        points = np.array([_point(rows[i]) for i in places], dtype=np.float64)
        if len(points) > 1:
            found.append(
                {
                    "attack": attacks[attack, shadows], "target": targets[target], "rows": places,
                    "size": front(points[:, [0, 1]]).tolist(),
                    "accuracy": front(points[:, [0, 2]]).tolist(),
                    "all": front(points).tolist(),
                }
            )  # fmt: skip
    return found


def _point(row: Row) -> tuple[float, float, float]:
    assert isinstance(row.bytes_gzip, int) and isinstance(row.accuracy, float)  # noqa: S101 (for the type checker)
    return row.auc, float(row.bytes_gzip), -row.accuracy
