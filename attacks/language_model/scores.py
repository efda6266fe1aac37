"""Membership scores of a text, from the log-likelihoods of its tokens.

Log-likelihoods are float64 [..., tokens] in nats, of every token but a text's first, NaN beyond its last. Scores are
float64 [...], higher = member; NaN of a text without a token to judge, which says nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.integer]


def tokens(log_likelihood: Floats) -> NDArray[np.int64]:
    """How many tokens of each text there are to judge, [...]."""
    return np.asarray((~np.isnan(log_likelihood)).sum(axis=-1))


def mean_log_likelihood(log_likelihood: Floats) -> Floats:
    """Minus the loss, minus the log of the perplexity (Yeom et al. 2018; Carlini et al. 2021, section 4.2)."""
    return _mean(log_likelihood)


def min_k(log_likelihood: Floats, fraction: float = 0.2) -> Floats:
    """Mean of the least likely tokens (Shi et al. 2024, equation 1).

    Args:
        log_likelihood: [..., tokens].
        fraction: of a text's tokens that are looked at, rounded down as in the authors' code; one at least (ours: their
            code has no number for shorter texts).

    Raises:
        ValueError: ``fraction`` is not in (0, 1].
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction must be more than 0 and at most 1, got {fraction}.")
    count = tokens(log_likelihood)
    # A product such as 0.29 * 100 comes out just below the whole number that is meant.
    chosen = np.maximum(np.floor(fraction * count + 1e-9), 1)
    ascending = np.sort(log_likelihood, axis=-1)  # NaN last
    inside = np.arange(ascending.shape[-1]) < chosen[..., None]
    return _mean(np.where(inside, ascending, np.nan))


def zlib_calibrated(log_likelihood: Floats, zlib_bytes: Integers) -> Floats:
    """Mean log-likelihood over the text's zlib entropy in bits (Carlini et al. 2021, section 5.2).

    A text that is likely because it repeats itself compresses well too. The paper's texts are all of one length; where
    lengths differ, the score follows the length, and it is a weak attack.

    Args:
        log_likelihood: [..., texts, tokens].
        zlib_bytes: length of each text after zlib, [texts].

    Raises:
        ValueError: a length that is not positive.
    """
    if zlib_bytes.size and zlib_bytes.min() < 1:
        raise ValueError(f"A compressed text has a byte at least, got {zlib_bytes.min()}.")
    return _mean(log_likelihood) / (8.0 * zlib_bytes)


def reference_calibrated(log_likelihood: Floats, reference: Floats) -> Floats:
    """How much likelier the model finds a text than a reference does (Watson et al. 2022, equation 3).

    The difference of mean log-likelihoods; Carlini et al. 2021 (section 5.2) divide one by the other. The reference
    may be a model trained on other texts, the base model before fine-tuning, or the compressed model of the same
    original (ours): it says something only where compression took away more of what is a single text's than of what is
    common to all.

    Args:
        log_likelihood: of the model, [..., tokens].
        reference: of the reference, on the same tokens.

    Raises:
        ValueError: shapes or ends of texts disagree.
    """
    _require_same_tokens(log_likelihood, reference)
    return _mean(log_likelihood - reference)


def difficulty_calibrated(mean: Floats, references: Floats, member: NDArray[np.bool_]) -> Floats:
    """A text's score less its mean over the references not trained on it (Watson et al. 2022, equation 3).

    Args:
        mean: the target's mean log-likelihoods, [texts].
        references: the references', [models, texts].
        member: whether a reference is trained on a text, bool [models, texts].

    Returns:
        [texts]; NaN where every reference is trained on the text.

    Raises:
        ValueError: shapes disagree.
    """
    if mean.shape != references.shape[1:] or member.shape != references.shape:
        raise ValueError(
            f"Expected scores [texts], references [models, texts] and membership of the same shape, got "
            f"{list(mean.shape)}, {list(references.shape)} and {list(member.shape)}."
        )
    outside = (~member).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(mean - np.where(member, 0.0, references).sum(axis=0) / outside)


def _mean(values: Floats) -> Floats:
    """Mean of what is not NaN; NaN where there is nothing."""
    count = tokens(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nansum(values, axis=-1) / np.where(count > 0, count, np.nan))


def _require_same_tokens(one: Floats, other: Floats) -> None:
    if one.shape != other.shape or (np.isnan(one) != np.isnan(other)).any():
        raise ValueError(
            f"Two models' log-likelihoods must be of the same tokens; got {list(one.shape)} and {list(other.shape)}, "
            f"with {int(tokens(one).sum())} and {int(tokens(other).sum())} tokens in all."
        )
