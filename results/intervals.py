"""Intervals around the metrics, and the paired test of one attack against another on the same examples.

Which interval, and why:

AUC
    DeLong et al. 1988 (variance) on the logit scale, which keeps it within (0, 1) and covers better near 1.
    Where all pairs agree (AUC 0 or 1, or every score the same) that variance is zero; the interval is then exact,
    from min(members, non-members) disjoint pairs, see ``unanimous_pairs``.
TPR at a low FPR
    A stratified bootstrap which estimates the threshold anew in each resample. Taking the threshold for known
    (plain Clopper-Pearson, or resampling members only) covers 64 to 77 % at a nominal 95 % (ours, simulated).
    Where few false positives are allowed, the bootstrap is too narrow too: ``conservative_tpr_interval``.
Balanced accuracy, or any rate at a threshold from the shadows
    That threshold is no estimate from these examples, so it stays as it is.
Several targets
    ``clustered_bootstrap``: targets are resampled, and then the examples within each.

All intervals treat examples as independent draws given the models; retraining the target would add variance that
only more targets can show.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from .bootstrap import clustered_bootstrap, resample_auc, resample_balanced_accuracy, resample_tpr, stratified_bootstrap
from .delong import PairedTest, delong_interval, delong_paired_test, holm
from .exact import Interval, clopper_pearson, conservative_tpr_interval, epsilon_lower_bound, unanimous_pairs
from .metrics import Bools, Floats, point_at, resolution

__all__ = [
    "Interval",
    "PairedTest",
    "balanced_accuracy_interval",
    "clopper_pearson",
    "clustered_bootstrap",
    "conservative_tpr_interval",
    "delong_interval",
    "delong_paired_test",
    "epsilon_lower_bound",
    "holm",
    "resample_auc",
    "resample_balanced_accuracy",
    "resample_tpr",
    "stratified_bootstrap",
    "tpr_interval",
    "unanimous_pairs",
]


def tpr_interval(
    scores: Floats, member: Bools, fpr: float, *, seed: int, resamples: int = 1000, level: float = 0.95
) -> Interval:
    """Interval for the TPR at ``fpr``: the bootstrap, or the conservative interval where that cannot be trusted.

    That is where fewer than ten false positives are allowed, or where all resamples agree.

    Raises:
        ScoreError: see ``metrics.checked``.
    """
    if resolution(int(np.count_nonzero(~member)), fpr) == "fine":
        draw = partial(resample_tpr, fpr=fpr)
        interval = stratified_bootstrap(draw, scores, member, seed=seed, resamples=resamples, level=level)
        if interval.low < interval.high:
            return interval
    return conservative_tpr_interval(scores, member, fpr, level)


def balanced_accuracy_interval(
    scores: Floats,
    member: Bools,
    threshold: float,
    *,
    seed: int,
    resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """Interval for the balanced accuracy: the bootstrap, or where all resamples agree, two exact rates (Bonferroni).

    Raises:
        ScoreError: see ``metrics.point_at``.
    """
    draw = partial(resample_balanced_accuracy, threshold=threshold)
    interval = stratified_bootstrap(draw, scores, member, seed=seed, resamples=resamples, level=level)
    if interval.low < interval.high:
        return interval
    point = point_at(scores, member, threshold)
    tpr = clopper_pearson(point.tp, point.n_members, (1 + level) / 2)
    fpr = clopper_pearson(point.fp, point.n_nonmembers, (1 + level) / 2)
    return Interval((tpr.low + 1 - fpr.high) / 2, (tpr.high + 1 - fpr.low) / 2, level, "clopper-pearson")
