"""Attack-P, attack-R and quantile regression."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from compleak.attacks.observations import Observations
from compleak.attacks.population import HIGHEST_LOSS, population_scores, reference_scores
from compleak.attacks.quantile import quantile_regression


def column(*values: float) -> np.ndarray:
    return np.array(values)[:, None]


def test_attack_r_fixture() -> None:
    out = np.zeros((4, 1), dtype=bool)
    assert reference_scores(np.array([0.6]), column(0.2, 1, 0.5, 2), out)[0] == pytest.approx(1 - 0.44)


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.2, 0.7, 2.0, 3.0, 500.0, HIGHEST_LOSS, 5000.0])
def test_attack_r_interpolates_as_numpy_does(loss) -> None:
    references = column(0.2, 1, 0.5, 2)
    expected = 1 - np.interp(loss, [0, 0.2, 0.5, 1, 2, HIGHEST_LOSS], np.linspace(0, 1, 6))
    assert reference_scores(np.array([loss]), references, np.zeros((4, 1), dtype=bool))[0] == pytest.approx(expected)


def test_attack_r_leaves_in_references_aside() -> None:
    member = np.array([[False], [True], [False], [False]])
    with_in = reference_scores(np.array([0.6]), column(0.2, 0.0, 1, 2), member)
    np.testing.assert_allclose(with_in, reference_scores(np.array([0.6]), column(0.2, 1, 2), member[[0, 2, 3]]))


def test_attack_r_without_out_references_is_masked() -> None:
    score = reference_scores(np.ones(2), np.ones((1, 2)), np.array([[True, False]]))
    np.testing.assert_array_equal(np.isnan(score), [True, False])


def test_attack_r_equal_references_are_passed_at_once() -> None:
    below, above = (reference_scores(np.array([x]), column(1, 1, 1), np.zeros((3, 1), bool))[0] for x in (0.999, 1.001))
    assert below == pytest.approx(0.75, abs=1e-3)
    assert above == pytest.approx(0.25, abs=1e-3)


def test_attack_p_low_loss_is_member() -> None:
    score = population_scores(np.array([0.05, 0.25, 9.0]), np.array([0.1, 0.2, 0.3, 0.4]))
    np.testing.assert_allclose(score, [1, 0.5, 0])


def test_attack_p_thresholds_are_false_positive_rates() -> None:
    rng = np.random.default_rng(0)
    score = population_scores(rng.exponential(size=20_000), rng.exponential(size=5_000))
    for alpha in (0.01, 0.1, 0.5):
        assert (score > 1 - alpha).mean() == pytest.approx(alpha, abs=4 * np.sqrt(alpha / 5_000))


def test_attack_p_needs_a_population() -> None:
    with pytest.raises(ValueError, match="population"):
        population_scores(np.ones(2), np.ones(0))


def test_quantile_regression_learns_each_examples_own_level(planted: Callable[..., Observations]) -> None:
    """Examples differ in hardness; taking that out beats the raw margin."""
    shadows, target = planted(models=16, seed=5, signal=1.5), planted(models=1, seed=6, signal=1.5)
    shadows, target = shadows.select(variants=["original"]), target.select(variants=["original"])
    score = quantile_regression().fit(shadows).score(target.without_membership())
    logits, labels = target.of_variant("original")[0], target.labels
    margin = logits[np.arange(len(labels)), labels] - np.where(np.eye(5)[labels] == 1, -np.inf, logits).max(axis=1)
    assert roc_auc_score(target.member[0], score) > roc_auc_score(target.member[0], margin) + 0.01


def test_quantile_regression_works_with_one_shadow(planted: Callable[..., Observations]) -> None:
    shadows, target = planted(models=1, seed=5, signal=3), planted(models=1, seed=6, signal=3)
    shadows, target = shadows.select(variants=["original"]), target.select(variants=["original"])
    attack = quantile_regression().fit(shadows)
    assert roc_auc_score(target.member[0], attack.score(target.without_membership())) > 0.8
