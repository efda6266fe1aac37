"""Attack-P, attack-R and quantile regression."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from compleak.attacks.observations import Observations
from compleak.attacks.population import HIGHEST_LOSS, attack_p, population_scores, reference_scores
from compleak.attacks.quantile import quantile_regression


def column(*values: float) -> np.ndarray:
    return np.array(values)[:, None]


def first_number(answers: np.ndarray, _: np.ndarray) -> np.ndarray:
    """A signal that is what was planted."""
    return answers[..., 0]


def told(signals: np.ndarray, member: np.ndarray | None = None, calibration: np.ndarray | None = None) -> Observations:
    """Models whose signals are these, [models, examples]; examples are of the classes 0, 1, 1, 1..."""
    models, examples = signals.shape
    return Observations.from_arrays(
        np.stack([signals, signals], axis=-1)[:, None].astype(np.float32),
        np.minimum(np.arange(examples), 1),
        models=[f"m-{i}" for i in range(models)],
        variants=["a"],
        examples=np.arange(examples),
        member=member,
        calibration=calibration,
    )


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


def test_attack_p_has_the_false_positive_rate_that_a_score_states() -> None:
    """Its population are the shadows' non-members: with members in it, a score of 0.9 would have an FPR of 0.002."""
    rng = np.random.default_rng(1)
    member = rng.random((3, 8000)) < 0.5
    margin = rng.normal(size=(3, 8000)) + 2.0 * member
    observed = Observations.from_arrays(
        np.stack([margin, np.zeros_like(margin)], axis=-1)[:, None].astype(np.float32),
        np.zeros(8000, dtype=int),
        models=["target", "shadow-0", "shadow-1"],
        variants=["a"],
        examples=np.arange(8000),
        member=member,
    )
    target = observed.select(models=["target"])
    attack = attack_p().fit(observed.select(models=["shadow-0", "shadow-1"]))
    score = attack.score(target.without_membership())[~member[0]]
    for alpha in (0.02, 0.1, 0.5):
        # Four standard errors: of 4,000 non-members, and of a population of 8,000.
        error = np.sqrt(alpha * (1 - alpha) * (1 / 4000 + 1 / 8000))
        assert (score > 1 - alpha).mean() == pytest.approx(alpha, abs=4 * error)


def test_attack_p_population_by_hand() -> None:
    """Losses 1 to 4 may be learned from and are non-members'; the zeros are members' or may not be learned from."""
    losses = np.array([[1.0, 2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 3.0, 4.0, 0.0]])
    member = np.array([[0, 0, 1, 1, 0], [1, 1, 0, 0, 1]], dtype=bool)
    allowed = np.array([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]], dtype=bool)
    attack = replace(attack_p(), signal=first_number).fit(told(losses, member, allowed))
    score = attack.score(told(np.array([[0.5, 1.5, 2.5, 3.5, 4.5]])))
    np.testing.assert_allclose(score, [1, 0.75, 0.5, 0.25, 0])


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


def test_quantile_regression_sees_label_mean_and_spread_of_the_other_non_members(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Worked by hand. Signals of 100 and more are of shadows trained on the example, and must be nowhere."""
    seen = {}

    class Regressor:
        def __init__(self, **_: object) -> None: ...

        def fit(self, features: np.ndarray, own: np.ndarray) -> "Regressor":
            seen.update(learned=features, own=own)
            return self

        def predict(self, features: np.ndarray) -> np.ndarray:
            seen.update(asked=features)
            return np.full(len(features), 10.0)

    monkeypatch.setattr("compleak.attacks.quantile.HistGradientBoostingRegressor", Regressor)
    signals = np.array([[1.0, 200, 7], [3, 2, 400], [100, 4, 500], [5, 300, 600]])
    allowed = np.ones((4, 3), dtype=bool)
    allowed[1, 1] = False  # learned from it is not, though it is a reference to others
    attack = replace(quantile_regression(), signal=first_number).fit(told(signals, signals >= 100, allowed))
    score = attack.score(told(np.array([[11.0, 12.0, 13.0]])))

    # One row for each non-member: its label, then the mean and the deviation of the *other* non-members' signals.
    unknown = np.nan
    rows = [
        (1, [0, 4, 1]),  # 3 and 5
        (7, [1, unknown, unknown]),  # nobody
        (3, [0, 3, 2]),  # 1 and 5
        (4, [1, 2, unknown]),  # 2 alone
        (5, [0, 2, 1]),  # 1 and 3
    ]
    np.testing.assert_array_equal(seen["own"], [own for own, _ in rows])
    np.testing.assert_allclose(seen["learned"], [features for _, features in rows])
    # A target is not among the shadows: all non-members' are looked at, of 1, 3 and 5, of 2 and 4, and of 7 alone.
    np.testing.assert_allclose(seen["asked"], [[0, 3, np.sqrt(8 / 3)], [1, 3, 1], [1, 7, unknown]])
    np.testing.assert_array_equal(score, [1, 2, 3])
