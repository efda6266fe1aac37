"""CompLeak_NR's metric attacks against a plain search, one class at a time."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import rankdata

from compleak.attacks import signals
from compleak.attacks.compleak.metric import ClassThresholds, Correctness, OneThreshold
from compleak.attacks.observations import Observations
from compleak.attacks.registry import make_attack

Plant = Callable[..., Observations]

PLAIN = {
    "entropy": lambda logits, labels: -signals.entropy(logits),
    "modified-entropy": lambda logits, labels: -signals.modified_entropy(logits, labels),
    "confidence": lambda logits, labels: np.exp(-signals.cross_entropy(logits, labels)),
}


@pytest.mark.parametrize("signal", PLAIN)
def test_decisions_are_song_and_mittals(shadows: Observations, target: Observations, signal: str) -> None:
    """The logarithmic scale changes no decision: thresholds found on the bare signal give the same calls."""
    shadows, target = shadows.select(variants=["a"]), target.select(variants=["a"])
    records, victims = shadows.calibration_records(), target.target_records()
    known = PLAIN[signal](records.logits[:, 0], records.labels)
    values = PLAIN[signal](victims.logits[:, 0], victims.labels)
    expected = np.zeros(len(values), dtype=bool)
    for label in range(5):
        own, member = known[records.labels == label], records.member[records.labels == label]
        candidates = np.unique(own)
        quality = [np.mean(own[member] >= t) + np.mean(own[~member] < t) for t in candidates]
        chosen = victims.labels == label
        expected[chosen] = values[chosen] >= candidates[np.argmax(quality)]
    attack = ClassThresholds(signal).fit(shadows)
    np.testing.assert_array_equal(attack.score(target) >= attack.threshold, expected)


@pytest.mark.parametrize("signal", PLAIN)
def test_ranking_within_a_class_is_the_signals(shadows: Observations, target: Observations, signal: str) -> None:
    target = target.select(variants=["a"])
    score = ClassThresholds(signal).fit(shadows.select(variants=["a"])).score(target)
    records = target.target_records()
    values = PLAIN[signal](records.logits[:, 0], records.labels)
    for label in range(5):
        own = records.labels == label
        np.testing.assert_array_equal(rankdata(score[own]), rankdata(values[own]))


@pytest.mark.parametrize("signal", PLAIN)
def test_confident_records_keep_their_order(planted: Plant, signal: str) -> None:
    """Far beyond where a posterior is 1 in float64, and a subtracted threshold would swallow the signal."""
    shadows = planted(models=2, seed=0, signal=3, variants=("a",))
    gap = np.linspace(40, 800, 300)
    target = Observations.from_arrays(
        np.stack([gap, *np.zeros((4, 300))], axis=-1)[None, None],
        np.zeros(300, dtype=int),
        models=["t"],
        variants=["a"],
        examples=np.arange(300),
    )
    score = ClassThresholds(signal).fit(shadows).score(target)
    assert (np.diff(score) > 0).all()


def test_a_class_the_shadows_lack_takes_the_common_threshold(planted: Plant) -> None:
    shadows = planted(models=2, seed=0, signal=3, variants=("a",))
    known = shadows.examples[shadows.labels != 4]
    attack = ClassThresholds("confidence").fit(shadows.select(examples=known))
    target = planted(models=1, seed=1, variants=("a",))
    records = shadows.select(examples=known).calibration_records()
    signal = signals.logit_confidence(records.logits[:, 0], records.labels)
    quality = [np.mean(signal[records.member] >= t) + np.mean(signal[~records.member] < t) for t in np.sort(signal)]
    common = np.sort(signal)[np.argmax(quality)]
    chosen = target.labels == 4
    expected = signals.logit_confidence(target.logits[0, 0], target.labels)[chosen] - common
    np.testing.assert_allclose(attack.score(target)[chosen], expected)


def test_loss_is_ranked_by_the_bare_loss(shadows: Observations, target: Observations) -> None:
    attack = OneThreshold("loss").fit(shadows.select(variants=["a"]))
    score = attack.score(target.select(variants=["a"]))
    np.testing.assert_array_equal(score, -signals.cross_entropy(target.of_variant("a")[0], target.labels))
    assert score.min() < attack.threshold < score.max()


@pytest.mark.parametrize("signal", ["entropy", "modified-entropy", "confidence"])
def test_one_threshold_ranks_by_nothing_that_was_fitted(signal, planted: Plant, target: Observations) -> None:
    """Whatever the shadows, the same order; thresholds for each class change it."""
    blind = target.select(variants=["a"]).without_membership()
    found = [planted(models=1, seed=seed).select(variants=["a"]) for seed in (5, 6)]
    bare = [make_attack(f"compleak-nr-{signal}-global").fit(shadows) for shadows in found]
    np.testing.assert_array_equal(bare[0].score(blind), bare[1].score(blind))
    assert bare[0].threshold != bare[1].threshold
    of_class = [make_attack(f"compleak-nr-{signal}").fit(shadows).score(blind) for shadows in found]
    assert (np.argsort(of_class[0]) != np.argsort(of_class[1])).any()


def test_correctness_is_the_gap_attack(shadows: Observations, target: Observations) -> None:
    """Balanced accuracy is ½ (accuracy on members + 1 − accuracy on non-members)."""
    attack = Correctness().fit(shadows.select(variants=["a"]))
    called = attack.score(target.select(variants=["a"])) >= attack.threshold
    right = target.of_variant("a")[0].argmax(axis=-1) == target.labels
    member = target.member[0]
    accuracy = (called[member].mean() + (~called)[~member].mean()) / 2
    assert accuracy == pytest.approx((right[member].mean() + 1 - right[~member].mean()) / 2)
