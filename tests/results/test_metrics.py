"""Metrics against other implementations, closed forms and the invariances that any ranking metric has."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import balanced_accuracy_score, roc_auc_score, roc_curve

from compleak.results.metrics import ScoreError, auc, balanced_accuracy, point_at, resolution, roc, tpr_at_fpr


@st.composite
def scored(draw):
    """Few distinct scores, so that ties abound; both classes present."""
    size = draw(st.integers(2, 40))
    scores = draw(st.lists(st.integers(-4, 4), min_size=size, max_size=size))
    member = draw(st.lists(st.booleans(), min_size=size, max_size=size).filter(lambda m: 0 < sum(m) < len(m)))
    return np.asarray(scores, dtype=np.float64), np.asarray(member)


def every_threshold(scores, member, fpr):
    """The definition, spelled out: the largest TPR among all thresholds that keep to the FPR, then the least FP."""
    best = (0, 0, np.inf)
    for threshold in np.unique(scores)[::-1]:
        called = scores >= threshold
        tp, fp = int(np.sum(called & member)), int(np.sum(called & ~member))
        if fp / np.sum(~member) <= fpr and tp > best[0]:
            best = (tp, fp, threshold)
    return best


@given(scored())
def test_auc_is_that_of_scikit_learn_and_of_its_definition(case):
    scores, member = case
    x, y = scores[member][:, None], scores[~member][None, :]
    assert auc(scores, member) == pytest.approx(np.mean((x > y) + 0.5 * (x == y)), abs=1e-12)
    assert auc(scores, member) == pytest.approx(roc_auc_score(member, scores), abs=1e-12)


@given(scored())
def test_roc_is_the_undropped_curve_of_scikit_learn(case):
    scores, member = case
    fpr, tpr, thresholds = roc_curve(member, scores, drop_intermediate=False)
    curve = roc(scores, member)
    np.testing.assert_allclose(curve.fpr, fpr)
    np.testing.assert_allclose(curve.tpr, tpr)
    np.testing.assert_array_equal(curve.thresholds, thresholds)
    assert (curve.fpr[0], curve.tpr[0], curve.fpr[-1], curve.tpr[-1]) == (0, 0, 1, 1)


@given(scored(), st.sampled_from([0.0, 0.001, 0.01, 0.1, 0.25, 0.29, 1 / 3, 0.5, 1.0]))
def test_tpr_at_fpr_is_the_best_of_all_thresholds(case, fpr):
    scores, member = case
    point = tpr_at_fpr(scores, member, fpr)
    assert (point.tp, point.fp, point.threshold) == every_threshold(scores, member, fpr)
    assert point.fpr <= fpr
    assert point == point_at(scores, member, point.threshold)


@given(scored(), st.randoms(use_true_random=False))
def test_metrics_ignore_the_order_of_examples(case, random):
    scores, member = case
    order = list(range(len(scores)))
    random.shuffle(order)
    assert auc(scores[order], member[order]) == auc(scores, member)
    assert tpr_at_fpr(scores[order], member[order], 0.2) == tpr_at_fpr(scores, member, 0.2)


@given(scored(), st.sampled_from([np.exp, np.cbrt, np.arctan, lambda s: 1e6 * s - 7]))
def test_metrics_ignore_strictly_monotone_transforms(case, transform):
    scores, member = case
    here, there = tpr_at_fpr(scores, member, 0.2), tpr_at_fpr(transform(scores), member, 0.2)
    assert auc(transform(scores), member) == auc(scores, member)
    assert (here.tp, here.fp) == (there.tp, there.fp)


@given(scored())
def test_turning_scores_round_turns_the_auc_round(case):
    scores, member = case
    assert auc(-scores, member) == pytest.approx(1 - auc(scores, member), abs=1e-12)


@given(st.lists(st.booleans(), min_size=2, max_size=50).filter(lambda m: 0 < sum(m) < len(m)))
def test_canary_an_attack_that_knows_membership_is_perfect(labels):
    member = np.asarray(labels)
    point = tpr_at_fpr(member.astype(float), member, 0.001)
    assert (point.tpr, point.fpr, auc(member.astype(float), member)) == (1.0, 0.0, 1.0)
    assert balanced_accuracy(member.astype(float), member, 0.5) == 1.0


@given(scored(), st.integers(-5, 5))
@settings(max_examples=50)
def test_balanced_accuracy_is_that_of_scikit_learn(case, threshold):
    scores, member = case
    expected = balanced_accuracy_score(member, scores >= threshold)
    assert balanced_accuracy(scores, member, threshold) == pytest.approx(expected, abs=1e-12)


def test_two_gaussians_have_the_closed_forms():
    # Exact normal quantiles in place of draws, so that nothing but the grid separates them from the formulas.
    grid = (np.arange(20_000) + 0.5) / 20_000
    scores = np.concatenate([norm.ppf(grid) + 1.5, norm.ppf(grid)])
    member = np.repeat([True, False], 20_000)
    assert auc(scores, member) == pytest.approx(norm.cdf(1.5 / np.sqrt(2)), abs=1e-6)
    for fpr in (0.001, 0.01, 0.1):
        assert tpr_at_fpr(scores, member, fpr).tpr == pytest.approx(norm.cdf(1.5 - norm.isf(fpr)), abs=2e-3)


def test_ties_are_indivisible():
    # Half of each class share the top score: with one of four non-members allowed, none of the ties may be called.
    scores = np.array([1.0, 1, 0, 0, 1, 1, 0, 0])
    member = np.repeat([True, False], 4)
    assert tpr_at_fpr(scores, member, 0.25).tp == 0
    assert (tpr_at_fpr(scores, member, 0.5).tp, tpr_at_fpr(scores, member, 0.5).fp) == (2, 2)


def test_a_curve_with_collinear_points_keeps_them():
    # Each threshold adds one member and one non-member: dropping collinear points would leave TPR 0 below FPR 1.
    scores = np.repeat(np.arange(10.0), 2)
    member = np.tile([True, False], 10)
    assert tpr_at_fpr(scores, member, 0.1).tpr == 0.1


@pytest.mark.parametrize("count", [10, 29, 57, 100])
def test_an_fpr_that_is_a_fraction_of_the_nonmembers_is_reached_exactly(count):
    # 0.29 * 100 is 28.999999999999996 in floating point; the count allowed is still 29.
    member = np.arange(200) < 100
    scores = np.concatenate([np.full(100, -1.0), np.arange(100.0)])
    scores[0] = 100 - count
    point = tpr_at_fpr(scores, member, count / 100)
    assert (point.tp, point.fp) == ((1, count) if count < 100 else (100, 100))


@pytest.mark.parametrize(
    ("n", "fpr", "expected"),
    [
        (999, 0.001, "undefined"),
        (1000, 0.001, "noisy"),
        (9_999, 0.001, "noisy"),
        (10_000, 0.001, "fine"),
        (99, 0.01, "undefined"),
        (100, 0.01, "noisy"),
        (1000, 0.01, "fine"),
    ],
)
def test_resolution_follows_the_number_of_nonmembers(n, fpr, expected):
    assert resolution(n, fpr) == expected


@pytest.mark.parametrize(
    ("scores", "member", "words"),
    [
        ([0.1, np.nan], [True, False], "not finite"),
        ([np.inf, 0.0], [True, False], "not finite"),
        ([0.1, 0.2], [True, True], "2 and 0"),
        ([0.1, 0.2], [False, False], "0 and 2"),
        ([0.1, 0.2, 0.3], [True, False], r"\[3\] and \[2\]"),
        ([[0.1], [0.2]], [[True], [False]], r"\[2, 1\]"),
        ([1, 2], [True, False], "int64"),
        (["a", "b"], [True, False], "<U1"),
        ([0.1, 0.2], [1, 0], "member"),
        ([], [], "bool, got float64"),
    ],
)
def test_unusable_input_is_refused_with_its_reason(scores, member, words):
    for metric in (auc, roc, lambda s, m: tpr_at_fpr(s, m, 0.1), lambda s, m: balanced_accuracy(s, m, 0.0)):
        with pytest.raises(ScoreError, match=words):
            metric(np.asarray(scores), np.asarray(member))


def test_thresholds_and_rates_that_mean_nothing_are_refused():
    scores, member = np.array([0.0, 1.0]), np.array([False, True])
    with pytest.raises(ScoreError, match="NaN"):
        balanced_accuracy(scores, member, float("nan"))
    for fpr in (-0.1, 1.1, float("nan")):
        with pytest.raises(ScoreError, match=r"\[0, 1\]"):
            tpr_at_fpr(scores, member, fpr)
    assert balanced_accuracy(scores, member, float("inf")) == 0.5
