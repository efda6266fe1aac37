"""CompLeak_MR: whose losses, whose probabilities, and that it stays the same attack when things are reordered."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score

from compleak.attacks import signals
from compleak.attacks.compleak import mr
from compleak.attacks.compleak.learners import random_forest
from compleak.attacks.compleak.mr import MultipleModels
from compleak.attacks.compleak.two_branch import TwoBranch, fit_two_branch
from compleak.attacks.held import Held
from compleak.attacks.observations import ORIGINAL, Observations
from compleak.attacks.registry import make_attack

Plant = Callable[..., Observations]
Fit = Callable[..., MultipleModels]


def with_noise(observations: Observations, variant: str) -> Observations:
    """The same, one variant's logits replaced by noise."""
    logits = observations.data["logits"].copy(deep=True)
    noise = np.random.default_rng(0).normal(size=logits.sel(variant=variant).shape)
    logits.loc[{"variant": variant}] = noise.astype(np.float32)
    return Observations(observations.data.assign(logits=logits))


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """What MR hands to its network in ``fit``."""
    inputs: dict[str, np.ndarray] = {}

    def spy(probabilities: np.ndarray, losses: np.ndarray, member: np.ndarray, **_: int) -> object:
        inputs.update(probabilities=probabilities, losses=losses, member=member)
        return lambda p, _: p[:, 1]

    monkeypatch.setattr("compleak.attacks.compleak.two_branch.fit_two_branch", spy)
    return inputs


def test_each_column_is_a_models_own_loss(shadows: Observations, seen: dict[str, np.ndarray]) -> None:
    """CompLeak's code repeats the loss of the last model it loaded in every column."""
    make_attack("compleak-mr").fit(shadows)
    records = shadows.calibration_records()
    for column, variant in enumerate(["a", "b"], start=1):
        own = signals.cross_entropy(records.logits[:, column], records.labels)
        assert_allclose(seen["losses"][:, column - 1], (own - own.mean()) / own.std(), err_msg=variant)
    assert not np.allclose(seen["losses"][:, 0], seen["losses"][:, 1])


def test_shadow_losses_are_of_the_shadow_itself(shadows: Observations, seen: dict[str, np.ndarray]) -> None:
    """In CompLeak's code four of five shadows get the losses of another shadow's model."""
    make_attack("compleak-mr").fit(shadows)
    row = 0
    for index, model in enumerate(shadows.models):
        chosen = shadows.data["calibration"].values[index]
        one = shadows.select(models=[model]).of_variant("a")[0][chosen]
        own = signals.cross_entropy(one, shadows.labels[chosen])
        got = seen["losses"][row : row + len(own), 0]
        assert np.corrcoef(own, got)[0, 1] > 1 - 1e-9
        row += len(own)
    assert row == len(seen["losses"])


def test_probabilities_are_held_out(planted: Plant, seen: dict[str, np.ndarray]) -> None:
    """Shadows without any signal: in-sample forests would still look like a strong attack."""
    make_attack("compleak-mr").fit(planted(models=8, seed=7))
    for column in (1, 3):
        assert abs(roc_auc_score(seen["member"], seen["probabilities"][:, column]) - 0.5) < 0.1
    assert_allclose(seen["probabilities"].mean(axis=0), 0, atol=1e-12)
    assert_allclose(seen["probabilities"].std(axis=0), 1)
    assert_allclose(seen["probabilities"][:, 0], -seen["probabilities"][:, 1], atol=1e-9)


def test_forests_are_those_of_the_pair_attacks(
    shadows: Observations, target: Observations, seen: dict[str, np.ndarray]
) -> None:
    """With the original SR2's, without it train-based 2's; and fitted once, not twice."""
    random_forest.cache_clear()
    pair = make_attack("compleak-sr2-rf", seed=5).fit(shadows.select(variants=[ORIGINAL, "a"]))
    single = make_attack("compleak-nr-train2-rf", seed=5).fit(shadows.select(variants=["a"]))
    with_original = make_attack("compleak-mr", seed=5).fit(shadows)
    without = make_attack("compleak-mr-no-original", seed=5).fit(shadows.select(variants=["a", "b"]))
    assert random_forest.cache_info().hits == 2
    column, alone = with_original.score(target), pair.score(target.select(variants=[ORIGINAL, "a"]))
    assert np.corrcoef(column, alone)[0, 1] > 1 - 1e-9
    column = without.score(target.select(variants=["a", "b"]))
    assert np.corrcoef(column, single.score(target.select(variants=["a"])))[0, 1] > 1 - 1e-9


@pytest.mark.parametrize("name", ["compleak-mr", "compleak-mr-no-original"])
def test_order_of_variants_does_not_matter(
    name: str, holding: Callable[..., Observations], shadows: Observations, target: Observations, fitted: Fit
) -> None:
    held, shown = holding(name, shadows), holding(name, target)
    turned = list(reversed(held.variants))
    expected = fitted(name).score(shown)
    assert_array_equal(fitted(name).score(shown.select(variants=turned)), expected)
    refitted = make_attack(name, seed=5).fit(held.select(variants=turned))
    assert_array_equal(refitted.score(shown), expected)


@pytest.mark.parametrize("variant", ["a", "b"])
def test_every_model_is_listened_to(target: Observations, fitted: Fit, variant: str) -> None:
    attack = fitted("compleak-mr")
    broken = attack.score(with_noise(target, variant))
    member = target.member[0]
    assert roc_auc_score(member, broken) < roc_auc_score(member, attack.score(target))


def test_the_originals_loss_is_not_an_input(shadows: Observations) -> None:
    held = Held.of(shadows, "multiple+original", "x")
    records = held.calibration_records(shadows)
    before = mr._losses(held, records.logits, records.labels)
    records.logits[:, 0] = 0
    assert_array_equal(mr._losses(held, records.logits, records.labels), before)
    assert before.shape == (len(records.labels), 2)


def test_network_has_the_published_shape() -> None:
    """Branches 2M→128→64 and M→128→64, head 128→256→128→64→2: counted by hand for M = 5."""

    def dense(*widths: int) -> int:
        return sum((i + 1) * o for i, o in pairwise(widths))

    network = TwoBranch(10, 5)
    expected = dense(10, 128, 64) + dense(5, 128, 64) + dense(128, 256, 128, 64, 2)
    assert sum(p.numel() for p in network.parameters()) == expected
    assert network(torch.zeros(3, 10), torch.zeros(3, 5)).shape == (3, 2)


def test_network_learns_and_leaves_torch_as_it_was() -> None:
    rng = np.random.default_rng(0)
    member = rng.random(600) < 0.5
    p = 2 * member - 1 + rng.normal(size=600)
    inputs = np.column_stack([-p, p]), rng.normal(size=(600, 1))
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    log_odds = fit_two_branch(*inputs, member, seed=0, epochs=30)
    again = fit_two_branch(*inputs, member, seed=0, epochs=30)
    other = fit_two_branch(*inputs, member, seed=1, epochs=30)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)
    assert roc_auc_score(member, log_odds(*inputs)) > 0.88  # Φ(√2) = 0.921 at best
    assert_array_equal(again(*inputs), log_odds(*inputs))
    assert not np.allclose(other(*inputs), log_odds(*inputs))


def test_threshold_is_the_base_rate(shadows: Observations, seen: dict[str, np.ndarray]) -> None:
    attack = make_attack("compleak-mr").fit(shadows)
    members = seen["member"].sum()
    assert attack.threshold == pytest.approx(np.log(members / (len(seen["member"]) - members)))
