"""Twins, held-out shadows, and the estimator around a signal and a rule."""

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from compleak.attacks.lira import lira
from compleak.attacks.observations import ObservationError, Observations
from compleak.attacks.references import References, TooFewReferencesError, twins
from compleak.attacks.registry import make_attack
from compleak.attacks.rmia import rmia
from compleak.attacks.signals import logit_confidence

CALIBRATED = ("lira-online", "lira-online-fixed-var", "lira-online-bayes", "rmia-online", "base-online")
OFFLINE = (
    *("lira-offline", "lira-offline-fixed-var", "lira-offline-bayes", "rmia-offline", "base-offline"),
    *("attack-r", "quantile-regression", "joint-offline-nr"),
)


def pairs(models: int, examples: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    halves = [rng.permutation(examples) < examples // 2 for _ in range(models // 2)]
    return np.stack([row for half in halves for row in (half, ~half)])


def disjoint(models: int, seed: int, *, target: bool = False, lift: float = 2.0, examples: int = 600) -> Observations:
    """The target's examples are 0.. and no shadow is trained on them; the shadows' follow, random halves of them."""
    rng = np.random.default_rng(seed)
    hardness = np.random.default_rng(77).normal(size=2 * examples)
    own = np.arange(2 * examples) >= examples
    member = np.where(own != target, rng.random((models, 2 * examples)) < 0.5, False)
    logits = rng.normal(scale=0.7, size=(models, 1, 2 * examples, 2)).astype(np.float32)
    logits[:, 0, :, 0] += 2 * hardness + lift * member
    seen = Observations.from_arrays(
        logits,
        np.zeros(2 * examples, dtype=int),
        models=[f"m-{i}" for i in range(models)],
        variants=["a"],
        examples=np.arange(2 * examples),
        member=member,
        calibration=np.broadcast_to(own, member.shape).copy(),
    )
    return seen.select(examples=np.arange(examples)) if target else seen


def test_twins_are_found_in_any_order() -> None:
    member = pairs(6, 40, seed=0)
    order = np.array([3, 0, 5, 2, 1, 4])
    np.testing.assert_array_equal(order[twins(member[order])], order ^ 1)


def test_twins_pass_over_examples_that_no_model_has() -> None:
    member = np.hstack([pairs(4, 40, seed=1), np.zeros((4, 8), dtype=bool)])
    np.testing.assert_array_equal(twins(member), [1, 0, 3, 2])


def test_independent_models_have_no_twin() -> None:
    member = np.random.default_rng(2).random((6, 40)) < 0.5
    np.testing.assert_array_equal(twins(member), [-1] * 6)


def test_models_trained_on_nothing_have_no_twin() -> None:
    np.testing.assert_array_equal(twins(np.zeros((2, 5), dtype=bool)), [-1, -1])


def test_a_twin_among_the_references_gives_the_answer_away() -> None:
    """The number of IN shadows alone, no output looked at, separates members from non-members perfectly."""
    member = pairs(8, 200, seed=3)
    answer, with_twin, without = member[0], member[1:], member[2:]
    assert roc_auc_score(answer, -with_twin.sum(axis=0)) == 1.0
    assert roc_auc_score(answer, -without.sum(axis=0)) == 0.5


def test_held_out_shadow_meets_neither_itself_nor_its_twin(planted: Callable[..., Observations]) -> None:
    shadows = planted(models=6, seed=4).select(variants=["a"])
    references = References.of(shadows, logit_confidence)
    rounds = list(references.held_out())
    assert len(rounds) == 6
    for model, (values, others, member) in enumerate(rounds):
        own = references.calibration[model]
        np.testing.assert_array_equal(values, references.values[model, own])
        np.testing.assert_array_equal(member, references.member[model, own])
        rest = [m for m in range(6) if m // 2 != model // 2]
        np.testing.assert_array_equal(others.values, references.values[rest][:, own])
        np.testing.assert_array_equal(others.member.sum(axis=0), 2)


def test_signals_are_those_of_all_logits_at_once(planted: Callable[..., Observations]) -> None:
    shadows = planted(models=3, seed=5)
    values = References.of(shadows, logit_confidence).values
    np.testing.assert_array_equal(values, np.moveaxis(logit_confidence(shadows.logits, shadows.labels), 1, 2))


def test_examples_the_shadows_never_saw_are_named(planted: Callable[..., Observations]) -> None:
    shadows, target = planted(models=4, seed=6), planted(models=1, seed=7)
    shadows, target = shadows.select(variants=["a"]), target.select(variants=["a"])
    attack = lira("offline", "fixed").fit(shadows.select(examples=shadows.examples[3:]))
    with pytest.raises(ObservationError, match=r"3 of the target's 400 examples were not put .* id 1000"):
        attack.score(target.without_membership())


@pytest.mark.parametrize("name", CALIBRATED)
def test_online_forms_refuse_the_disjoint_design(name: str) -> None:
    attack = make_attack(name).fit(disjoint(6, seed=8))
    with pytest.raises(TooFewReferencesError, match=r"600 of 600 examples .* 0 to 0 of 6 .* offline"):
        attack.score(disjoint(1, seed=9, target=True).without_membership())


@pytest.mark.parametrize(
    "name",
    OFFLINE,
)
def test_offline_forms_beat_the_loss_in_the_disjoint_design(name: str) -> None:
    target = disjoint(1, seed=9, target=True)
    attack = make_attack(name).fit(disjoint(8, seed=8))
    blind = target.without_membership()
    loss = roc_auc_score(target.member[0], make_attack("attack-p").fit(disjoint(8, seed=8)).score(blind))
    score = attack.score(blind)
    assert roc_auc_score(target.member[0], score) > loss + 0.05
    called = score >= attack.threshold
    assert (called[target.member[0]].mean() + (~called)[~target.member[0]].mean()) / 2 > 0.75


@pytest.mark.parametrize("name", ["lira-offline-fixed-var", "rmia-offline", "joint-offline-nr", "quantile-regression"])
def test_null_target_of_the_disjoint_design_is_a_coin(name: str) -> None:
    """Shadows leak, the target was trained on neither side."""
    attack = make_attack(name).fit(disjoint(6, seed=10))
    target = disjoint(1, seed=11, target=True, lift=0.0, examples=600)
    # four standard errors of an AUC of 300 against 300
    assert abs(roc_auc_score(target.member[0], attack.score(target.without_membership())) - 0.5) < 0.095


def test_too_few_shadows_to_hold_one_out_give_the_natural_threshold(planted: Callable[..., Observations]) -> None:
    attack = lira("online", "per-example").fit(planted(models=4, seed=12).select(variants=["a"]))
    with pytest.warns(UserWarning, match="too few shadows to hold one out"):
        assert attack.threshold == 0.0


def test_two_shadows_calibrate_offline_lira_of_one_variance() -> None:
    """The one that is held out leaves a single reference, but what varies was learned from both."""
    shadows, target = disjoint(2, seed=15), disjoint(1, seed=16, target=True)
    attack = make_attack("lira-offline-fixed-var").fit(shadows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        threshold = attack.threshold
    score, member = attack.score(target.without_membership()), target.member[0]
    fpr, tpr, _ = roc_curve(member, score)
    called = score >= threshold
    reached = (called[member].mean() + (~called)[~member].mean()) / 2
    assert reached > (tpr + 1 - fpr).max() / 2 - 0.03
    assert reached > ((score >= 0)[member].mean() + (score < 0)[~member].mean()) / 2 + 0.03


def test_rmia_scores_are_ranks_of_the_ratio(planted: Callable[..., Observations]) -> None:
    shadows, target = (
        planted(models=6, seed=13).select(variants=["a"]),
        planted(models=1, seed=14).select(variants=["a"]),
    )
    score = rmia("offline").fit(shadows).score(target.without_membership())
    np.testing.assert_allclose(np.sort(score), np.arange(400) / 400)
