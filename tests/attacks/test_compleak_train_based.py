"""Attack models that learn from a table, and the features of CompLeak_NR's train-based attacks."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from compleak.attacks.compleak.learners import LEARNERS, Learned, Table, logistic_regression, random_forest
from compleak.attacks.compleak.train_based import posteriors, posteriors_and_label
from compleak.attacks.observations import Observations
from compleak.attacks.registry import make_attack

Plant = Callable[..., Observations]


def noise(records: int = 400, features: int = 8, models: int = 2) -> Table:
    rng = np.random.default_rng(0)
    return Table(rng.normal(size=(records, features)), rng.random(records) < 0.5, np.arange(records) % models)


def test_features_by_hand() -> None:
    logits = np.log([[[0.5, 0.2, 0.3]], [[0.1, 0.8, 0.1]]])
    labels = np.array([2, 1])
    np.testing.assert_allclose(posteriors(logits, labels), [[0.5, 0.2, 0.3], [0.1, 0.8, 0.1]])
    np.testing.assert_allclose(
        posteriors_and_label(logits, labels), [[0.5, 0.2, 0.3, 0, 0, 1], [0.1, 0.8, 0.1, 0, 1, 0]]
    )


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("models", [1, 2])
def test_held_out_probabilities_know_nothing_of_noise(learner: str, models: int) -> None:
    """In-sample probabilities of pure noise look like a strong attack; held-out ones must not."""
    table = noise(models=models)
    learned = LEARNERS[learner](table, 0)
    inside = roc_auc_score(table.member, learned.probability(table.features))
    held_out = roc_auc_score(table.member, learned.held_out)
    assert abs(held_out - 0.5) < 0.12  # four standard errors of an AUC of 400 records
    assert inside > held_out + (0.03 if learner == "lr" else 0.2)


@pytest.mark.parametrize("learner", LEARNERS)
def test_held_out_probabilities_foretell_new_ones(learner: str) -> None:
    rng = np.random.default_rng(1)
    member = np.arange(3600) % 2 == 0
    features = rng.normal(size=(3600, 3)) + 0.7 * member[:, None]
    known, new = slice(0, 1600), slice(1600, 3600)
    learned = LEARNERS[learner](Table(features[known], member[known], np.arange(1600) // 2 % 4), 0)
    foretold = roc_auc_score(member[known], learned.held_out)
    met = roc_auc_score(member[new], learned.probability(features[new]))
    assert foretold == pytest.approx(met, abs=0.06)


def test_folds_are_shadow_models() -> None:
    """A feature that names the shadow model, whose base rate is its own, must not help out of fold."""
    rng = np.random.default_rng(0)
    model = np.repeat(np.arange(4), 200)
    member = rng.random(800) < np.array([0.9, 0.1, 0.9, 0.1])[model]
    table = Table(np.eye(4)[model], member, model)
    learned = logistic_regression(table, 0)
    assert roc_auc_score(member, learned.probability(table.features)) > 0.85
    assert roc_auc_score(member, learned.held_out) < 0.6


def test_logistic_regression_predicts_on_scaled_features() -> None:
    """CompLeak's published probabilities are of unscaled features; the scaler by hand must give ours."""
    rng = np.random.default_rng(2)
    features = rng.normal(size=(300, 4)) * [1e-4, 1, 100, 1e4] + [5, -3, 0, 1e5]
    member = features[:, 0] > 5
    learned = logistic_regression(Table(features, member, np.zeros(300, dtype=int)), 0)
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    by_hand = LogisticRegression(max_iter=2000).fit(scaled, member).predict_proba(scaled)[:, 1]
    np.testing.assert_allclose(learned.probability(features), by_hand, atol=1e-8)
    assert roc_auc_score(member, learned.probability(features)) > 0.99


def test_a_solver_that_stops_early_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    original = LogisticRegression.fit

    def one_step(self: LogisticRegression, *args: object, **kwargs: object) -> LogisticRegression:
        return original(self.set_params(max_iter=1), *args, **kwargs)

    monkeypatch.setattr(LogisticRegression, "fit", one_step)
    with pytest.raises(RuntimeError, match="did not converge on"):
        logistic_regression(noise(), 0)


def test_forest_settings_are_compleaks() -> None:
    random_forest.cache_clear()
    learned = random_forest(noise(), 0)
    forest = learned.probability.__closure__[0].cell_contents
    assert len(forest.estimators_) == 500
    assert min(tree.tree_.n_node_samples[tree.tree_.children_left == -1].min() for tree in forest.estimators_) >= 18


def test_forests_are_remembered_by_content() -> None:
    random_forest.cache_clear()
    first = random_forest(noise(), 0)
    assert random_forest(noise(), 0) is first
    other = noise()
    other.features[0, 0] += 1
    assert random_forest(other, 0) is not first
    assert random_forest(noise(), 1) is not first
    answers = noise()
    np.logical_not(answers.member, out=answers.member)
    assert random_forest(answers, 0) is not first


@pytest.mark.parametrize("name", ["compleak-nr-train1-lr", "compleak-nr-train2-lr"])
def test_logistic_regression_finds_a_linear_tell(planted: Plant, name: str) -> None:
    """It cannot see confidence as such (posteriors stand in class order), but a class that membership lifts it can."""
    shadows = planted(models=2, seed=0, tell=3, variants=("a",))
    target = planted(models=1, seed=1, tell=3, variants=("a",))
    attack = make_attack(name).fit(shadows)
    score = attack.score(target.without_membership())
    assert roc_auc_score(target.member[0], score) > 0.7
    called = score >= attack.threshold
    assert called[target.member[0]].mean() > called[~target.member[0]].mean() + 0.2


@pytest.mark.parametrize("name", ["compleak-nr-train2-rf", "compleak-sr2-rf"])
def test_threshold_is_of_what_is_held_out(
    name: str, shadows: Observations, holding: Callable[..., Observations], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A learner that knows its own records by heart, and of others tells 0.4 of a member, 0.3 of a non-member."""
    monkeypatch.setitem(
        LEARNERS, "rf", lambda table, _: Learned(lambda x: np.full(len(x), 0.9), np.where(table.member, 0.4, 0.3))
    )
    assert make_attack(name).fit(holding(name, shadows)).threshold == 0.4
