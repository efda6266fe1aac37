"""LiRA against worked numbers, the definition, closed forms, and what is known to go wrong in other implementations."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score, roc_curve

from compleak.attacks.lira import group_moments, lira, lira_scores
from compleak.attacks.observations import Observations
from compleak.attacks.references import TooFewReferencesError

# Four shadows, three examples (powers of a worked example by hand).
SHADOWS = np.array([[1, 2, 0.5], [3, 1, -0.5], [0, 4, 1.5], [2, 3, 2.5]])
MEMBER = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 1]], dtype=bool)
TARGET = np.array([2.5, 3.5, 0.0])
# An odd number on a side, so that median and mean differ.
ODD = np.array([[0.0], [1.0], [5.0], [2.0], [3.0], [10.0]])
ODD_MEMBER = np.array([[0], [0], [0], [1], [1], [1]], dtype=bool)


def by_definition(target, shadows, member, mode, variance, location):
    """A loop over examples, written from the paper's formulas."""
    centre = np.median if location == "median" else np.mean
    columns = range(shadows.shape[1])
    groups = {side: [shadows[member[:, j] == side, j] for j in columns] for side in (True, False)}
    pooled = {
        side: np.sqrt(np.mean(np.concatenate([g - centre(g) for g in groups[side]]) ** 2)) for side in (True, False)
    }
    scores = []
    for j in columns:
        mu = {side: centre(groups[side][j]) for side in (True, False)}
        sd = {side: pooled[side] if variance == "fixed" else np.std(groups[side][j]) for side in (True, False)}
        if mode == "offline":
            scores.append((target[j] - mu[False]) / sd[False])
        else:
            scores.append(norm.logpdf(target[j], mu[True], sd[True]) - norm.logpdf(target[j], mu[False], sd[False]))
    return np.array(scores)


def bernoulli(models: int, examples: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signals and ragged membership, at least two shadows on either side of each example."""
    rng = np.random.default_rng(seed)
    member = rng.random((models, examples)) < 0.5
    member[:2], member[2:4] = True, False
    return rng.normal(size=examples), rng.normal(size=(models, examples)) + member, member


@pytest.mark.parametrize(
    ("variance", "expected"),
    [("per-example", [1, 1, -8]), ("fixed", [4 / 3, 4 / 3, -8 / 3])],
)
def test_online_fixture(variance, expected) -> None:
    np.testing.assert_allclose(lira_scores(TARGET, SHADOWS, MEMBER, variance=variance), expected, rtol=1e-12)


def test_offline_fixture_is_the_one_sided_z_score() -> None:
    score = lira_scores(TARGET, SHADOWS, MEMBER, mode="offline")
    np.testing.assert_allclose(norm.cdf(score), [0.9331928, 0.9331928, 0.5], atol=5e-8)


def test_moments_fixture() -> None:
    out, inside = group_moments(SHADOWS, MEMBER, "median")
    np.testing.assert_allclose(inside.location, [2, 3, 2])
    np.testing.assert_allclose(out.location, [1, 2, 0])
    for side in (out, inside):
        np.testing.assert_allclose(np.sqrt(side.variance), [1, 1, 0.5])
        assert np.sqrt(side.pooled_variance()) == pytest.approx(0.8660254, abs=5e-8)


def test_pooled_variance_of_out_comes_from_out() -> None:
    """The authors' code takes σ_out from the IN values: the ranking survives at equal σ, the ratios do not."""
    shadows = np.array([[0.0, 10.0], [4.0, 14.0], [1.0, 11.0], [2.0, 12.0]])
    member = np.array([[0, 0], [0, 0], [1, 1], [1, 1]], dtype=bool)
    expected = norm.logpdf(2, 1.5, 0.5) - norm.logpdf(2, 2, 2)
    assert lira_scores(np.array([2.0, 12.0]), shadows, member, variance="fixed")[0] == pytest.approx(expected)


def test_fixed_variance_leaves_out_the_spread_between_examples() -> None:
    """Pooling raw values instead of residuals would give 1.63 where residuals give 0.67, in one synthetic case."""
    rng = np.random.default_rng(0)
    shadows = rng.normal(scale=5, size=300) + rng.normal(scale=0.5, size=(32, 300))
    member = np.arange(32)[:, None] % 2 == np.zeros((1, 300))
    out, _ = group_moments(shadows, member, "mean")
    # ddof 0 with sixteen shadows on a side
    assert np.sqrt(out.pooled_variance()) == pytest.approx(0.5 * np.sqrt(15 / 16), rel=0.02)


def test_far_below_out_is_no_member_offline() -> None:
    """The two-sided form calls it one."""
    shadows = np.tile([[-1.0], [1.0], [-2.0], [2.0]], 2)
    score = lira_scores(np.array([-50.0, 1.0]), shadows, np.zeros((4, 2), dtype=bool), mode="offline")
    assert score[0] < -10
    assert score[0] < score[1]


def test_offline_does_not_tie_where_the_cdf_rounds_to_one() -> None:
    shadows = np.array([[-1.0, -1.0], [1.0, 1.0]])
    score = lira_scores(np.array([40.0, 41.0]), shadows, np.zeros((2, 2), bool), mode="offline")
    assert norm.cdf(score[0]) == norm.cdf(score[1]) == 1
    assert score[0] < score[1]


@pytest.mark.parametrize("location", ["median", "mean"])
@pytest.mark.parametrize("variance", ["per-example", "fixed"])
@pytest.mark.parametrize("mode", ["online", "offline"])
def test_equals_the_definition_over_blocks_and_ragged_groups(mode, variance, location) -> None:
    target, shadows, member = bernoulli(11, 1300, seed=1)
    score = lira_scores(target, shadows, member, mode=mode, variance=variance, location=location)
    expected = by_definition(target, shadows, member, mode, variance, location)
    np.testing.assert_allclose(score, expected, rtol=1e-9, atol=1e-9)


def test_location_median_and_mean_differ() -> None:
    (out, inside), (out_mean, inside_mean) = (group_moments(ODD, ODD_MEMBER, where) for where in ("median", "mean"))
    assert (out.location[0], inside.location[0]) == (1, 3)
    assert (out_mean.location[0], inside_mean.location[0]) == (2, 5)


def test_no_cancellation_far_from_zero() -> None:
    target, shadows, member = bernoulli(8, 50, seed=2)
    near, far = (lira_scores(target + c, shadows + c, member) for c in (0, 1e6))
    np.testing.assert_allclose(far, near, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("separation", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("variance", ["per-example", "fixed", "bayes"])
def test_two_gaussians_reach_the_closed_form(separation, variance) -> None:
    """AUC = Φ(d'/√2) and TPR@f = Φ(d' − z_{1−f}), as the shadows grow many."""
    rng = np.random.default_rng(3)
    n, models = 8000, 400
    mean = rng.normal(scale=3, size=n)
    member = np.arange(models)[:, None] % 2 == np.zeros((1, n))
    shadows = mean + separation * member + rng.normal(size=(models, n))
    answer = rng.random(n) < 0.5
    target = mean + separation * answer + rng.normal(size=n)
    score = lira_scores(target, shadows, member, variance=variance)
    assert roc_auc_score(answer, score) == pytest.approx(norm.cdf(separation / np.sqrt(2)), abs=0.02)
    fpr, tpr, _ = roc_curve(answer, score, drop_intermediate=False)
    at_ten_percent = tpr[fpr <= 0.1].max()
    assert at_ten_percent == pytest.approx(norm.cdf(separation - norm.isf(0.1)), abs=0.035)


def test_bayes_beats_plain_gaussians_with_few_shadows() -> None:
    rng = np.random.default_rng(4)
    n = 4000
    mean, lift = rng.normal(scale=3, size=n), 0.8 + 0.2 * rng.normal(size=n)
    member = np.arange(8)[:, None] % 2 == np.zeros((1, n))
    shadows = mean + lift * member + rng.normal(size=(8, n))
    answer = rng.random(n) < 0.5
    target = mean + lift * answer + rng.normal(size=n)
    auc = {
        v: roc_auc_score(answer, lira_scores(target, shadows, member, variance=v))
        for v in ("per-example", "fixed", "bayes")
    }
    assert auc["bayes"] > auc["fixed"] + 0.005
    assert auc["bayes"] > auc["per-example"] + 0.03


@pytest.mark.parametrize("variance", ["per-example", "fixed", "bayes"])
@pytest.mark.parametrize("mode", ["online", "offline"])
def test_null_is_a_coin(mode, variance) -> None:
    rng = np.random.default_rng(5)
    target, shadows, member = bernoulli(12, 4000, seed=6)
    answer = rng.random(4000) < 0.5
    # four standard errors of an AUC of 2,000 against 2,000
    assert abs(roc_auc_score(answer, lira_scores(target, shadows, member, mode=mode, variance=variance)) - 0.5) < 0.037


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
@pytest.mark.parametrize("variance", ["per-example", "fixed", "bayes"])
@pytest.mark.parametrize("mode", ["online", "offline"])
def test_order_of_examples_and_models_is_immaterial(mode, variance, seed) -> None:
    target, shadows, member = bernoulli(7, 60, seed)
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(7), rng.permutation(60)
    score = lira_scores(target, shadows, member, mode=mode, variance=variance)
    moved = lira_scores(
        target[columns], shadows[rows][:, columns], member[rows][:, columns], mode=mode, variance=variance
    )
    np.testing.assert_allclose(moved, score[columns], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("variance", ["per-example", "fixed", "bayes"])
@pytest.mark.parametrize("mode", ["online", "offline"])
def test_shift_and_positive_scale_are_immaterial(mode, variance) -> None:
    target, shadows, member = bernoulli(9, 80, seed=7)
    score = lira_scores(target, shadows, member, mode=mode, variance=variance)
    moved = lira_scores(3 * target - 5, 3 * shadows - 5, member, mode=mode, variance=variance)
    np.testing.assert_allclose(moved, score, rtol=1e-6, atol=1e-7)


def test_inputs_are_left_alone() -> None:
    target, shadows, member = bernoulli(6, 40, seed=8)
    before = shadows.copy()
    lira_scores(target, shadows, member)
    np.testing.assert_array_equal(shadows, before)


@pytest.mark.parametrize(
    ("mode", "variance", "masked"),
    [
        ("online", "per-example", [0, 1, 2, 3]),
        ("online", "fixed", [0, 1]),
        ("online", "bayes", [0, 1]),
        ("offline", "per-example", [0, 2]),
        ("offline", "fixed", [0]),
        ("offline", "bayes", [0]),
    ],
)
def test_missing_groups_raise_or_are_masked(mode, variance, masked) -> None:
    target, shadows, member = bernoulli(8, 50, seed=9)
    member[:, 0], member[:, 1] = True, False  # no OUT; no IN
    member[:, 2], member[:, 3] = np.arange(8) != 3, np.arange(8) == 3  # one OUT; one IN
    with pytest.raises(TooFewReferencesError, match=f"{len(masked)} of 50 examples"):
        lira_scores(target, shadows, member, mode=mode, variance=variance)
    score = lira_scores(target, shadows, member, mode=mode, variance=variance, missing="mask")
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(score)), masked)


def test_equal_shadows_give_a_large_finite_score() -> None:
    shadows = np.array([[1.0], [1.0], [2.0], [2.0]])
    member = np.array([[0], [0], [1], [1]], dtype=bool)
    for target, sign in ((2.0, 1), (1.0, -1)):
        score = lira_scores(np.array([target]), shadows, member)
        assert np.isfinite(score[0])
        assert np.sign(score[0]) == sign


def test_fixed_variance_of_single_shadows_is_unknown() -> None:
    with pytest.raises(TooFewReferencesError, match="two shadows"):
        lira_scores(np.zeros(3), np.arange(6.0).reshape(2, 3), np.array([[True] * 3, [False] * 3]), variance="fixed")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_finite_is_an_error(bad) -> None:
    shadows = SHADOWS.copy()
    shadows[1, 1] = bad
    with pytest.raises(ValueError, match="not finite"):
        lira_scores(TARGET, shadows, MEMBER)


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="bool"):
        lira_scores(TARGET, SHADOWS, MEMBER.astype(int))
    with pytest.raises(ValueError, match="3"):
        lira_scores(TARGET[:2], SHADOWS, MEMBER)


def test_offline_fixed_variance_is_that_of_the_out_side_over_all_examples() -> None:
    """Worked by hand, through the estimator: OUT residuals of 1, 1, 2, 2, of which the mean square is 2.5."""
    signals = np.array([[0.0, 4, 0], [2, 8, 0], [100, -90, 0], [300, 500, 50]])
    member = np.array([[0, 0, 1], [0, 0, 1], [1, 1, 1], [1, 1, 1]], dtype=bool)

    def told(values: np.ndarray, answer: np.ndarray | None) -> Observations:
        return Observations.from_arrays(
            np.stack([values, values], axis=-1)[:, None].astype(np.float32),
            np.zeros(values.shape[1], dtype=int),
            models=[f"m-{i}" for i in range(len(values))],
            variants=["a"],
            examples=np.arange(values.shape[1]),
            member=answer,
        )

    attack = replace(lira("offline", "fixed"), signal=lambda answers, _: answers[..., 0]).fit(told(signals, member))
    target = np.array([[3.0, 5.0]])
    np.testing.assert_allclose(attack.score(told(target, None)), [2 / np.sqrt(2.5), -1 / np.sqrt(2.5)], rtol=1e-12)
    # The one example alone has a variance of 1, and is still scored by that of all.
    np.testing.assert_allclose(attack.score(told(target[:, :1], None)), [2 / np.sqrt(2.5)], rtol=1e-12)
