"""Encoder attacks over observations: alone, with compressed encoders, and with part of the answer known."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from compleak.attacks.encoder.access import EncoderError
from compleak.attacks.encoder.encodermi import view_cosines
from compleak.attacks.encoder.lpla import joint_likelihood_ratio, likelihood_ratio
from compleak.attacks.observations import ORIGINAL, ObservationError, Observations
from compleak.attacks.registry import ATTACKS, make_attack
from compleak.results.delong import delong_interval

VARIANTS = (ORIGINAL, "tflite/a", "tflite/b")
# The norms' orders and the two networks of PartCrop differ in nothing that is looked at here.
ENCODER = [
    name
    for name, info in ATTACKS.items()
    if info.task == "encoder"
    and not name.startswith(("lpla-l1", "lpla-l2", "lpla-l3", "partcrop-v1-", "encodermi-v-mr-"))
]
EXAMPLES = 240


def observations(signal, seed=0):
    """One shadow and one target, each asked about its own half of the examples only; all variants see one signal."""
    rng = np.random.default_rng(seed)
    models, half = ("shadow-0", "target-0"), EXAMPLES // 2
    member = np.zeros((2, EXAMPLES), dtype=bool)
    asked = np.zeros((2, EXAMPLES), dtype=bool)
    for m, ids in enumerate(np.split(rng.permutation(EXAMPLES), 2)):
        asked[m, ids], member[m, ids[: half // 2]] = True, True
    more = 1 + signal * member[:, None, :, None]
    shape = (2, len(VARIANTS), EXAMPLES)
    embedding = rng.normal(size=(2, 1, EXAMPLES, 32)) * more + 0.05 * rng.normal(size=(*shape, 32))
    views = rng.normal(size=(2, 1, EXAMPLES, 1, 8)) + rng.normal(size=(*shape, 10, 8)) / more[..., None] ** 2
    cosines = view_cosines(views.reshape(-1, 10, 8)).reshape(*shape, 45)
    parts = np.sort(rng.gamma(4.0, size=(*shape, 16)), axis=-1)[..., ::-1] * more**3
    answers = {"embedding": embedding, "view_cosines": cosines, "part_features": parts}
    return Observations.from_answers(
        {name: np.where(asked[:, None, :, None], values, np.nan) for name, values in answers.items()},
        np.zeros(EXAMPLES, dtype=int),
        models=models,
        variants=VARIANTS,
        examples=np.arange(EXAMPLES),
        member=member,
        calibration=asked,
    )


def held(name, observed):
    wanted = {
        "one-model": VARIANTS[:1],
        "original+compressed": VARIANTS[:2],
        "multiple": VARIANTS[1:],
        "multiple+original": VARIANTS,
    }
    return observed.select(variants=wanted[ATTACKS[name].access])


def run(name, observed):
    attack, target = fitted(name, observed)
    return attack, attack.score(target.without_membership()), target.member[0]


def fitted(name, observed):
    """The attack, and the target with the examples that it may be scored on."""
    observed, asked = held(name, observed), observed.data["calibration"].values
    target = observed.select(models=["target-0"], examples=np.flatnonzero(asked[1]))
    if ATTACKS[name].known == "shadows":
        return make_attack(name, 3).fit(observed.select(models=["shadow-0"])), target
    scored = np.arange(len(target.examples)) % 2 == 1
    attack = make_attack(name, 3).fit(target.select(examples=target.examples[~scored]).all_calibration())
    return attack, target.select(examples=target.examples[scored])


@pytest.mark.parametrize("name", ENCODER)
def test_a_leak_is_found_and_none_is_not(name):
    attack, scores, member = run(name, observations(signal=1.0))
    assert attack.name == name and attack.access == ATTACKS[name].access
    assert np.isfinite(attack.threshold)
    assert roc_auc_score(member, scores) > 0.75
    _, scores, member = run(name, observations(signal=0.0, seed=1))
    interval = delong_interval(scores, member, level=0.999)
    assert interval.low <= 0.5 <= interval.high


@pytest.mark.parametrize("name", ENCODER)
def test_company_does_not_matter_but_to_what_takes_the_encoders_scale_out(name):
    attack, target = fitted(name, observations(signal=1.0))
    blind = target.without_membership()
    whole = attack.score(blind)
    chosen = np.argsort(-whole)[: len(whole) // 4]
    some = attack.score(blind.select(examples=blind.examples[chosen]))
    assert np.allclose(some, whole[chosen], rtol=1e-9, atol=1e-11) == ("standardised" not in name)


@pytest.mark.parametrize("name", ["encodermi-v-mr", "lpla-linf-gaussian-standardised-mr"])
def test_order_of_variants_is_immaterial(name):
    observed = observations(signal=0.5)
    ids = np.flatnonzero(observed.data["calibration"].values[1])
    target = held(name, observed).select(models=["target-0"], examples=ids).without_membership()
    attack = make_attack(name, 0).fit(held(name, observed).select(models=["shadow-0"]))
    turned = target.select(variants=VARIANTS[::-1])
    np.testing.assert_array_equal(attack.score(turned), attack.score(target))


def test_examples_that_nobody_asked_about_are_an_error():
    observed = observations(signal=0.5)
    attack = make_attack("encodermi-t").fit(held("encodermi-t", observed).select(models=["shadow-0"]))
    with pytest.raises(ObservationError, match="target-0 was not asked for view_cosines"):
        attack.score(held("encodermi-t", observed).select(models=["target-0"]).without_membership())


def test_known_examples_are_not_scored():
    observed = held("encodermi-t-known", observations(signal=0.5))
    ids = np.flatnonzero(observed.data["calibration"].values[1])
    target = observed.select(models=["target-0"], examples=ids)
    attack = make_attack("encodermi-t-known").fit(target.all_calibration())
    with pytest.raises(EncoderError, match="was known"):
        attack.score(target.without_membership())


def test_two_norms_by_hand():
    """Two independent norms: the joint log-likelihood ratio is the sum of each one's own."""
    rng = np.random.default_rng(0)
    # Exactly uncorrelated columns, so that the covariances are diagonal.
    base = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    values = np.concatenate([base * [1, 2] + [0.3, 0], base * [2, 1]])
    member = np.arange(8) < 4
    asked = rng.normal(size=(5, 2))
    alone = [likelihood_ratio(values[:, i], member, "gaussian")(asked[:, i]) for i in range(2)]
    np.testing.assert_allclose(joint_likelihood_ratio(values, member)(asked), sum(alone), atol=1e-12)


@pytest.mark.parametrize("rounding", [0, 1e-8, 1e-7, 3e-7, 1e-6, 1e-5])
def test_a_copy_adds_nothing(rounding):
    rng = np.random.default_rng(0)
    values, member = rng.normal(size=60), np.arange(60) < 30
    values[member] += 1
    twice = np.stack([values, values + rounding * rng.normal(size=60)], axis=1)
    one = likelihood_ratio(values, member, "gaussian")(values)
    np.testing.assert_allclose(joint_likelihood_ratio(twice, member)(twice), one, atol=max(1e-6, 20 * rounding))
