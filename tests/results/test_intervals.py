"""Intervals and tests against published numbers, brute force, and exhaustive enumeration of resamples."""

from functools import partial
from itertools import product
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, kstest, norm, t

from compleak.results.delong import PairedTest, mean_test
from compleak.results.intervals import (
    balanced_accuracy_interval,
    clopper_pearson,
    clustered_bootstrap,
    conservative_tpr_interval,
    delong_interval,
    delong_paired_test,
    epsilon_lower_bound,
    holm,
    resample_auc,
    resample_balanced_accuracy,
    resample_tpr,
    stratified_bootstrap,
    tpr_interval,
)
from compleak.results.metrics import ScoreError, auc, balanced_accuracy, tpr_at_fpr


def gaussians(n, separation, seed):
    member = np.repeat([True, False], n)
    return np.random.default_rng(seed).normal(size=2 * n) + separation * member, member


def brute_force_delong(all_scores, member):
    """DeLong et al. 1988, eq. 3 to 5, from every pair: AUCs and their covariance, [k] and [k, k]."""
    kernels = []
    for scores in all_scores:
        x, y = scores[member][:, None], scores[~member][None, :]
        kernels.append((x > y) + 0.5 * (x == y))
    v10, v01 = [np.mean(k, axis=1) for k in kernels], [np.mean(k, axis=0) for k in kernels]
    m, n = kernels[0].shape
    return [k.mean() for k in kernels], np.cov(v10, ddof=1) / m + np.cov(v01, ddof=1) / n


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(0, 1000, 0.0, 0.003682), (3, 1000, 0.000619, 0.008742), (17, 1000, 0.009934, 0.027079)],
)
def test_clopper_pearson_gives_the_known_values(k, n, low, high):
    interval = clopper_pearson(k, n)
    assert (interval.low, interval.high) == (pytest.approx(low, abs=6e-7), pytest.approx(high, abs=6e-7))


@given(st.integers(1, 500), st.floats(0, 1), st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_clopper_pearson_is_that_of_scipy(n, share, level):
    k = round(share * n)
    theirs = binomtest(k, n).proportion_ci(level, method="exact")
    ours = clopper_pearson(k, n, level)
    assert (ours.low, ours.high) == (pytest.approx(theirs.low, abs=1e-9), pytest.approx(theirs.high, abs=1e-9))


@pytest.mark.parametrize("decimals", [None, 0])
def test_delong_is_its_brute_force_definition(decimals):
    a, member = gaussians(60, 1.0, 1)
    b = a + np.random.default_rng(2).normal(size=120)
    if decimals is not None:
        a, b = np.round(a, decimals), np.round(b, decimals)
    order = np.random.default_rng(3).permutation(120)
    (auc_a, auc_b), covariance = brute_force_delong([a, b], member)

    interval = delong_interval(a[order], member[order])
    half = norm.ppf(0.975) * np.sqrt(covariance[0, 0]) / (auc_a * (1 - auc_a))
    logit = np.log(auc_a / (1 - auc_a))
    assert interval.low == pytest.approx(1 / (1 + np.exp(half - logit)), rel=1e-10)
    assert interval.high == pytest.approx(1 / (1 + np.exp(-half - logit)), rel=1e-10)

    test = delong_paired_test(a[order], b[order], member[order])
    error = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert test.difference == pytest.approx(auc_a - auc_b, abs=1e-12)
    assert test.high - test.low == pytest.approx(2 * norm.ppf(0.975) * error, rel=1e-10)
    assert test.p_value == pytest.approx(2 * norm.sf(abs(auc_a - auc_b) / error), rel=1e-9)


@pytest.mark.parametrize(("separation", "expected"), [(1.0, 1.0), (-1.0, 0.0), (0.0, 0.5)])
def test_where_all_pairs_agree_the_interval_is_not_a_point(separation, expected):
    # AUC of 1, of 0, and of 0.5 from one single score: DeLong's variance is zero in each.
    member = np.repeat([True, False], 1000)
    scores = separation * member.astype(float)
    interval = delong_interval(scores, member)
    assert auc(scores, member) == expected
    assert interval.low <= expected <= interval.high
    # 1000 unanimous pairs: the chance of another outcome is below 0.003682 (Clopper-Pearson, 0 of 1000).
    assert interval.high - interval.low == pytest.approx(0.003682, abs=1e-6)


def test_an_auc_near_one_keeps_its_interval_below_one():
    scores, member = gaussians(50, 4.0, 0)
    interval = delong_interval(scores, member)
    assert interval.low < auc(scores, member) < interval.high < 1.0


def test_paired_test_of_scores_with_the_same_order_finds_nothing():
    scores, member = gaussians(1000, 0.5, 0)
    test = delong_paired_test(scores, np.exp(scores), member)
    assert (test.difference, test.p_value) == (0.0, 1.0)
    assert (test.low, test.high) == (pytest.approx(-0.003682, abs=1e-6), pytest.approx(0.003682, abs=1e-6))


def test_paired_test_without_variance_stays_conservative():
    # A perfect attack against one that says the same of everybody: Hoeffding with 20 pairs and a difference of 1/2.
    member = np.repeat([True, False], 20)
    test = delong_paired_test(member.astype(float), np.zeros(40), member)
    assert test.difference == 0.5
    assert test.p_value == pytest.approx(2 * np.exp(-2.5))
    assert (test.low, test.high) == (pytest.approx(0.5 - np.sqrt(2 * np.log(40) / 20)), 1.0)


def test_paired_test_is_antisymmetric_and_sees_a_better_attack():
    a, member = gaussians(500, 0.8, 4)
    b = a + np.random.default_rng(5).normal(size=1000)
    there, back = delong_paired_test(a, b, member), delong_paired_test(b, a, member)
    assert there.p_value < 1e-3
    assert there.low > 0
    assert (back.difference, back.low, back.high) == pytest.approx((-there.difference, -there.high, -there.low))
    assert back.p_value == there.p_value


def test_refits_widen_by_the_random_groups_and_by_students_t():
    """By hand: the variances are added, Satterthwaite's degrees of freedom, Student's t."""
    scores, member = gaussians(200, 1.0, 3)
    other = scores + np.random.default_rng(4).normal(size=400)
    plain = delong_paired_test(scores, other, member)
    variance = ((plain.high - plain.low) / 2 / norm.ppf(0.975)) ** 2
    refits = [[plain.difference + d for d in parts] for parts in ((0.03, -0.01, 0.04), (0.01, 0.05, 0.0))]
    # Deviations from the mean, 0.02: 0.01, -0.03, 0.02, and -0.01, 0.03, -0.02; s² is 0.0014 / 2 in both.
    spread = 0.0007 / 3 + 2 / 4 * 0.02**2
    law = t((variance + spread) ** 2 / (spread**2 / 4))
    found = delong_paired_test(scores, other, member, refits=refits)
    assert found.difference == plain.difference
    assert found.high - found.difference == pytest.approx(law.ppf(0.975) * np.sqrt(variance + spread))
    assert found.p_value == pytest.approx(2 * law.sf(plain.difference / np.sqrt(variance + spread)))
    assert found.freedom == pytest.approx((variance + spread) ** 2 / (spread**2 / 4))
    assert delong_paired_test(scores, other, member, refits=[[plain.difference] * 3]) == plain


@pytest.mark.parametrize(("of_fit", "most"), [("examples", 0.08), ("draws", 0.05)])
def test_a_difference_that_only_the_fit_made_is_not_found(of_fit: str, most: float) -> None:
    """Equal attacks but for their fits, which move AUCs more than the examples do: by what they saw, or by chance."""
    rng = np.random.default_rng(5)
    member = np.repeat([True, False], 300)
    said: dict[str, list[float]] = {"held fixed": [], "allowed for": []}
    for _ in range(500):
        common = rng.normal(size=600) + member
        noisy = [common + 0.3 * rng.normal(size=600) for _ in range(2)]
        seen = rng.normal(size=(300, 2)) * 0.15 * np.sqrt(300)

        def fitted(examples, noisy=noisy, seen=seen):
            moved = seen[examples].mean(axis=0) if of_fit == "examples" else rng.normal(size=2) * 0.15
            return [scores + one * member for scores, one in zip(noisy, moved, strict=True)]

        def apart(examples, fitted=fitted):
            first, second = fitted(examples)
            return auc(first, member) - auc(second, member)

        first, second = fitted(np.arange(300))
        refits = [[apart(part) for part in np.array_split(rng.permutation(300), 3)] for _ in range(2)]
        said["held fixed"].append(delong_paired_test(first, second, member).p_value)
        said["allowed for"].append(delong_paired_test(first, second, member, refits=refits).p_value)
    assert np.mean(np.array(said["held fixed"]) < 0.05) > 0.4
    assert np.mean(np.array(said["allowed for"]) < 0.05) < most


def test_without_an_effect_p_values_are_uniform():
    rng = np.random.default_rng(0)
    shuffled, paired = [], []
    for _ in range(300):
        skill = rng.normal(size=200)
        member = rng.permutation(np.repeat([True, False], 100))
        a, b = skill + rng.normal(size=200), skill + rng.normal(size=200)
        paired.append(delong_paired_test(a, b, member).p_value)
        shuffled.append(delong_paired_test(a, np.zeros(200), member).p_value)
    assert kstest(paired, "uniform").pvalue > 0.01
    assert kstest(shuffled, "uniform").pvalue > 0.01


def enumerate_resamples(scores, member, metric):
    """The metric of every equally likely stratified resample."""
    inside, outside = np.flatnonzero(member), np.flatnonzero(~member)
    values = []
    for chosen in product(product(inside, repeat=len(inside)), product(outside, repeat=len(outside))):
        index = np.concatenate([np.asarray(part) for part in chosen])
        values.append(metric(scores[index], member[index]))
    return np.round(values, 9)


@pytest.mark.parametrize("scores", [[3.0, 1, 5, 2, 4, 0], [1.0, 1, 2, 0, 1, 1], [0.0, 0, 0, 0, 0, 0]])
@pytest.mark.parametrize(
    ("draw", "metric"),
    [
        (resample_auc, auc),
        (partial(resample_tpr, fpr=0.34), lambda s, m: tpr_at_fpr(s, m, 0.34).tpr),
        (partial(resample_tpr, fpr=0.0), lambda s, m: tpr_at_fpr(s, m, 0.0).tpr),
        (partial(resample_tpr, fpr=1.0), lambda s, m: tpr_at_fpr(s, m, 1.0).tpr),
        (partial(resample_balanced_accuracy, threshold=1.5), lambda s, m: balanced_accuracy(s, m, 1.5)),
    ],
    ids=["auc", "tpr", "tpr-no-fp", "tpr-all-fp", "balanced-accuracy"],
)
def test_resamples_follow_the_law_of_all_resamples(scores, draw, metric):
    scores, member = np.asarray(scores), np.array([True, False, True, False, True, False])
    every = enumerate_resamples(scores, member, metric)
    drawn = np.round(draw(scores, member, np.random.default_rng(0), 40_000), 9)
    assert set(drawn) <= set(every)
    for value in set(every):
        assert np.mean(drawn == value) == pytest.approx(np.mean(every == value), abs=0.012)


def test_bootstrap_has_its_own_seeded_generator():
    scores, member = gaussians(300, 0.5, 0)
    order = np.random.default_rng(1).permutation(600)
    np.random.seed(0)  # the global generator must have no influence
    before = stratified_bootstrap(resample_auc, scores, member, seed=7)
    again = stratified_bootstrap(resample_auc, scores[order], member[order], seed=7)
    other = stratified_bootstrap(resample_auc, scores, member, seed=8)
    assert before == again
    assert before != other
    # No chunk repeats another's resamples: with repeats there would be far fewer distinct values.
    assert len(np.unique(resample_auc(scores, member, np.random.default_rng(0), 2000))) > 1500


def test_bootstrap_agrees_with_delong():
    scores, member = gaussians(2000, 0.5, 3)
    bootstrap = stratified_bootstrap(resample_auc, scores, member, seed=0, resamples=4000)
    closed = delong_interval(scores, member)
    assert bootstrap.low == pytest.approx(closed.low, abs=0.0015)
    assert bootstrap.high == pytest.approx(closed.high, abs=0.0015)


def test_more_scattered_targets_make_a_wider_interval():
    alike = [gaussians(500, 0.5, seed) for seed in range(6)]
    scattered = [gaussians(500, separation, seed) for seed, separation in enumerate((0, 0.2, 0.4, 0.6, 0.8, 1.0))]
    widths = [
        interval.high - interval.low
        for interval in (clustered_bootstrap(resample_auc, t, seed=0) for t in (alike, scattered))
    ]
    assert widths[1] > 2 * widths[0]
    mean = np.mean([auc(*target) for target in scattered])
    interval = clustered_bootstrap(resample_auc, scattered, seed=0)
    assert interval.low < mean < interval.high
    with pytest.raises(ScoreError, match="one target"):
        clustered_bootstrap(resample_auc, [], seed=0)


def test_one_target_is_the_stratified_bootstrap():
    target = gaussians(500, 0.5, 0)
    one, plain = (
        clustered_bootstrap(resample_auc, [target], seed=0),
        stratified_bootstrap(resample_auc, *target, seed=0),
    )
    assert one.low == pytest.approx(plain.low, abs=0.004)
    assert one.high == pytest.approx(plain.high, abs=0.004)


def test_tpr_interval_takes_the_method_that_the_counts_allow():
    few, many = gaussians(999, 0.5, 0), gaussians(1000, 0.5, 0)
    assert tpr_interval(*few, 0.01, seed=0).method == "order-statistics"
    assert tpr_interval(*many, 0.01, seed=0).method == "stratified-bootstrap"
    perfect = many[1].astype(float)
    canary = tpr_interval(perfect, many[1], 0.01, seed=0)
    # Were the non-members' true rate of a top score above 1 %, TPR would be 0; 1000 of them make that unlikely.
    assert (canary.method, canary.high) == ("order-statistics", 1.0)
    assert canary.low > 0.99


def test_conservative_interval_surrounds_the_bootstrap():
    scores, member = gaussians(2000, 0.5, 1)
    wide = conservative_tpr_interval(scores, member, 0.01)
    narrow = stratified_bootstrap(partial(resample_tpr, fpr=0.01), scores, member, seed=0)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_conservative_interval_knows_what_too_few_nonmembers_cannot_tell():
    # 0.99^200 = 0.13: the true threshold may well lie above all 200 non-members, so nothing bounds the TPR from below.
    scores, member = gaussians(200, 3.0, 0)
    assert conservative_tpr_interval(scores, member, 0.01).low == 0.0
    # 0.5^4 > 0.0125: four non-members may all lie above the median, so nothing bounds the TPR from above.
    scores, member = gaussians(4, 0.0, 0)
    assert conservative_tpr_interval(scores, member, 0.5).high == 1.0


def test_balanced_accuracy_interval_of_a_perfect_attack_is_no_point():
    member = np.repeat([True, False], 1000)
    interval = balanced_accuracy_interval(member.astype(float), member, 0.5, seed=0)
    assert interval.high == 1.0
    assert interval.low == pytest.approx(1 - clopper_pearson(0, 1000, 0.975).high)


def test_epsilon_follows_from_the_two_bounds():
    # Clopper-Pearson at 95 %: 17/1000 -> low 0.009934; 3/1000 -> high 0.008742; 0/1000 -> high 0.003682.
    assert epsilon_lower_bound(17, 1000, 3, 1000) == pytest.approx(np.log(0.009934 / 0.008742), abs=1e-4)
    assert epsilon_lower_bound(1000, 1000, 0, 1000) == pytest.approx(np.log((1 - 0.003682) / 0.003682), abs=1e-3)
    assert epsilon_lower_bound(10, 1000, 10, 1000) == 0.0
    assert epsilon_lower_bound(0, 1000, 900, 1000) == 0.0
    assert epsilon_lower_bound(17, 1000, 3, 1000, delta=1e-3) < epsilon_lower_bound(17, 1000, 3, 1000)


def test_holm_gives_the_textbook_values():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_what_cannot_be_computed_is_refused():
    scores, member = gaussians(10, 0.5, 0)
    for level in (0.0, 1.0, 95.0):
        with pytest.raises(ScoreError, match="level"):
            delong_interval(scores, member, level)
    with pytest.raises(ScoreError, match="two members"):
        delong_interval(np.array([1.0, 0, 0]), np.array([True, False, False]))
    with pytest.raises(ScoreError, match="k=5 and n=4"):
        clopper_pearson(5, 4)
    with pytest.raises(ScoreError, match="false positive rate"):
        conservative_tpr_interval(scores, member, 0.0)
    with pytest.raises(ScoreError, match="delta"):
        epsilon_lower_bound(1, 2, 1, 2, delta=1.0)
    with pytest.raises(ScoreError, match=r"\[19\] and \[20\]"):
        delong_paired_test(scores, scores[1:], member)


def test_a_mean_of_tests_has_the_mean_of_their_ends_and_the_p_value_of_those():
    tests = [PairedTest(0.1, 0.0, 0.2, 0.05), PairedTest(0.3, 0.1, 0.5, 0.003)]
    found = mean_test(tests)
    # 0.2 lies 0.15 above its lower end, which is 1.959964 standard errors.
    z = 0.2 / 0.15 * 1.959964
    assert (found.difference, found.low, found.high) == pytest.approx((0.2, 0.05, 0.35))
    assert found.p_value == pytest.approx(2 * (1 - NormalDist().cdf(z)), rel=1e-5)
    turned = mean_test([PairedTest(-t.difference, -t.high, -t.low, t.p_value) for t in tests])
    assert (turned.low, turned.high, turned.p_value) == pytest.approx((-0.35, -0.05, found.p_value))
    assert mean_test(tests[:1]) is tests[0]
    # The 97.5 % point of Student's t is 2.776445 at 4 degrees of freedom: what lies there has p = 0.05.
    one = PairedTest(0.03, 0.0, 0.06, 0.05, freedom=4)
    both = mean_test([one, PairedTest(0.03, 0.0, 0.06, 0.05, freedom=9)])
    assert (both.p_value, both.freedom) == (pytest.approx(0.05), 4)
    twice = mean_test([PairedTest(0.06, 0.03, 0.09, 0.005, freedom=4)] * 2)
    assert twice.p_value == pytest.approx(2 * t(4).sf(2 * 2.776445), rel=1e-5)
