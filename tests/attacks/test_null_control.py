"""What must hold of every attack on classifiers: it finds a planted signal, finds nothing in none, and plays fair."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from compleak.attacks.observations import ObservationError, Observations
from compleak.attacks.protocol import Attack
from compleak.attacks.registry import ATTACKS, make_attack

Holding = Callable[[str, Observations], Observations]
Fit = Callable[[str], Attack]

NAMES = tuple(name for name, info in ATTACKS.items() if info.task == "classification")
# Posteriors in class order: a linear rule cannot read confidence from them. They have their own test with a signal
# that is linear in them (test_compleak_train_based).
BLIND = {"compleak-nr-train1-lr", "compleak-nr-train2-lr"}
# The signal lifts the true class only where it was close to being beaten.
WEAK = {"compleak-nr-correctness"}
# Their rule looks at all that is under attack: RMIA ranks each example among the others (its population), and these
# forms of LiRA pool a variance, or learn a prior, over the references on just these examples.
BY_COMPANY = {
    *("rmia-online", "rmia-offline"),
    *("lira-online-fixed-var", "lira-online-bayes", "lira-offline-bayes"),
}


@pytest.mark.parametrize("name", sorted(set(NAMES) - BLIND))
def test_finds_a_planted_signal(name: str, fitted: Fit, holding: Holding, target: Observations) -> None:
    score = fitted(name).score(holding(name, target).without_membership())
    assert roc_auc_score(target.member[0], score) > (0.6 if name in WEAK else 0.75)


@pytest.mark.parametrize("name", sorted(set(NAMES) - BLIND))
def test_threshold_from_the_shadows_serves_the_target(
    name: str, fitted: Fit, holding: Holding, target: Observations
) -> None:
    attack, member = fitted(name), target.member[0]
    called = attack.score(holding(name, target).without_membership()) >= attack.threshold
    assert (called[member].mean() + (~called)[~member].mean()) / 2 > (0.58 if name in WEAK else 0.68)


@pytest.mark.parametrize("name", NAMES)
def test_finds_nothing_where_nothing_is(name: str, fitted: Fit, holding: Holding, null_target: Observations) -> None:
    """Fitted on shadows that leak, scored on a model whose members and non-members are exchangeable."""
    score = fitted(name).score(holding(name, null_target).without_membership())
    # An AUC of 200 against 200 has a standard error of 0.029 under the null; four of them.
    assert abs(roc_auc_score(null_target.member[0], score) - 0.5) < 0.116


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_finite_float64_one_per_example(
    name: str, fitted: Fit, holding: Holding, target: Observations
) -> None:
    score = fitted(name).score(holding(name, target).without_membership())
    assert score.dtype == np.float64
    assert score.shape == (len(target.examples),)
    assert np.isfinite(score).all()
    assert isinstance(fitted(name).threshold, float)


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_is_not_looked_at(name: str, fitted: Fit, holding: Holding, target: Observations) -> None:
    blind = holding(name, target).without_membership()
    turned = Observations(holding(name, target).data.assign(member=~target.data["member"]))
    attack = fitted(name)
    np.testing.assert_array_equal(attack.score(turned), attack.score(blind))


def test_looking_at_the_answer_is_an_error(target: Observations) -> None:
    with pytest.raises(ObservationError, match="must not see the answer"):
        _ = target.without_membership().member


@pytest.mark.parametrize("name", NAMES)
def test_permuted_examples_give_permuted_scores(name: str, fitted: Fit, holding: Holding, target: Observations) -> None:
    blind = holding(name, target).without_membership()
    order = np.random.default_rng(0).permutation(len(target.examples))
    permuted = blind.select(examples=blind.examples[order])
    attack = fitted(name)
    np.testing.assert_allclose(attack.score(permuted), attack.score(blind)[order], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_company_does_not_matter(name: str, fitted: Fit, holding: Holding, target: Observations) -> None:
    """Whoever else is under attack: nothing is scaled, centred or ranked by the target's own statistics."""
    blind, attack = holding(name, target).without_membership(), fitted(name)
    whole = attack.score(blind)
    # The confident quarter, which is unlike the rest.
    own = blind.logits[0, -1, np.arange(len(whole)), blind.labels]
    chosen = np.argsort(-own)[: len(whole) // 4]
    some = attack.score(blind.select(examples=blind.examples[chosen]))
    assert np.allclose(some, whole[chosen], rtol=1e-9, atol=1e-11) == (name not in BY_COMPANY)


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_scores(
    name: str, fitted: Fit, holding: Holding, shadows: Observations, target: Observations
) -> None:
    from compleak.attacks.compleak.learners import random_forest

    blind = holding(name, target).without_membership()
    expected = fitted(name).score(blind)
    random_forest.cache_clear()
    again = make_attack(name, seed=5).fit(holding(name, shadows))
    np.testing.assert_array_equal(again.score(blind), expected)
    assert again.threshold == fitted(name).threshold
