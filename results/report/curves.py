"""ROC curves with intervals, from the kept scores, thinned to what a log-log plot can show.

A curve is given at numbers of allowed false positives, not at every threshold: each up to 20, then 15 a decade.
At each stands the largest TPR with no more false positives than that, so every point of it is a point of the full
curve's staircase, and none flatters the attack.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..intervals import tpr_interval
from ..metrics import roc
from ..records import FPRS, Row, bootstrap_seed
from ..scores import Scores
from .names import attack_names, attack_rank, held, target_key, target_names, variant_names

LIMIT = 240  # curves in a page: some 2 kB each
ALONE = "the original alone"
_SINGLY, _A_DECADE = 20, 15


@dataclass(frozen=True)
class Curve:
    """An attack's ROC curve on one variant of one target.

    Attributes:
        variant: what the attacker holds.
        attack: its name.
        target: the attacked model.
        allowed: false positives allowed at each point, int64 [points].
        tp: most true positives at so many, int64 [points].
        low: lower end of the TPR's pointwise 95 % interval, [points].
        high: its upper end, [points].
        n_members: number of members.
        n_nonmembers: number of non-members.
    """

    variant: str
    attack: str
    target: str
    allowed: NDArray[np.int64]
    tp: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n_members: int
    n_nonmembers: int


def curve(scores: Scores, resamples: int, *, variant: str, attack: str, target: str) -> Curve:
    """The curve of ``scores`` with its band.

    All points of a curve draw from the seed of its row's ``tpr_at_1pct``, so that the band there is the row's interval
    to the last digit.

    Raises:
        ScoreError: see ``metrics.checked``.
    """
    full = roc(scores.score, scores.member)
    allowed = allowed_counts(full.n_nonmembers)
    tp = full.tp[np.searchsorted(full.fp, allowed, side="right") - 1]
    seed = int(np.random.SeedSequence(bootstrap_seed(scores.sha256)).generate_state(1 + len(FPRS))[1])
    ends = [
        tpr_interval(scores.score, scores.member, k / full.n_nonmembers, seed=seed, resamples=resamples)
        for k in allowed.tolist()
    ]
    low, high = np.array([e.low for e in ends]), np.array([e.high for e in ends])
    return Curve(variant, attack, target, allowed, tp, low, high, full.n_members, full.n_nonmembers)


def allowed_counts(n_nonmembers: int) -> NDArray[np.int64]:
    """Numbers of false positives at which a curve is given, ascending, each below ``n_nonmembers``."""
    decades = np.log10(max(n_nonmembers, _SINGLY) / _SINGLY)
    later = _SINGLY * 10 ** (np.arange(int(decades * _A_DECADE) + 1) / _A_DECADE)
    counts = np.unique(np.concatenate([np.arange(1, _SINGLY + 1), np.round(later).astype(np.int64)]))
    return counts[counts < n_nonmembers].astype(np.int64)


def curves(rows: Sequence[Row], kept: Mapping[str, Scores], limit: int = LIMIT) -> list[Curve]:
    """Curves of the rows whose scores are kept, and of what each is compared with; at most ``limit``.

    Where there are more, those attacks come first that the printed table shows too; they are fixed beforehand.

    Args:
        rows: of the targets.
        kept: scores by their hash.
        limit: on the number of curves.

    Raises:
        ScoreError: see ``metrics.checked``.
    """
    names, attacks, targets = variant_names(rows), attack_names(rows), target_names(rows)
    first = sorted(rows, key=lambda row: attack_rank(row.attack)[0])
    own = {row.scores_sha256 for row in rows}
    wanted: dict[str, tuple[Row, str]] = {}
    for row in first:
        name = names[row.framework, row.setting]
        alone = ALONE if len(held(row)) == 1 else f"{ALONE}, in place of {name}"
        for sha256, title in ((row.scores_sha256, name), (row.baseline_sha256, alone)):
            if sha256 in kept and (title == name or sha256 not in own) and len(wanted) < limit:
                wanted.setdefault(sha256, (row, title))
    rank = {name: i for i, name in enumerate(names.values())}
    ordered = sorted(
        wanted.items(),
        key=lambda item: (attack_rank(item[1][0].attack), item[1][0].shadows, rank.get(item[1][1], -1)),
    )
    return [
        curve(
            kept[sha256], row.resamples, variant=title,
            attack=attacks[row.attack, row.shadows], target=targets[target_key(row)],
        )
        for sha256, (row, title) in ordered
    ]  # fmt: skip


def as_data(found: Sequence[Curve]) -> list[dict[str, Any]]:
    """The curves as the page takes them."""
    return list(_as_data(found))


def _as_data(found: Sequence[Curve]) -> Iterator[dict[str, Any]]:
    for c in found:
        yield {
            "variant": c.variant, "attack": c.attack, "target": c.target,
            "members": c.n_members, "nonmembers": c.n_nonmembers,
            "allowed": c.allowed.tolist(), "tp": c.tp.tolist(),
            "low": [float(f"{x:.4g}") for x in c.low.tolist()],
            "high": [float(f"{x:.4g}") for x in c.high.tolist()],
        }  # fmt: skip
