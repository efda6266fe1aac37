"""Leakage class by class: whether an attack finds the members of one class more easily than those of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..intervals import delong_interval
from ..metrics import auc, tpr_at_fpr
from ..records import FPRS, Row
from ..scores import Scores
from .curves import LIMIT
from .labels import Labels
from .names import attack_names, attack_rank, target_key, target_names, variant_names

_FPR = FPRS["tpr_at_1pct"]


def by_class(scores: Scores, label: Mapping[int, int]) -> list[dict[str, Any]]:
    """For each class: the AUC between its members and its non-members, and who is called a member in it.

    The AUC needs no threshold, so that a class with few examples still has a sound interval (DeLong). The calls are
    made at the one threshold of the whole target where the FPR is at most 1 %.

    Args:
        scores: of one attack on one variant.
        label: class by the example's id.

    Returns:
        For each class in ascending order ``class``, ``members``, ``nonmembers``, ``auc``, ``low``, ``high`` (None with
        fewer than two examples on a side), ``tp`` and ``fp``. Empty where an example has no class.

    Raises:
        ScoreError: see ``metrics.checked``.
    """
    if not all(example in label for example in scores.example.tolist()):
        return []
    classes = np.array([label[example] for example in scores.example.tolist()])
    called = scores.score >= tpr_at_fpr(scores.score, scores.member, _FPR).threshold
    found = []
    for one in np.unique(classes).tolist():
        here = classes == one
        score, member = scores.score[here], scores.member[here]
        line: dict[str, Any] = {
            "class": one, "members": int(member.sum()), "nonmembers": int((~member).sum()),
            "tp": int((called[here] & member).sum()), "fp": int((called[here] & ~member).sum()),
            "auc": None, "low": None, "high": None,
        }  # fmt: skip
        if min(line["members"], line["nonmembers"]) > 1:
            ends = delong_interval(score, member)
            line |= {"auc": _short(auc(score, member)), "low": _short(ends.low), "high": _short(ends.high)}
        found.append(line)
    return found


def classes(rows: Sequence[Row], kept: Mapping[str, Scores], label: Labels, limit: int = LIMIT) -> list[dict[str, Any]]:
    """``by_class`` for the rows whose scores are kept, at most ``limit``, with the row's own AUC beside.

    Raises:
        ScoreError: see ``metrics.checked``.
    """
    names, attacks, targets = variant_names(rows), attack_names(rows), target_names(rows)
    found: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda row: (attack_rank(row.attack), row.shadows)):
        scores = kept.get(row.scores_sha256)
        if scores is None or len(found) == limit:
            continue
        if lines := by_class(scores, label.get(row.data_sha256, {})):
            found.append(
                {
                    "variant": names[row.framework, row.setting], "attack": attacks[row.attack, row.shadows],
                    "target": targets[target_key(row)], "auc": _short(row.auc), "classes": lines,
                }
            )  # fmt: skip
    return found


def _short(value: float) -> float:
    return float(f"{value:.6g}")
