"""CompLeak_SR's features, worked by hand."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from compleak.attacks.compleak.sr import sorted_posteriors, sorted_posteriors_and_label
from compleak.attacks.observations import Observations
from compleak.attacks.registry import make_attack

# p_o sorted ascending: classes 1 (.2), 2 (.3), 0 (.5); the same order is applied to p_c and to the label.
ORIGINAL_P, COMPRESSED_P = [0.5, 0.2, 0.3], [0.1, 0.6, 0.3]
LOGITS = np.log([[ORIGINAL_P, COMPRESSED_P]])


def test_by_hand() -> None:
    labels = np.array([2])
    np.testing.assert_allclose(sorted_posteriors(LOGITS, labels), [[0.2, 0.3, 0.5, 0.6, 0.3, 0.1]])
    np.testing.assert_allclose(sorted_posteriors_and_label(LOGITS, labels), [[0.2, 0.3, 0.5, 0.6, 0.3, 0.1, 0, 1, 0]])


def test_equal_posteriors_keep_class_order() -> None:
    logits = np.array([[[1.0, 1, 1], [3, 2, 1]]])
    compressed = np.exp([3, 2, 1]) / np.exp([3, 2, 1]).sum()
    np.testing.assert_allclose(sorted_posteriors(logits, np.array([0]))[0, 3:], compressed)


def test_class_names_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(20, 2, 6)), rng.integers(0, 6, 20)
    order = rng.permutation(6)
    np.testing.assert_allclose(
        sorted_posteriors_and_label(logits[..., order], np.argsort(order)[labels]),
        sorted_posteriors_and_label(logits, labels),
    )


@pytest.mark.parametrize("features", ["sr1", "sr2"])
def test_the_original_leads_whatever_the_order(shadows: Observations, target: Observations, features: str) -> None:
    turned, straight = ["a", "original"], ["original", "a"]
    attack = make_attack(f"compleak-{features}-lr")
    expected = attack.fit(shadows.select(variants=straight)).score(target.select(variants=straight))
    got = attack.fit(shadows.select(variants=turned)).score(target.select(variants=turned))
    np.testing.assert_array_equal(got, expected)


def test_the_difference_of_two_models_is_used(target: Observations, shadows: Observations) -> None:
    """Membership that shows in neither model alone, only in how far compression moved the posterior."""
    rng = np.random.default_rng(4)

    def pair(like: Observations) -> Observations:
        base = rng.normal(size=(len(like.models), len(like.examples), 5)) * 2
        moved = base + np.where(like.member[..., None], 0.1, 1.5) * rng.normal(size=base.shape)
        # Each model alone: the same law for both kinds up to spread, so SR must compare them.
        return Observations.from_arrays(
            np.stack([base, moved], axis=1),
            like.labels,
            models=like.models,
            variants=["original", "a"],
            examples=like.examples,
            member=like.member,
            calibration=None if "calibration" not in like.data else like.data["calibration"].values,
        )

    shadow_pairs, target_pair = pair(shadows), pair(target)
    member = target_pair.member[0]
    sr = make_attack("compleak-sr1-rf").fit(shadow_pairs).score(target_pair)
    alone = (
        make_attack("compleak-nr-train1-rf")
        .fit(shadow_pairs.select(variants=["a"]))
        .score(target_pair.select(variants=["a"]))
    )
    assert roc_auc_score(member, sr) > roc_auc_score(member, alone) + 0.1
