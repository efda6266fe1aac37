"""Do the intervals cover what they claim to? Two Gaussians, whose true AUC and TPR are known. Prints its figures."""

import time
from functools import partial

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_curve

from compleak.results.intervals import (
    balanced_accuracy_interval,
    clopper_pearson,
    conservative_tpr_interval,
    delong_interval,
    resample_auc,
    resample_tpr,
    stratified_bootstrap,
    tpr_interval,
)
from compleak.results.metrics import tpr_at_fpr

SEPARATION = 0.5
AUC = float(norm.cdf(SEPARATION / np.sqrt(2)))
BALANCED = float(norm.cdf(SEPARATION / 2))


def true_tpr(fpr):
    return float(norm.cdf(SEPARATION - norm.isf(fpr)))


def naive(scores, member, seed, fpr):
    point = tpr_at_fpr(scores, member, fpr)
    return clopper_pearson(point.tp, point.n_members)


def coverage(n, truth, interval, repeats=2000):
    member = np.repeat([True, False], n)
    inside = 0
    for seed in range(repeats):
        scores = np.random.default_rng((seed, n)).normal(size=2 * n) + SEPARATION * member
        found = interval(scores, member, seed=seed)
        inside += found.low <= truth <= found.high
    print(f"n={n}+{n}, {repeats} repeats: covers {inside / repeats:.4f}")
    return inside / repeats


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "truth", "interval", "low", "high"),
    [
        (1000, AUC, lambda s, m, seed: delong_interval(s, m), 0.93, 0.97),
        (1000, AUC, partial(stratified_bootstrap, resample_auc, resamples=300), 0.93, 0.97),
        (1000, true_tpr(0.01), partial(tpr_interval, fpr=0.01, resamples=300), 0.93, 0.97),
        (10_000, true_tpr(0.001), partial(tpr_interval, fpr=0.001, resamples=300), 0.93, 0.97),
        (1000, BALANCED, partial(balanced_accuracy_interval, threshold=SEPARATION / 2, resamples=300), 0.93, 0.97),
        (200, true_tpr(0.01), partial(tpr_interval, fpr=0.01), 0.95, 1.0),
        (1000, true_tpr(0.001), partial(tpr_interval, fpr=0.001), 0.95, 1.0),
        (1000, true_tpr(0.01), lambda s, m, seed: conservative_tpr_interval(s, m, 0.01), 0.95, 1.0),
        (1000, true_tpr(0.01), partial(naive, fpr=0.01), 0.60, 0.80),
        (
            1000,
            true_tpr(0.001),
            partial(stratified_bootstrap, partial(resample_tpr, fpr=0.001), resamples=300),
            0.75,
            0.92,
        ),
    ],
    ids=[
        "auc-delong",
        "auc-bootstrap",
        "tpr-1pct",
        "tpr-0.1pct",
        "balanced-accuracy",
        "tpr-1pct-few",
        "tpr-0.1pct-few",
        "tpr-1pct-conservative",
        "the-trap-threshold-taken-as-known",
        "the-trap-bootstrap-of-one-false-positive",
    ],
)
def test_intervals_cover_what_they_claim(n, truth, interval, low, high):
    assert low <= coverage(n, truth, interval) <= high


@pytest.mark.slow
def test_bootstrap_is_thirty_times_as_fast_as_a_loop_over_scikit_learn():
    member = np.repeat([True, False], 10_000)
    rng = np.random.default_rng(0)
    scores = rng.normal(size=20_000) + SEPARATION * member
    inside, outside = np.flatnonzero(member), np.flatnonzero(~member)

    start, loops = time.perf_counter(), 30
    for _ in range(loops):
        index = np.concatenate([rng.choice(inside, 10_000), rng.choice(outside, 10_000)])
        fpr, tpr, _ = roc_curve(member[index], scores[index], drop_intermediate=False)
        tpr[fpr <= 0.001].max()
    loop = (time.perf_counter() - start) * 1000 / loops

    for name, draw in (("TPR at 0.1 %", partial(resample_tpr, fpr=0.001)), ("AUC", resample_auc)):
        start = time.perf_counter()
        stratified_bootstrap(draw, scores, member, seed=0, resamples=1000)
        ours = time.perf_counter() - start
        print(f"{name}: 1000 resamples of 20,000 scores, loop {loop:.2f} s, ours {ours:.4f} s, {loop / ours:.0f} times")
        if name != "AUC":
            assert loop > 30 * ours
