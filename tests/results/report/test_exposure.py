"""Who is exposed only by several models: counted rightly, and held against chance."""

import numpy as np
import pytest

from compleak.results.metrics import tpr_at_fpr
from compleak.results.report.examples import Tally, examples
from compleak.results.report.exposure import exposed, pair, times_exposed
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
        tp = np.sum((true > barrier)[1] & ~(true > barrier)[0])
        fp = np.sum((false >= barrier)[1] & ~(false >= barrier)[0])
        values.append(tp - m * fp / n)
    return np.array(values)


def test_counts_by_hand():
    member = np.array([True] * 4 + [False] * 4)
    old = np.array([9.0, 1, 1, 1, 2, 2, 2, 2])  # exposes the first member
    new = np.array([1.0, 9, 8, 1, 2, 2, 2, 7.5])  # exposes the second and third
    made = [Scores.of(np.arange(8), member, s, target="t", variant="v", attack="a", threshold=0.0) for s in (old, new)]
    found = pair(*made, 0.2)
    # The best non-member of the second, 7.5, would be exposed among the other three; of equal ones, none is.
    assert (found.only_attack, found.only_baseline, found.both, found.false_only_attack) == (2, 1, 0, 1)
    assert found.expected == 1 and found.excess == 1
    assert found.low is None and found.high is None
    assert exposed(made[1], 0.25).tolist() == [False, True, True, False, False, False, False, True]


@pytest.mark.parametrize("fpr", [0.001, 0.01, 0.2])
@pytest.mark.parametrize("digits", [0, 1, 9])
def test_members_are_those_of_the_metric_and_non_members_are_left_out_one_by_one(fpr, digits):
    rng = np.random.default_rng(5)
    member = np.repeat([True, False], 300)
    score = np.round(rng.normal(size=600) + member, digits)
    found = exposed(Scores.of(np.arange(600), member, score, target="t", variant="v", attack="a", threshold=0.0), fpr)
    point = tpr_at_fpr(score, member, fpr)
    assert found[member].tolist() == (score >= point.threshold)[member].tolist()
    for i in range(300, 600):
        rivals = np.count_nonzero(score[300:] >= score[i]) - 1
        assert found[i] == (rivals <= int(300 * fpr + 1e-9))


@pytest.mark.parametrize("alike", [0.0, 0.9])
def test_a_tally_over_dozens_of_rows_expects_what_nothing_exposes(make_row, alike):
    """No row finds anything: members and non-members are exposed alike, however many rows there are."""
    accesses = ["one-model"] * 12 + ["original+compressed"] * 12 + ["multiple"] * 12
    gaps: dict[str, list[float]] = {"1 %": [], "0.1 %": []}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        common, member, kept, rows = rng.normal(size=2 * N), np.repeat([True, False], N), {}, []
        for i, access in enumerate(accesses):
            score = np.sqrt(alike) * common + np.sqrt(1 - alike) * rng.normal(size=2 * N)
            own = Scores.of(np.arange(2 * N), member, score, target="t", variant=str(i), attack="a", threshold=0.0)
            kept[own.sha256] = own
            rows.append(make_row(setting=f"s{i}", access=access, scores_sha256=own.sha256, n_members=N, n_nonmembers=N))
        for tally in examples(rows, kept, {})[1]:
            assert isinstance(tally, Tally) and (tally.one_model, tally.several) == (12, 24)
            gaps[tally.fpr].append(tally.members - tally.expected)
    for found in gaps.values():
        assert abs(np.mean(found)) < 3.5 * np.std(found) / np.sqrt(len(found))


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
