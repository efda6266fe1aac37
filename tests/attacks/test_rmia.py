"""RMIA and BASE against worked numbers, the outer-product definition and each other."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from compleak.attacks.base import base_scores
from compleak.attacks.references import References
from compleak.attacks.rmia import DEFAULT_A, rmia_ratios, rmia_scores, tune_a

SHADOWS = np.array([[0.6, 0.2, 0.9], [0.3, 0.5, 0.7]])
MEMBER = np.array([[1, 0, 1], [0, 1, 0]], dtype=bool)
TARGET = np.array([0.8, 0.3, 0.75])
SHADOWS_Z = np.array([[0.4, 0.7, 0.1, 0.5], [0.6, 0.9, 0.3, 0.5]])
TARGET_Z = np.array([0.5, 0.6, 0.3, 0.9])


def by_definition(ratio, ratio_z, gamma):
    """The outer product, strict."""
    return (ratio[:, None] / gamma > ratio_z[None, :]).mean(axis=1)


@pytest.mark.parametrize(
    ("mode", "gamma", "expected"),
    [
        ("offline", 1.0, [1, 0, 0.75]),
        ("offline", 1.2, [0.75, 0, 0.75]),
        ("offline", 2.0, [0.5, 0, 0]),
        ("online", 1.0, [0.75, 0.25, 0.25]),
        ("online", 1.2, [0.5, 0, 0.25]),
    ],
)
def test_fixture(mode, gamma, expected) -> None:
    score = rmia_scores(TARGET, SHADOWS, MEMBER, TARGET_Z, SHADOWS_Z, mode=mode, gamma=gamma)
    np.testing.assert_array_equal(score, expected)


def test_ratio_fixture() -> None:
    no = np.zeros_like(SHADOWS_Z, dtype=bool)
    for values, expected in (
        (rmia_ratios(TARGET, SHADOWS, MEMBER), [1.4678899, 0.625, 0.9316770]),
        (rmia_ratios(TARGET_Z, SHADOWS_Z, no), [0.7407407, 0.6896552, 0.625, 1.3333333]),
        (rmia_ratios(TARGET, SHADOWS, MEMBER, mode="online"), [1.7777778, 0.8571429, 0.9375]),
        (rmia_ratios(TARGET_Z, SHADOWS_Z, no, mode="online"), [1, 0.75, 1.5, 1.8]),
    ):
        np.testing.assert_allclose(values, expected, atol=5e-8)


def test_strictly_greater_matters_on_the_fixtures_tie() -> None:
    """ratio(x_2) = ratio(z_3) = 0.625: with ≥ the second score would be 0.25."""
    assert rmia_scores(TARGET, SHADOWS, MEMBER, TARGET_Z, SHADOWS_Z)[1] == 0


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), gamma=st.sampled_from([0.5, 1.0, 2.0]), mode=st.sampled_from(["online", "offline"]))
def test_equals_the_outer_product_with_ties(seed, gamma, mode) -> None:
    rng = np.random.default_rng(seed)
    # A coarse grid makes ties abound; γ are powers of two, so that dividing is exact.
    draw = lambda *shape: rng.integers(0, 5, shape) / 4  # noqa: E731
    shadows, shadows_z = draw(4, 30), draw(4, 20)
    member, member_z = rng.random((4, 30)) < 0.5, rng.random((4, 20)) < 0.5
    member[0], member_z[0] = False, False
    target, target_z = draw(30), draw(20)
    score = rmia_scores(target, shadows, member, target_z, shadows_z, mode=mode, gamma=gamma, member_z=member_z)
    ratio = rmia_ratios(target, shadows, member, mode=mode)
    ratio_z = rmia_ratios(target_z, shadows_z, member_z, mode=mode)
    np.testing.assert_array_equal(score, by_definition(ratio, ratio_z, gamma))


@pytest.mark.parametrize("gamma", [1.0, 2.0])
def test_never_orders_against_the_ratio(gamma) -> None:
    rng = np.random.default_rng(0)
    shadows, member = rng.random((6, 500)), rng.random((6, 500)) < 0.5
    target = rng.random(500)
    member[0] = False
    score = rmia_scores(target, shadows, member, rng.random(100), rng.random((6, 100)), gamma=gamma)
    order = np.argsort(rmia_ratios(target, shadows, member))
    assert (np.diff(score[order]) >= 0).all()


def test_offline_looks_at_out_references_only() -> None:
    """Taking the k largest values for the OUT ones, or zeros for IN, moves the mean."""
    shadows = SHADOWS.copy()
    shadows[MEMBER] = 0.123
    np.testing.assert_array_equal(rmia_ratios(TARGET, shadows, MEMBER), rmia_ratios(TARGET, SHADOWS, MEMBER))


def test_online_averages_all_references_not_the_largest_half() -> None:
    shadows = np.array([[0.1], [0.2], [0.8], [0.9]])
    member = np.array([[0], [0], [1], [1]], dtype=bool)
    assert rmia_ratios(np.array([0.5]), shadows, member, mode="online")[0] == pytest.approx(1.0)


def test_no_out_reference_is_masked() -> None:
    member = MEMBER.copy()
    member[:, 0] = True
    np.testing.assert_array_equal(
        np.isnan(rmia_scores(TARGET, SHADOWS, member, TARGET_Z, SHADOWS_Z)), [True, False, False]
    )


def test_memory_is_linear() -> None:
    rng = np.random.default_rng(1)
    n = 20_000
    target, shadows, member = rng.random(n), rng.random((2, n)), np.zeros((2, n), dtype=bool)
    tracemalloc.start()
    rmia_scores(target, shadows, member, target, shadows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * 8 * n  # the outer product would be 20,000 · 8 · n


@pytest.mark.parametrize(
    ("change", "message"),
    [({"gamma": 0.0}, "gamma"), ({"a": 1.5}, "a must"), ({"target": TARGET + 1}, "probabilities")],
)
def test_what_makes_no_sense_is_an_error(change, message) -> None:
    options = {"target": TARGET, **change}
    target = options.pop("target")
    with pytest.raises(ValueError, match=message):
        rmia_scores(target, SHADOWS, MEMBER, TARGET_Z, SHADOWS_Z, **options)


def test_empty_population_is_an_error() -> None:
    with pytest.raises(ValueError, match="population"):
        rmia_scores(TARGET, SHADOWS, MEMBER, np.zeros(0), np.zeros((2, 0)))


def references(a: float, seed: int = 2, models: int = 8, examples: int = 1500) -> References:
    """Losses of shadows of whose probabilities p_IN = a · p_OUT + (1 − a) holds, but for noise."""
    rng = np.random.default_rng(seed)
    half = [rng.permutation(examples) < examples // 2 for _ in range(models // 2)]
    member = np.stack([rows for pair in half for rows in (pair, ~pair)])
    p_out = rng.beta(0.4, 0.4, size=examples)
    p = np.where(member, a * p_out + 1 - a, p_out) * np.exp(0.25 * rng.normal(size=member.shape))
    everything = np.ones_like(member)
    losses = -np.log(p.clip(1e-12, 1))[..., None]
    return References(losses, member, everything, np.zeros(examples, dtype=int), np.arange(examples))


def test_a_is_tuned_on_shadows_to_what_it_is() -> None:
    assert tune_a(references(a=0.2)) < tune_a(references(a=0.95))


@pytest.mark.parametrize(("models", "tuned"), [(2, False), (6, False), (8, True)])
def test_a_is_not_tuned_on_few_shadows(models: int, tuned: bool) -> None:
    assert (tune_a(references(a=0.95, models=models)) != DEFAULT_A) == tuned


def test_base_online_orders_as_rmia_online() -> None:
    """log ratio(x) with the same p(x): the AUC agrees to the last tie."""
    rng = np.random.default_rng(3)
    shadows, target = rng.random((5, 400)), rng.random(400)
    member, answer = rng.random((5, 400)) < 0.5, rng.random(400) < 0.5
    ratio = rmia_ratios(target, shadows, member, mode="online")
    base = base_scores(np.log(target), np.log(shadows), member)
    np.testing.assert_allclose(base, np.log(ratio), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(rankdata(base), rankdata(ratio))
    assert roc_auc_score(answer, base) == roc_auc_score(answer, ratio)


def test_base_offline_fixture() -> None:
    score = base_scores(np.log(TARGET), np.log(SHADOWS), MEMBER, mode="offline")
    np.testing.assert_allclose(score, np.log(TARGET) - 0.33 * np.log([0.3, 0.2, 0.7]), rtol=1e-12)


def test_base_survives_losses_beyond_exp() -> None:
    """p underflows at a loss of 745 nats; its logarithm does not."""
    score = base_scores(np.array([-800.0]), np.array([[-900.0], [-1000.0]]), np.array([[True], [False]]))
    assert score[0] == pytest.approx(100 + np.log(2))


def test_base_offline_masks_what_has_no_out_reference() -> None:
    score = base_scores(np.zeros(2), np.zeros((2, 2)), np.array([[True, False], [True, True]]), mode="offline")
    np.testing.assert_array_equal(np.isnan(score), [True, False])


def test_base_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="Expected"):
        base_scores(np.zeros(3), np.zeros((2, 2)), np.zeros((2, 2), dtype=bool))
