"""LpLA: norms and likelihood ratios by hand, and the outputs whose norms tell nothing."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy import stats
from torch.nn import LayerNorm
from torch.nn.functional import normalize

from compleak.attacks.encoder.access import EncoderError
from compleak.attacks.encoder.lpla import likelihood_ratio, lp_norms, lpla, standardise


@pytest.mark.parametrize(("order", "expected"), [(1, [7, 9]), (2, [5, 53**0.5]), (3, [91 ** (1 / 3), 351 ** (1 / 3)])])
def test_norms_by_hand(order, expected):
    assert_allclose(lp_norms(np.array([[3.0, -4.0], [-7.0, 2.0]]), order), expected)


def test_largest_coordinate():
    assert_allclose(lp_norms(np.array([[3.0, -4.0], [-7.0, 2.0]]), "inf"), [4, 7])


def test_standardised_by_hand():
    assert_allclose(standardise(np.array([1.0, 2, 3, 4, 11])), [-2, -1, 0, 1, 8])


def test_no_scale():
    with pytest.raises(EncoderError, match="More than half of these 3 norms are 2"):
        standardise(np.array([2.0, 2, 5]))


def test_gaussian_ratio_by_hand():
    """Members 1, 3: N(2, 1). Non-members 4, 8: N(6, 2)."""
    ratio = likelihood_ratio(np.array([1.0, 3, 4, 8]), np.array([True, True, False, False]), "gaussian")
    log_2 = 0.6931471805599453
    assert_allclose(ratio(np.array([2.0, 6.0, 0.0])), [2 + log_2, -8 + log_2, -2 + 4.5 + log_2])


def test_lognormal_ratio_is_that_of_the_densities():
    values = np.exp(np.array([1.0, 3, 4, 8]))
    ratio = likelihood_ratio(values, np.array([True, True, False, False]), "lognormal")
    at = np.array([0.5, 20.0, 900.0])
    expected = stats.lognorm.logpdf(at, s=1, scale=np.exp(2)) - stats.lognorm.logpdf(at, s=2, scale=np.exp(6))
    assert_allclose(ratio(at), expected)


def test_kernel_ratio_from_the_definition():
    members, others = np.array([1.0, 2.0, 4.0]), np.array([3.0, 7.0, 8.0, 9.0])
    ratio = likelihood_ratio(np.r_[members, others], np.arange(7) < 3, "kde")

    def density(known: np.ndarray, x: float) -> float:
        bandwidth = known.std(ddof=1) * len(known) ** (-1 / 5)  # Scott 1992, one dimension
        return float(np.mean([stats.norm.pdf(x, k, bandwidth) for k in known]))

    at = np.array([0.0, 3.3, 10.0])
    assert_allclose(ratio(at), [np.log(density(members, x) / density(others, x)) for x in at])


@pytest.mark.parametrize("density", ["gaussian", "kde"])
def test_members_may_be_narrower(density):
    """Equal means: no threshold on the norm could tell them apart."""
    rng = np.random.default_rng(0)
    member = np.arange(400) < 200
    values = rng.normal(10, np.where(member, 1, 3))
    score = likelihood_ratio(values, member, density)(np.array([10.0, 2.0, 18.0]))
    assert score[0] > 0 > score[1:].max()


def test_another_scale_is_no_other_score():
    rng = np.random.default_rng(0)
    shadow, target = rng.normal(size=(2, 60, 8)) * np.exp(rng.normal(size=(2, 60, 1)))
    attack = lpla(2, "gaussian", access="shadow", scale="standardised")
    attack.fit(attack.features(shadow), np.arange(60) < 30, np.arange(60))
    plain, scaled = (attack.score(attack.features(factor * target), np.arange(60)) for factor in (1, 7))
    assert_allclose(plain, scaled)


class TestOutputsThatTellNothing:
    free = torch.randn(200, 128, generator=torch.Generator().manual_seed(0))

    def test_l2_normalised(self):
        unit = normalize(self.free).numpy()
        with pytest.raises(EncoderError, match=r"2-norms .* tell nothing: their median is 1 .*ends in a normalisation"):
            lp_norms(unit, 2)
        assert np.ptp(lp_norms(unit, 1)) > 1
        assert np.ptp(lp_norms(unit, "inf")) > 0.1

    def test_l2_normalised_and_int8(self):
        with pytest.raises(EncoderError, match="tell nothing"):
            lp_norms((128 * normalize(self.free)).round().numpy() / 128, 2)

    def test_layer_norm(self):
        with pytest.raises(EncoderError, match=r"median is 11\.31 "):  # √128
            lp_norms(LayerNorm(128)(self.free * torch.linspace(1, 9, 200)[:, None]).detach().numpy(), 2)

    def test_free_norms_pass(self):
        assert np.ptp(lp_norms(self.free.numpy(), 2)) > 1


@pytest.mark.parametrize("wrong", [np.ones((1, 4)), np.ones(4), np.full((3, 4), np.inf)])
def test_embeddings_that_do_not_fit(wrong):
    with pytest.raises(EncoderError, match="two or more finite embeddings"):
        lp_norms(wrong, 2)


def test_densities_that_do_not_exist():
    with pytest.raises(EncoderError, match="no log-normal density"):
        lpla(2, "lognormal", access="shadow", scale="standardised")
    with pytest.raises(EncoderError, match="these 2 are all 5"):
        likelihood_ratio(np.array([5.0, 5.0, 1.0, 2.0]), np.arange(4) < 2, "kde")
    with pytest.raises(EncoderError, match="positive values, got -1"):
        likelihood_ratio(np.array([5.0, -1.0, 1.0, 2.0]), np.arange(4) < 2, "lognormal")
