"""What must hold of every attack on language models: it finds a planted leak, finds nothing in nothing, plays fair."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from compleak.attacks.compleak.learners import LEARNERS, Learned
from compleak.attacks.held import NotFittedError
from compleak.attacks.language_model.listing import LANGUAGE_MODEL_ATTACKS
from compleak.attacks.observations import ORIGINAL, ObservationError, Observations
from compleak.attacks.protocol import Attack
from compleak.attacks.references import TooFewReferencesError
from compleak.attacks.registry import make_attack

Holding = Callable[[str, Observations], Observations]
Plant = Callable[..., Observations]
Fit = Callable[[str], Attack]
NAMES = tuple(LANGUAGE_MODEL_ATTACKS)
# Their rule looks at all texts under attack: see the same list for classifiers.
BY_COMPANY = {
    *("lm-rmia-online", "lm-rmia-offline"),
    *("lm-lira-online-fixed-var", "lm-lira-online-bayes", "lm-lira-offline-bayes"),
}


def changed(observations: Observations, change: Callable[[np.ndarray], np.ndarray]) -> Observations:
    """The same with other log-likelihoods, of as many tokens; the base model's are of the same tokens."""
    data = observations.data
    found = change(data["log_likelihood"].values)
    base = np.where(np.isnan(found[0, 0]), np.nan, data["base"].values)
    return Observations(
        data.assign(log_likelihood=(data["log_likelihood"].dims, found), base=(data["base"].dims, base))
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_row_is_what_the_attack_says_of_itself(name: str) -> None:
    attack, row = make_attack(name), LANGUAGE_MODEL_ATTACKS[name]
    assert (attack.name, attack.access, attack.queries) == (name, row.access, row.queries)
    assert row.task == "language-model"


@pytest.mark.parametrize("name", NAMES)
def test_finds_a_planted_leak_and_its_threshold_serves(
    name: str, fitted: Fit, holding: Holding, target: Observations
) -> None:
    attack, member = fitted(name), target.member[0]
    score = attack.score(holding(name, target).without_membership())
    assert score.dtype == np.float64
    assert score.shape == (len(member),)
    assert roc_auc_score(member, score) > (0.6 if "zlib" in name else 0.7)
    called = score >= attack.threshold
    assert (called[member].mean() + (~called)[~member].mean()) / 2 > (0.55 if "zlib" in name else 0.62)


@pytest.mark.parametrize("name", NAMES)
def test_finds_nothing_where_nothing_is(name: str, fitted: Fit, holding: Holding, planted: Plant) -> None:
    """Fitted on shadows that leak, scored on a model whose members and non-members are exchangeable."""
    null = planted(models=1, seed=3)
    score = fitted(name).score(holding(name, null).without_membership())
    # An AUC of 200 against 200 has a standard error of 0.029 under the null; four of them.
    assert abs(roc_auc_score(null.member[0], score) - 0.5) < 0.116


@pytest.mark.parametrize("name", NAMES)
def test_more_padding_changes_no_score(name: str, fitted: Fit, holding: Holding, target: Observations) -> None:
    blind = holding(name, target).without_membership()
    wider = Observations(blind.data.pad(token=(0, 5), constant_values=np.nan))
    np.testing.assert_allclose(fitted(name).score(wider), fitted(name).score(blind), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_texts_of_one_token_or_none_have_a_score_and_disturb_no_other(
    name: str, fitted: Fit, holding: Holding, target: Observations
) -> None:
    if "rmia" in name:
        pytest.skip("RMIA ranks each text among all others, so every score follows from all")
    blind = holding(name, target).without_membership()

    def cut(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[..., 0, 1:], values[..., 1, :] = np.nan, np.nan
        return values

    score = fitted(name).score(changed(blind, cut))
    assert np.isfinite(score).all()
    np.testing.assert_allclose(score[2:], fitted(name).score(blind)[2:], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_shadows_with_texts_of_one_token_or_none(name: str, holding: Holding, planted: Plant) -> None:
    shadows, one = planted(models=6, seed=4, lift=1.0), planted(models=1, seed=5, lift=1.0)

    def cut(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[:, :, :100, 1:], values[:, :, 100:120] = np.nan, np.nan
        return values

    attack = make_attack(name, seed=1).fit(holding(name, changed(shadows, cut)))
    assert np.isfinite(attack.score(holding(name, changed(one, cut)).without_membership())).all()
    assert np.isfinite(attack.threshold)


@pytest.mark.parametrize("name", [n for n in NAMES if LANGUAGE_MODEL_ATTACKS[n].references])
def test_an_attack_needs_as_many_shadows_as_it_says(name: str, planted: Plant, holding: Holding) -> None:
    least = LANGUAGE_MODEL_ATTACKS[name].least_shadows("pool")

    def score(shadows: int) -> np.ndarray:
        world = holding(name, planted(models=2 + shadows, seed=4, lift=1.5))
        attack = make_attack(name).fit(world.select(models=world.models[2:]))
        return attack.score(world.select(models=world.models[:1]).without_membership())

    assert np.isfinite(score(least)).all()
    with pytest.raises(TooFewReferencesError):
        score(least - 2 or 1)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_scores(name: str, fitted: Fit, holding: Holding, planted: Plant) -> None:
    blind = holding(name, planted(models=1, seed=2, lift=1.5)).without_membership()
    again = make_attack(name, seed=5).fit(holding(name, planted(models=8, seed=1, lift=1.5)))
    np.testing.assert_array_equal(again.score(blind), fitted(name).score(blind))
    assert again.threshold == fitted(name).threshold


@pytest.mark.parametrize("name", NAMES)
def test_order_of_texts_and_variants_changes_nothing(
    name: str, fitted: Fit, holding: Holding, target: Observations
) -> None:
    blind = holding(name, target).without_membership()
    order = np.random.default_rng(0).permutation(len(blind.examples))
    turned = blind.select(examples=blind.examples[order], variants=blind.variants[::-1])
    np.testing.assert_allclose(fitted(name).score(turned), fitted(name).score(blind)[order], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_company_does_not_matter(name: str, fitted: Fit, holding: Holding, target: Observations) -> None:
    blind, attack = holding(name, target).without_membership(), fitted(name)
    whole = attack.score(blind)
    likely = np.nanmean(blind.answers("log_likelihood")[0, -1], axis=-1)
    chosen = np.argsort(-likely)[: len(whole) // 4]
    some = attack.score(blind.select(examples=blind.examples[chosen]))
    assert np.allclose(some, whole[chosen], rtol=1e-9, atol=1e-11) == (name not in BY_COMPANY)


@pytest.mark.parametrize("name", ["lm-loss", "lm-mr-lr", "lm-lira-offline-fixed-var"])
def test_other_variants_and_scoring_before_fitting_are_errors(
    name: str, fitted: Fit, holding: Holding, target: Observations
) -> None:
    with pytest.raises(NotFittedError):
        make_attack(name).score(target)
    with pytest.raises(ObservationError, match="was fitted on"):
        fitted(name).score(target.select(variants=["b"]))
    with pytest.raises(ObservationError, match="has access"):
        make_attack(name).fit(target.select(variants=[ORIGINAL, "a"]))


def test_variants_asked_about_other_tokens_are_an_error(fitted: Fit, holding: Holding, target: Observations) -> None:
    def cut(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[:, 1, 7] = np.nan
        return values

    with pytest.raises(ObservationError, match="same tokens"):
        fitted("lm-sr-lr").score(holding("lm-sr-lr", changed(target, cut)))


def test_shadows_without_members_and_logits_in_their_place_are_errors(planted: Plant) -> None:
    shadows = planted(models=2, seed=6).select(variants=[ORIGINAL])
    nobody = Observations(shadows.data.assign(member=shadows.data["member"] & False))
    with pytest.raises(ObservationError, match="0 of these are members"):
        make_attack("lm-loss").fit(nobody)
    classifier = Observations.from_arrays(
        np.zeros((2, 1, 4, 3)), np.zeros(4, int), models=["m", "n"], variants=[ORIGINAL], examples=np.arange(4),
        member=np.array([[True, False] * 2] * 2),
    )  # fmt: skip
    with pytest.raises(ObservationError, match="no log_likelihood"):
        make_attack("lm-loss").fit(classifier)


@pytest.mark.parametrize("kept", [0.5, 1.5])
def test_the_compressed_model_as_the_reference_in_closed_form(planted: Plant, kept: float) -> None:
    """Sixteen tokens of noise 1 in each model; the original shows a lift of 0.5, the compressed one half of it.

    The difference is 0.25 higher for members and has a deviation of sqrt(2 / 16), so AUC = Phi(0.25 / 0.3536 / sqrt 2)
    = Phi(0.5), and the best balanced accuracy Phi(0.25 / 0.3536 / 2). Where the compressed one shows half as much
    again, the difference is as much lower. The loss alone drowns in the texts' own deviation of 3.
    """
    shape = {"lift": 0.5, "kept": kept, "noise": 1.0, "shared": 3.0, "full": True, "texts": 8000}
    shadows, one = planted(models=2, seed=7, **shape), planted(models=1, seed=8, **shape)
    member = one.member[0]
    auc, reached = {}, {}
    for name, variants in (("lm-loss", [ORIGINAL]), ("lm-reference-compressed", [ORIGINAL, "a"])):
        attack = make_attack(name).fit(shadows.select(variants=variants))
        score = attack.score(one.select(variants=variants).without_membership())
        auc[name] = roc_auc_score(member, score)
        called = score >= attack.threshold
        reached[name] = (called[member].mean() + (~called)[~member].mean()) / 2
    assert auc["lm-reference-compressed"] == pytest.approx(norm.cdf(0.5), abs=0.018)  # 3 standard errors
    assert reached["lm-reference-compressed"] == pytest.approx(norm.cdf(np.sqrt(0.125)), abs=0.02)
    assert auc["lm-loss"] < 0.58


def test_a_text_that_says_nothing_stands_in_the_middle_of_the_shadows(planted: Plant) -> None:
    shadows, one = planted(models=2, seed=4, lift=1.0), planted(models=1, seed=5, lift=1.0)
    shadows, one = shadows.select(variants=[ORIGINAL]), one.select(variants=[ORIGINAL])

    def cut(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[..., 3, :] = np.nan
        return values

    score = make_attack("lm-loss").fit(shadows).score(changed(one, cut).without_membership())
    means = np.nanmean(shadows.answers("log_likelihood")[:, 0], axis=-1)[shadows.data["calibration"].values]
    assert score[3] == pytest.approx(np.median(means), rel=1e-12)
    assert means.max() < -3  # so that 0 would not be in the middle of anything


def test_threshold_and_middle_are_of_what_is_held_out(planted: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A learner that knows its own records by heart, and of others tells 0.4 of a member, 0.3 of a non-member."""
    monkeypatch.setitem(
        LEARNERS, "lr", lambda table, _: Learned(lambda x: np.full(len(x), 0.9), np.where(table.member, 0.4, 0.3))
    )
    shadows, one = planted(models=2, seed=4), planted(models=1, seed=5)
    shadows, one = shadows.select(variants=[ORIGINAL]), one.select(variants=[ORIGINAL])
    attack = make_attack("lm-nr-lr").fit(shadows)
    assert attack.threshold == 0.4
    members = shadows.member[shadows.data["calibration"].values].mean()
    score = attack.score(changed(one, lambda values: np.full_like(values, np.nan)).without_membership())
    np.testing.assert_array_equal(score, 0.4 if members > 0.5 else 0.3)


def test_learning_from_both_models_beats_either_alone(planted: Plant) -> None:
    shape = {"lift": 0.5, "kept": 0.5, "noise": 1.0, "shared": 3.0, "texts": 1500}
    shadows, one = planted(models=4, seed=9, **shape), planted(models=1, seed=10, **shape)
    auc = {}
    for form, variants in (("nr", [ORIGINAL]), ("sr", [ORIGINAL, "a"]), ("mr", [ORIGINAL, "a", "b"])):
        attack = make_attack(f"lm-{form}-lr").fit(shadows.select(variants=variants))
        auc[form] = roc_auc_score(one.member[0], attack.score(one.select(variants=variants).without_membership()))
    assert auc["nr"] + 0.05 < auc["sr"] < auc["mr"]


def test_lira_of_texts_is_lira_of_their_mean_log_likelihoods(planted: Plant) -> None:
    from compleak.attacks.language_model.scores import mean_log_likelihood
    from compleak.attacks.lira import lira_scores

    shadows, one = (planted(models=n, seed=s, lift=1).select(variants=[ORIGINAL]) for n, s in ((6, 11), (1, 12)))
    by_attack = make_attack("lm-lira-online-fixed-var").fit(shadows).score(one.without_membership())
    target, references = (mean_log_likelihood(o.answers("log_likelihood")[:, 0]) for o in (one, shadows))
    by_hand = lira_scores(target[0], references, shadows.member, variance="fixed")
    np.testing.assert_allclose(by_attack, by_hand, rtol=1e-12)


def test_rmia_of_texts_ranks_by_the_geometric_mean_probability(planted: Plant) -> None:
    shadows, one = (planted(models=n, seed=s, lift=1).select(variants=[ORIGINAL]) for n, s in ((6, 13), (1, 14)))
    score = make_attack("lm-rmia-online").fit(shadows).score(one.without_membership())
    target, references = (np.exp(np.nanmean(o.answers("log_likelihood")[:, 0], axis=-1)) for o in (one, shadows))
    ratio = target[0] / references.mean(axis=0)
    np.testing.assert_array_equal(np.argsort(np.argsort(ratio)) / len(ratio), score)


def test_rmia_of_two_shadows_takes_their_mean_as_it_is(planted: Plant) -> None:
    """Tokens are rare: an ``a`` that suits classes, 0.3, would drown the references and leave the bare loss."""
    shadows = planted(models=3, seed=13, lift=1, shared=2.0).select(variants=[ORIGINAL])
    two, one = shadows.select(models=shadows.models[:2]), shadows.select(models=shadows.models[2:])
    score = make_attack("lm-rmia-offline").fit(two).score(one.without_membership())
    target, references = (np.exp(np.nanmean(o.answers("log_likelihood")[:, 0], axis=-1)) for o in (one, two))
    mean_out = np.where(two.member, 0, references).sum(axis=0) / (~two.member).sum(axis=0)
    ratio = target[0] / mean_out
    np.testing.assert_array_equal(np.argsort(np.argsort(ratio)) / len(ratio), score)
