"""Who is exposed only by several models: counted rightly, and held against chance."""

import numpy as np
import pytest

from compleak.results.report.exposure import by_chance, exposed, pair, times_exposed
from compleak.results.scores import Scores

from .conftest import N, draw


def brute(old, new, member, fpr, resamples, seed):
    """The same bootstrap, resampling every example."""
    rng, values = np.random.default_rng(seed), []
    others, members = np.stack([old, new])[:, ~member], np.stack([old, new])[:, member]
    n, m = others.shape[1], members.shape[1]
    for _ in range(resamples):
        false, true = others[:, rng.integers(0, n, n)], members[:, rng.integers(0, m, m)]
        barrier = np.sort(false, axis=1)[:, [n - int(n * fpr + 1e-9) - 1]]
        threshold = np.where(true > barrier, true, np.inf).min(axis=1, keepdims=True)
        tp, fp = (np.sum((g >= threshold)[1] & ~(g >= threshold)[0]) for g in (true, false))
        values.append(tp - m * (fp + 1) / (n + 1))
    return np.array(values)


def test_counts_by_hand():
    member = np.array([True] * 4 + [False] * 4)
    old = np.array([9.0, 1, 1, 1, 2, 2, 2, 2])  # exposes the first member
    new = np.array([1.0, 9, 8, 1, 2, 2, 2, 7.5])  # exposes the second and third
    made = [Scores.of(np.arange(8), member, s, target="t", variant="v", attack="a", threshold=0.0) for s in (old, new)]
    found = pair(*made, 0.2)
    assert (found.only_attack, found.only_baseline, found.both, found.false_only_attack) == (2, 1, 0, 0)
    assert found.expected == pytest.approx(4 * 1 / 5) and found.excess == pytest.approx(2 - 0.8)
    assert found.low is None and found.high is None
    assert exposed(made[1], 0.25).tolist() == [False, True, True, False, False, False, False, False]


def test_chance_is_never_put_at_nothing():
    assert by_chance(0, 1000, 1000) == pytest.approx(1000 / 1001)
    assert by_chance(9, 500, 999) == pytest.approx(5.0)


def test_the_interval_is_that_of_a_bootstrap_of_all_examples():
    old = draw(0.7, 1, "a", "original")
    new = draw(0.5, 2, "a", "v", like=old)
    found = pair(old, new, 0.01, resamples=1500)
    slow = brute(old.score, new.score, new.member, 0.01, 1500, seed=9)
    assert [found.low, found.high] == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=3.5)


def test_an_attack_that_adds_nothing_exposes_what_chance_does():
    """Independent noise on the baseline: over many draws, members and non-members are exposed alike."""
    excess = []
    for seed in range(30):
        old = draw(0.0, seed, "a", "original")
        excess.append(pair(old, draw(0.0, 1000 + seed, "a", "v", like=old), 0.01, resamples=2).excess)
    assert abs(np.mean(excess)) < 4 * np.std(excess) / np.sqrt(len(excess)) + 1.5


def test_no_interval_where_few_false_positives_are_allowed_or_all_agree():
    old, new = draw(0.7, 1, "a", "original"), draw(0.5, 2, "a", "v")
    assert pair(old, new, 0.001).low is None
    assert pair(old, old, 0.01).low is None


def test_times_exposed_counts_rows(results):
    rows = [r for r in results.rows if r.target == "target-0" and r.access == "one-model"]
    like = results.scores_of(rows[0])
    count = times_exposed(rows, results.scores, like, 0.01)
    assert count.shape == (2 * N,) and count.max() <= len(rows)
    assert count.sum() == sum(exposed(results.scores_of(r), 0.01).sum() for r in rows)
