"""Scores of a text against the definitions of their papers, by hand and by other programs; and the features."""

import zlib

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from compleak.attacks.language_model.features import names, table
from compleak.attacks.language_model.scores import (
    difficulty_calibrated,
    mean_log_likelihood,
    min_k,
    reference_calibrated,
    tokens,
    zlib_calibrated,
)

NAN = np.nan
TEXT = np.array([-1.0, -5.0, -2.0, -4.0, -3.0, NAN, NAN])


def test_mean_log_likelihood_is_minus_pytorchs_cross_entropy() -> None:
    logits = torch.randn(6, 11, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ids = torch.arange(6)
    found = torch.log_softmax(logits, 1)[torch.arange(6), ids].numpy()
    expected = -torch.nn.functional.cross_entropy(logits, ids).item()
    assert mean_log_likelihood(np.append(found, NAN)) == pytest.approx(expected, rel=1e-12)
    assert tokens(np.append(found, NAN)) == 6


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(0.4, -4.5), (0.2, -5.0), (0.39, -5.0), (1.0, -3.0), (0.1, -5.0), (0.6, -4.0)],
)
def test_min_k_by_hand(fraction: float, expected: float) -> None:
    """Five tokens: the two least likely are -5 and -4."""
    assert min_k(TEXT, fraction) == pytest.approx(expected)


def test_min_k_is_the_published_programs_number() -> None:
    """``np.mean(np.sort(all_prob)[:int(len(all_prob) * ratio)])`` of Shi et al.'s script, where that is defined."""
    rng = np.random.default_rng(0)
    for length in range(10, 100):
        text = -rng.exponential(size=length)
        for percent in (10, 20, 30, 50):
            by_them = np.mean(np.sort(text)[: length * percent // 100])
            assert min_k(text, percent / 100) == pytest.approx(by_them, rel=1e-12)


def test_a_share_that_is_a_whole_number_is_not_rounded_below_it() -> None:
    text = -np.arange(100.0)
    assert min_k(text, 0.29) == pytest.approx(-np.arange(71, 100).mean())  # 0.29 * 100 is 28.999999999999996
    with pytest.raises(ValueError, match="more than 0"):
        min_k(text, 0)


def test_zlib_is_log_perplexity_over_bits() -> None:
    """Carlini et al. 2021: a perplexity of 16 and a text of 20 bytes after zlib, 160 bits."""
    text = b"abc" * 40
    size = len(zlib.compress(text))
    likelihood = np.array([[np.log(1 / 16)] * 3 + [NAN]])
    assert zlib_calibrated(likelihood, np.array([20]))[0] == pytest.approx(-2.772588722239781 / 160)
    repeated, plain = zlib_calibrated(np.repeat(likelihood, 2, 0), np.array([size, len(text)]))
    assert repeated < plain < 0
    with pytest.raises(ValueError, match="a byte at least"):
        zlib_calibrated(likelihood, np.array([0]))


def test_reference_is_a_difference_of_means() -> None:
    """Watson et al. 2022, equation 3: s(model) - E s(reference). -3 against -3.5, then the mean over OUT references."""
    assert reference_calibrated(TEXT, TEXT - 0.5) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="same tokens"):
        reference_calibrated(TEXT, TEXT[:-1])
    with pytest.raises(ValueError, match="5 and 4 tokens"):
        reference_calibrated(TEXT, np.where(TEXT == -3, NAN, TEXT))
    references = np.array([[-2.0, -4.0, -1.0], [-3.0, -9.0, -1.0], [-7.0, -6.0, -1.0]])
    member = np.array([[False, False, True], [False, True, True], [True, False, True]])
    np.testing.assert_allclose(difficulty_calibrated(np.full(3, -3.0), references, member), [-0.5, 2.0, NAN])
    with pytest.raises(ValueError, match="same shape"):
        difficulty_calibrated(np.zeros(2), references, member)


def test_texts_without_a_token_say_nothing() -> None:
    nothing = np.full((2, 4), NAN)
    for score in (mean_log_likelihood(nothing), min_k(nothing), zlib_calibrated(nothing, np.array([9, 9]))):
        assert np.isnan(score).all()
    assert np.isnan(mean_log_likelihood(np.zeros((3, 0)))).all()


def test_padding_changes_no_score() -> None:
    rng = np.random.default_rng(1)
    text = -rng.exponential(size=(5, 9))
    padded = np.hstack([text, np.full((5, 6), NAN)])
    size = np.arange(20, 25)
    for score in (
        mean_log_likelihood,
        min_k,
        lambda x: zlib_calibrated(x, size),
        lambda x: reference_calibrated(x, x * 0.9),
        lambda x: table(np.stack([x, 0.9 * x], axis=1), size),
    ):
        np.testing.assert_allclose(score(padded), score(text), rtol=1e-12)


def test_features_by_hand() -> None:
    """A text of four tokens in an original and a compressed model, and 10 bytes after zlib."""
    original, compressed = np.array([-1.0, -2.0, -3.0, -6.0, NAN]), np.array([-2.0, -2.0, -5.0, -5.0, NAN])
    (row,) = table(np.stack([original, compressed])[None], np.array([10]))
    found = dict(zip(names(("original", "a")), row, strict=True))
    assert found == pytest.approx(
        {
            "original:mean": -3.0, "original:min-10": -6.0, "original:min-30": -6.0, "original:spread": np.sqrt(3.5),
            "a:mean": -3.5, "a:min-10": -5.0, "a:min-30": -5.0, "a:spread": 1.5,
            "original-a:difference": 0.5, "original-a:difference-rms": np.sqrt(1.5),
            "original-a:difference-least": -1.0, "original-a:difference-greatest": 2.0,
            "log-tokens": np.log(4), "bits-per-token": 20.0,
        }
    )  # fmt: skip


def test_features_of_a_text_without_a_token_are_unknown() -> None:
    features = table(np.array([[[-1.0, NAN]] * 3, [[NAN, NAN]] * 3]), np.array([9, 9]))
    assert features.shape == (2, len(names(("original", "a", "b"))))
    assert np.isfinite(features[0]).all()
    assert np.isnan(features[1]).all()


@pytest.mark.parametrize("reference", [False, True])
def test_a_known_gap_gives_its_auc_in_closed_form(reference: bool) -> None:
    """Members' means lie d standard deviations higher: AUC = Phi(d / sqrt 2), here 0.3 * sqrt(16) / sqrt 2.

    With the reference, texts differ by far more than that, and the reference takes it out; its own noise adds to that
    of the model, so the gap is sqrt 2 smaller in deviations.
    """
    rng = np.random.default_rng(3)
    n, length, gap = 20000, 16, 0.3
    member = np.arange(n) < n // 2
    ease = 5 * rng.normal(size=(n, 1)) if reference else 0.0
    model = ease + rng.normal(size=(n, length)) + gap * member[:, None]
    score = (
        reference_calibrated(model, ease + rng.normal(size=(n, length))) if reference else mean_log_likelihood(model)
    )
    d = gap * np.sqrt(length) / (np.sqrt(2) if reference else 1)
    assert roc_auc_score(member, score) == pytest.approx(norm.cdf(d / np.sqrt(2)), abs=0.011)  # 3 standard errors
    if reference:
        assert roc_auc_score(member, mean_log_likelihood(model)) < 0.53
