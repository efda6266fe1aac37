"""A drawn curve is the curve: each of its points, and the intervals that rows state."""

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from compleak.results.intervals import tpr_interval
from compleak.results.records import evaluate
from compleak.results.report.curves import allowed_counts, curve, curves

from .conftest import draw


def test_each_point_is_the_best_rate_at_its_false_positives():
    scores = draw(0.8, 0, "compleak-sr2-rf", "v")
    found = curve(scores, 50, variant="v", attack="a", target="t")
    fpr, tpr, _ = roc_curve(scores.member, scores.score, drop_intermediate=False)
    best = [tpr[fpr <= k / found.n_nonmembers + 1e-12].max() for k in found.allowed]
    assert found.tp / found.n_members == pytest.approx(best, abs=1e-12)
    assert (found.low <= found.tp / found.n_members).all() and (found.tp / found.n_members <= found.high).all()


def test_ties_are_called_together():
    scores = draw(0.8, 0, "a", "v")
    rounded = type(scores).of(
        scores.example, scores.member, np.round(scores.score), target="t", variant="v", attack="a", threshold=0.0
    )
    fpr, tpr, _ = roc_curve(rounded.member, rounded.score, drop_intermediate=False)
    found = curve(rounded, 50, variant="v", attack="a", target="t")
    best = [tpr[fpr <= k / found.n_nonmembers + 1e-12].max() for k in found.allowed]
    assert found.tp / found.n_members == pytest.approx(best, abs=1e-12)


def test_the_band_at_one_percent_is_the_rows_interval():
    scores = draw(0.8, 0, "compleak-sr2-rf", "v")
    row = evaluate(scores.score, scores.member, 0.0, seed=int(scores.sha256[:8], 16), resamples=50).cells
    found = curve(scores, 50, variant="v", attack="a", target="t")
    at = found.allowed.tolist().index(10)
    assert (found.low[at], found.high[at]) == (row["tpr_at_1pct_low"], row["tpr_at_1pct_high"])
    assert tpr_interval(scores.score, scores.member, 0.01, seed=5, resamples=50).low != 0


@pytest.mark.parametrize("n", [2, 20, 21, 1000, 123_456])
def test_counts_ascend_singly_and_stay_below_the_number_of_nonmembers(n):
    counts = allowed_counts(n)
    assert counts[0] == 1 and counts[-1] < n and (np.diff(counts) > 0).all()
    assert counts[:19].tolist() == list(range(1, min(n, 20)))
    assert len(counts) < 20 + 15 * max(1, np.log10(n))


def test_curves_name_what_is_held_and_what_it_is_compared_with(results):
    found = curves(results.rows, results.scores)
    first = {(c.attack, c.variant) for c in found if c.target == "target-0"}
    assert ("nr-train2-rf", "original") in first and ("nr-train2-rf", "the original alone") not in first
    assert ("sr2-rf", "the original alone") in first
    assert ("mr", "the original alone, in place of original + 2 of tflite") in first
    assert len(found) == len({(c.attack, c.variant, c.target) for c in found})
    assert found[0].attack == "nr-train2-rf"
    assert len(curves(results.rows, results.scores, limit=3)) == 3
    assert curves(results.rows, {}) == []
