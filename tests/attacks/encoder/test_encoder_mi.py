"""EncoderMI: cosines by hand and by scipy, and what each variant can and cannot see."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import pdist
from sklearn.metrics import roc_auc_score

from compleak.attacks.encoder.access import EncoderError
from compleak.attacks.encoder.encodermi import encodermi, view_cosines
from compleak.attacks.encoder.networks import SetNetwork, fit_set


def test_cosines_by_hand():
    views = np.array([[[1.0, 0], [0, 2], [3, 3], [-5, 0]]])
    half = 0.5**0.5
    assert_allclose(view_cosines(views), [[0, half, -1, half, 0, -half]], atol=1e-15)


def test_ten_views_have_45():
    views = np.random.default_rng(0).normal(size=(3, 10, 7))
    assert_allclose(view_cosines(views), [1 - pdist(v, "cosine") for v in views], atol=1e-12)
    assert view_cosines(views).shape == (3, 45)


def test_lengths_say_nothing():
    views = np.random.default_rng(0).normal(size=(2, 3, 4))
    assert_allclose(view_cosines(views * [[[1], [5], [0.1]]]), view_cosines(views))


@pytest.mark.parametrize(
    ("views", "message"),
    [
        (np.ones((4, 5)), r"got \[4, 5\]"),
        (np.ones((4, 1, 5)), "2 views or more"),
        (np.zeros((4, 2, 5)), "collapsed"),
        (np.full((4, 2, 5), np.nan), "not finite"),
    ],
)
def test_views_without_cosines(views, message):
    with pytest.raises(EncoderError, match=message):
        view_cosines(views)


def test_threshold_by_hand():
    """Means .2 .5 | .6 .9: from .6 on all are members."""
    cosines = np.array([[0.1, 0.3], [0.4, 0.6], [0.5, 0.7], [0.8, 1.0]])
    attack = encodermi("t", access="shadow", views=2).fit(cosines, np.arange(4) >= 2, np.arange(4))
    assert attack.threshold == pytest.approx(0.6)
    assert_allclose(attack.score(cosines, np.arange(4)), [0.2, 0.5, 0.6, 0.9])


@pytest.mark.parametrize("variant", "vst")
def test_order_of_views_is_not_seen(variant, planted, fitted):
    views = np.random.default_rng(0).normal(size=(20, 10, 8)) + 2
    attack = fitted(f"encodermi-{variant}")
    turned = attack.score(attack.features(views[:, ::-1]), np.arange(20))
    assert_allclose(turned, attack.score(attack.features(views), np.arange(20)), atol=1e-12)


def test_set_network_is_permutation_invariant():
    """Any order of the numbers, not only one that comes of reordered views; and repeated ones are one."""
    torch.manual_seed(0)
    network = SetNetwork().eval().double()
    numbers = torch.randn(6, 45, dtype=torch.float64)
    expected = network(numbers)
    for _ in range(5):
        torch.testing.assert_close(network(numbers[:, torch.randperm(45)]), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(network(torch.cat([numbers, numbers[:, :7]], dim=1)), expected, rtol=0, atol=1e-12)
    assert expected.std() > 0


def test_set_network_sees_the_level():
    """Sets that differ by a constant only, which the published code's own standardisation would take away."""
    rng = np.random.default_rng(0)
    member = rng.permutation(200) < 100
    sets = 0.05 * rng.normal(size=(200, 10)) + 0.5 + 0.3 * member[:, None]
    assert roc_auc_score(member[100:], fit_set(sets[:100], member[:100], 0, epochs=30)(sets[100:])) > 0.95


def test_torch_is_left_as_it_was():
    state, cosines = torch.get_rng_state(), np.random.default_rng(0).normal(size=(8, 3))
    fit_set(cosines, np.arange(8) < 4, 0, epochs=1)
    assert_array_equal(torch.get_rng_state(), state)
