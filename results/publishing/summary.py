"""``NAME.summary.csv``: a leaderboard aggregated over targets, a line for each attack on each variant.

A number is the mean over targets. Its interval says where the mean of *other* targets of the same recipe would lie:
targets are resampled, and the examples within each (``clustered_bootstrap``). One target says nothing about others, so
there the interval is ``n/a``, and so it is for a TPR whose FPR allows fewer than ten false positives, where resampling
cannot be trusted.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from functools import partial
from statistics import fmean

import numpy as np

from ..bootstrap import (
    Resampler,
    clustered_bootstrap,
    multiplicities,
    resample_auc,
    resample_balanced_accuracy,
    resample_tpr,
)
from ..leaderboard import format_cell, neutral, sort_rows
from ..metrics import Bools, Floats, resolution
from ..records import FPRS, UNDEFINED, Cell, Row, bootstrap_seed
from ..scores import Scores, paired

GROUP = (
    "suite", "data", "data_sha256", "model", "framework", "technique", "setting", "attack", "access", "shadows",
)  # fmt: skip
METRICS = ("auc", "balanced_accuracy", *FPRS, "auc_minus_original")
FACTS = (
    "accuracy_original", "accuracy", "accuracy_members", "agreement", "sparsity", "bytes", "bytes_gzip",
    "compression_ratio", "latency_ms",
)  # fmt: skip
FEW = 10
_CELLS = 250_000  # array elements that a chunk of resamples may take
ONE_TARGET = "none: one target says nothing about others"


def summary_columns() -> list[str]:
    """Names of the columns, in order."""
    ends = [f"{name}{end}" for name in METRICS for end in ("", "_low", "_high")]
    return [*GROUP, "targets", *ends, "interval", *FACTS]


def summary_csv(rows: Sequence[Row], scores: Mapping[str, Scores]) -> str:
    """The file's text; the same rows in any order give the same text.

    Args:
        rows: of the targets, the null control not among them; no target twice in a group.
        scores: by hash, those of the rows and of their baselines.

    Raises:
        KeyError: scores that are needed are missing.
        ScoreError: a row and its baseline are not about the same examples.
    """
    groups: dict[tuple[str | int, ...], list[Row]] = {}
    for row in sort_rows(rows):
        groups.setdefault(tuple(getattr(row, name) for name in GROUP), []).append(row)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(summary_columns())
    for names, group in groups.items():
        writer.writerow([neutral(str(name)) for name in names] + _line(group, scores))
    return text.getvalue()


def _line(group: Sequence[Row], scores: Mapping[str, Scores]) -> list[str]:
    cells: list[str | Cell] = [len(group)]
    of_row = [row.cells() for row in group]
    for name in METRICS:
        mean = _mean([c[name] for c in of_row])
        cells += [mean, *_interval(name, mean, group, scores)]
    few = f" (too narrow for fewer than {FEW})" if len(group) < FEW else ""
    how = ONE_TARGET if len(group) == 1 else f"clustered bootstrap over {len(group)} targets{few}"
    return [format_cell(c) for c in [*cells, how, *(_mean([c[name] for c in of_row]) for name in FACTS)]]


def _mean(cells: Sequence[str | Cell]) -> Cell:
    """Mean of the numbers as the rows' file has them, so that whoever has the file gets the same."""
    if UNDEFINED in cells:
        return UNDEFINED
    numbers = [float(format_cell(cell)) for cell in cells if isinstance(cell, int | float)]
    # Differences that cancel leave 1e-17, which is no result.
    return round(fmean(numbers), 12) if len(numbers) == len(cells) else None


def _interval(name: str, mean: Cell, group: Sequence[Row], scores: Mapping[str, Scores]) -> tuple[Cell, Cell]:
    if mean is None:
        return None, None
    if len(group) == 1 or mean == UNDEFINED:
        return UNDEFINED, UNDEFINED
    found = [scores[row.scores_sha256] for row in group]
    if name in FPRS and any(resolution(int(np.count_nonzero(~s.member)), FPRS[name]) != "fine" for s in found):
        return UNDEFINED, UNDEFINED
    digest = hashlib.sha256("".join([name, *(s.sha256 for s in found)]).encode()).hexdigest()
    seed, resamples = bootstrap_seed(digest), min(row.resamples for row in group)
    ends = clustered_bootstrap(_draw(name), _targets(name, group, scores), seed=seed, resamples=resamples)
    return ends.low, ends.high


def _draw(name: str) -> Resampler:
    if name in FPRS:
        return partial(resample_tpr, fpr=FPRS[name])
    if name == "balanced_accuracy":
        return partial(resample_balanced_accuracy, threshold=0.5)
    return resample_auc if name == "auc" else resample_auc_difference


def _targets(name: str, group: Sequence[Row], scores: Mapping[str, Scores]) -> list[tuple[Floats, Bools]]:
    """What ``_draw`` is to be given for each target, beside its membership."""
    found = [scores[row.scores_sha256] for row in group]
    if name == "auc_minus_original":
        both = [paired(scores[row.baseline_sha256], own) for row, own in zip(group, found, strict=True)]
        return [(np.stack([own, baseline]), member) for baseline, own, member, _ in both]
    if name == "balanced_accuracy":
        # Each target has a threshold of its own, from its shadows.
        return [((s.score >= s.threshold).astype(np.float64), s.member) for s in found]
    return [(s.score, s.member) for s in found]


def resample_auc_difference(scores: Floats, member: Bools, rng: np.random.Generator, resamples: int) -> Floats:
    """Bootstrap distribution of one attack's AUC less another's on the same resampled examples, [resamples]. Ours.

    Args:
        scores: of both attacks, [2, examples].
        member: bool [examples].
        rng: draws members and non-members apart, with replacement.
        resamples: how many.
    """
    members, others = scores[:, member], scores[:, ~member]
    orders = np.argsort(others, axis=1)
    ascending = np.take_along_axis(others, orders, axis=1)
    values = np.empty(resamples)
    step = max(1, _CELLS // scores.shape[1])
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        of_members, of_others = (multiplicities(n, count, rng) for n in (members.shape[1], others.shape[1]))
        wins = []
        for own, order, reference in zip(members, orders, ascending, strict=True):
            below = np.zeros((count, len(order) + 1), dtype=np.int64)
            np.cumsum(of_others[:, order], axis=1, out=below[:, 1:])
            beaten = below[:, np.searchsorted(reference, own, "left")]
            beaten = beaten + below[:, np.searchsorted(reference, own, "right")]
            wins.append(np.einsum("ij,ij->i", of_members, beaten))
        values[start : start + count] = (wins[0] - wins[1]) / (2 * members.shape[1] * others.shape[1])
    return values
