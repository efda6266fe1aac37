"""What must hold of every attack on encoders: it finds a planted signal, finds nothing in nothing, and plays fair."""

import inspect

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score

from compleak.attacks.encoder.access import CountedEncoder, EncoderError
from compleak.attacks.encoder.attack import EncoderAttack
from compleak.attacks.encoder.crops import CropRecipe, cut
from compleak.attacks.encoder.encodermi import encodermi
from compleak.attacks.encoder.lpla import lpla
from compleak.attacks.encoder.partcrop import partcrop, query_partcrop
from compleak.attacks.held import NotFittedError
from compleak.results.delong import delong_interval

# One interval in a thousand misses: there are fourteen tests with a single interval that must cover.
ALL_TESTS = 0.999


def test_finds_a_planted_signal(attack, fitted, planted):
    target = planted(attack, seed=2, signal=1.0)
    assert roc_auc_score(target.member, fitted(attack).score(target.features, target.examples)) > 0.75


def test_threshold_from_the_shadow_serves_the_target(attack, fitted, planted):
    target = planted(attack, seed=2, signal=1.0)
    called = fitted(attack).score(target.features, target.examples) >= fitted(attack).threshold
    assert (called[target.member].mean() + (~called)[~target.member].mean()) / 2 > 0.66


def test_finds_nothing_where_nothing_is(attack, fitted, planted):
    """Fitted on a shadow encoder that leaks, scored on twenty that do not."""
    targets = [planted(attack, seed=s, signal=0.0) for s in range(10, 30)]
    scores = [fitted(attack).score(t.features, t.examples) for t in targets]
    intervals = [delong_interval(s, t.member) for s, t in zip(scores, targets, strict=True)]
    # Of twenty 95 % intervals fewer than sixteen cover with probability 0.003.
    assert sum(i.low < 0.5 < i.high for i in intervals) >= 16
    # An AUC of 150 against 150 has a standard error of 0.033 under the null; four of them, over √20.
    mean = np.mean([roc_auc_score(t.member, s) for s, t in zip(scores, targets, strict=True)])
    assert abs(mean - 0.5) < 0.03


def test_learns_nothing_where_nothing_is(attack, make, planted):
    shadow, target = (planted(attack, seed=s, signal=0.0, count=120) for s in (4, 5))
    score = make(attack).fit(shadow.features, shadow.member, shadow.examples).score(target.features, target.examples)
    interval = delong_interval(score, target.member, level=ALL_TESTS)
    assert interval.low < 0.5 < interval.high


def test_scores_are_finite_float64_one_per_example(attack, fitted, planted):
    target = planted(attack, seed=2, signal=1.0)
    score = fitted(attack).score(target.features, target.examples)
    assert score.dtype == np.float64
    assert score.shape == target.examples.shape
    assert np.isfinite(score).all()
    assert isinstance(fitted(attack).threshold, float)
    assert fitted(attack).name == attack


def test_scoring_is_not_given_the_answer():
    assert list(inspect.signature(EncoderAttack.score).parameters) == ["self", "features", "examples"]


def test_company_does_not_matter(attack, fitted, planted):
    target = planted(attack, seed=2, signal=1.0)
    whole = fitted(attack).score(target.features, target.examples)
    order = np.random.default_rng(0).permutation(len(whole))[:50]
    some = fitted(attack).score(target.features[order], target.examples[order])
    assert_allclose(some, whole[order], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("network", ["encodermi-v", "encodermi-s", "partcrop-v1", "partcrop-v2"])
def test_same_seed_same_scores(network, make, planted):
    shadow = planted(network, seed=1, signal=1.0, count=40)
    first, second = (
        make(network).fit(shadow.features, shadow.member, shadow.examples).score(shadow.features, shadow.examples)
        for _ in range(2)
    )
    assert_array_equal(first, second)


def test_wants_to_be_fitted(attack, make, planted):
    target = planted(attack, seed=2, signal=1.0)
    with pytest.raises(NotFittedError, match=attack):
        make(attack).score(target.features, target.examples)


@pytest.mark.parametrize(
    ("made", "queries"),
    [
        (lpla("inf", "kde", access="partial-known", scale="raw"), 1),
        (encodermi("v", access="partial-known"), 10),
        (partcrop("v1", access="partial-known"), 129),
    ],
)
def test_queries_and_access_are_stated(made, queries):
    assert (made.queries, made.access) == (queries, "partial-known")


def test_known_examples_are_not_scored():
    cosines = np.random.default_rng(0).random((6, 3))
    known = encodermi("t", access="partial-known", views=3).fit(cosines, np.arange(6) < 3, np.arange(6))
    with pytest.raises(EncoderError, match=r"Membership of 2 of these 3 examples was known .* the first is 4"):
        known.score(cosines[:3], np.array([4, 5, 6]))
    shadow = encodermi("t", access="shadow", views=3).fit(cosines, np.arange(6) < 3, np.arange(6))
    assert len(shadow.score(cosines[:3], np.array([4, 5, 6]))) == 3


def test_features_that_do_not_fit():
    cosines, ids = np.random.default_rng(0).random((6, 3)), np.arange(6)
    attack = encodermi("t", access="shadow", views=3)
    with pytest.raises(EncoderError, match="two non-members at least; got 5 members"):
        attack.fit(cosines, ids < 5, ids)
    with pytest.raises(EncoderError, match=r"got \[6, 3\] and \[5\]"):
        attack.fit(cosines, ids < 3, ids[:5])
    with pytest.raises(EncoderError, match="not finite"):
        attack.fit(np.full_like(cosines, np.nan), ids < 3, ids)
    with pytest.raises(EncoderError, match="fitted on 3 features, got 2"):
        attack.fit(cosines, ids < 3, ids).score(cosines[:, :2], ids)


def ask(kind, encoder, views, ids):
    """An attack, and its features of ``views`` [examples, 16, 16, 3]."""
    counted = CountedEncoder(encoder)
    if kind == "partcrop":
        attack = partcrop("v1", access="partial-known", crops=8)
        features = query_partcrop(counted, views, ids, CropRecipe(size=8, count=8))
    elif kind == "encodermi":
        attack = encodermi("t", access="partial-known")
        augmented = CropRecipe(size=16, count=10, scale=(0.3, 0.7))
        images = cut(views, augmented.draw(ids, 16), 16).reshape(-1, 16, 16, 3)
        features = attack.features(counted.embed(images, np.repeat(ids, 10)).reshape(len(views), 10, -1))
    else:
        attack = lpla(2, "gaussian", access="partial-known", scale="raw")
        features = attack.features(counted.embed(views, ids))
    assert counted.per_example == attack.queries
    return attack, features


@pytest.mark.parametrize("kind", ["lpla", "encodermi", "partcrop"])
@pytest.mark.parametrize("asymmetric", [False, True], ids=["same transform", "members cropped"])
def test_null_control_is_alive(kind, asymmetric, encoder, images):
    """An encoder trained on nobody; the published PartCrop code crops members only, which is found out at once."""
    views, ids = images(400, seed=8), np.arange(400)
    member = np.random.default_rng(9).permutation(400) < 200
    if asymmetric:
        once = cut(views, CropRecipe(size=16, count=1, scale=(0.2, 0.7), seed=1).draw(ids, 16), 16)[:, 0]
        views = np.where(member[:, None, None, None], once, views)
    attack, features = ask(kind, encoder, views, ids)
    known = ids < 200
    score = attack.fit(features[known], member[known], ids[known]).score(features[~known], ids[~known])
    interval = delong_interval(score, member[~known], level=ALL_TESTS)
    assert (interval.low < 0.5 < interval.high) != asymmetric
