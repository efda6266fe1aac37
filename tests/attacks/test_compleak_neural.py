"""CompLeak_NR's neural attacks: what goes in, what the networks are, and that they learn from it."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score

from compleak.attacks.compleak.networks import SelfAttention, fit_perceptron, fit_self_attention
from compleak.attacks.compleak.neural import tokens
from compleak.attacks.observations import ObservationError, Observations, Records
from compleak.attacks.registry import ATTACKS, make_attack

Plant = Callable[..., Observations]
NAMES = ["compleak-nr-train1-nn", "compleak-nr-train2-nn", "compleak-nr-samia"]


def auc(name: str, shadows: Observations, target: Observations) -> float:
    score = make_attack(name).fit(shadows).score(target.without_membership())
    return float(roc_auc_score(target.member[0], score))


def test_tokens_by_hand() -> None:
    logits = np.log([[[0.5, 0.2, 0.3]], [[0.1, 0.8, 0.1]]])
    moved = np.array([[[0.4, 0.0, 2.0]], [[1.0, 3.0, 5.0]]])
    got = tokens(Records(logits, np.array([2, 1]), sensitivity=moved))
    expected = [
        [[0.5, 0.4, 0], [0.2, 0.0, 0], [0.3, 2.0, 1]],
        [[0.1, 1.0, 0], [0.8, 3.0, 1], [0.1, 5.0, 0]],
    ]
    assert_allclose(got, expected)


def test_network_has_the_published_size() -> None:
    """141,886 parameters at 10 classes, counted in CompLeak's published code."""
    network = SelfAttention(10)
    assert sum(p.numel() for p in network.parameters()) == 141_886
    assert network(torch.zeros(3, 10, 3)).shape == (3, 2)


def test_noisy_queries_are_counted() -> None:
    assert ATTACKS["compleak-nr-samia"].queries == 11
    assert {name for name, info in ATTACKS.items() if info.sensitivity} == {"compleak-nr-samia"}


def test_samia_says_what_it_lacks(shadows: Observations) -> None:
    without = Observations(shadows.data.drop_vars("sensitivity"))
    with pytest.raises(ObservationError, match="sensitivity to noise, which these observations do not hold"):
        make_attack("compleak-nr-samia").fit(without.select(variants=["a"]))


def test_samia_reads_the_sensitivity(planted: Plant) -> None:
    """Posteriors that say nothing and a sensitivity that does: members are steadier."""

    def steady(observations: Observations) -> Observations:
        factor = (1 - 0.6 * observations.data["member"]).expand_dims("variant", axis=1).assign_coords(variant=["a"])
        moved = observations.data["sensitivity"] * factor
        dimensions = observations.data["sensitivity"].dims
        return Observations(observations.data.assign(sensitivity=moved.transpose(*dimensions)))

    shadows = steady(planted(models=4, seed=0, variants=("a",)))
    target = steady(planted(models=1, seed=1, variants=("a",)))
    assert auc("compleak-nr-samia", shadows, target) > 0.9
    assert abs(auc("compleak-nr-train2-nn", shadows, target) - 0.5) < 0.116


@pytest.mark.parametrize("name", NAMES)
def test_shuffled_answers_teach_nothing(name: str, planted: Plant) -> None:
    shadows, target = (planted(models=m, seed=m, signal=3, variants=("a",)) for m in (4, 1))
    shuffled = np.random.default_rng(0).permuted(shadows.member, axis=1)
    shadows = Observations(shadows.data.assign(member=(("model", "example"), shuffled)))
    assert abs(auc(name, shadows, target) - 0.5) < 0.2  # what chance finds in 400 records may lie along the signal


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_changes_what_is_drawn(name: str, planted: Plant) -> None:
    shadows, target = (planted(models=m, seed=m, signal=3, variants=("a",)) for m in (2, 1))
    first, second = (make_attack(name, seed=s).fit(shadows).score(target) for s in (0, 1))
    assert not np.allclose(first, second)
    assert np.corrcoef(first, second)[0, 1] > 0.5


@pytest.mark.parametrize("train", [fit_perceptron, fit_self_attention])
def test_training_leaves_torch_as_it_was_and_comes_out_the_same(train: Callable[..., object]) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(129, 4, 3))  # one record is left over by a batch of 128
    inputs = inputs if train is fit_self_attention else inputs.reshape(129, 12)
    member = rng.random(129) < 0.5
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    first, again = (train(inputs, member, 0)(inputs) for _ in range(2))
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)
    assert np.isfinite(first).all()
    assert_array_equal(first, again)


@pytest.mark.parametrize("train", [fit_perceptron, fit_self_attention])
def test_one_transform_learned_on_shadows(train: Callable[..., object]) -> None:
    """A record's score must not depend on which records are scored with it, as it would with the batch's own scale."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(200, 4, 3)) * 100
    inputs = inputs if train is fit_self_attention else inputs.reshape(200, 12)
    log_odds = train(inputs, rng.random(200) < 0.5, 0)
    assert_allclose(log_odds(inputs[:1]), log_odds(inputs)[:1], rtol=1e-9)


@pytest.mark.parametrize("train", [fit_perceptron, fit_self_attention])
def test_a_feature_that_never_moved_is_harmless(train: Callable[..., object]) -> None:
    """An int8 artifact may round all noise away: its sensitivity is 0 on every shadow record."""
    rng = np.random.default_rng(0)
    member = rng.random(600) < 0.5
    inputs = rng.normal(size=(600, 4, 3)) + member[:, None, None]
    inputs[:, :, 1] = 0
    inputs = inputs if train is fit_self_attention else inputs.reshape(600, 12)
    assert roc_auc_score(member, train(inputs, member, 0)(inputs)) > 0.9
