"""Membership signals of one output vector: closed forms in float64 that stay exact where the softmax saturates.

Everything follows from the log-odds of each class, ``φ_k = L_k − logsumexp(L_others) = log(p_k / (1 − p_k))``:
``−log p_k = softplus(−φ_k)`` and ``−log(1 − p_k) = softplus(φ_k)``. No probability is ever subtracted from 1 and
nothing is clipped, so a record with ``p_y = 1 − 1e-40`` still differs from one with ``1 − 1e-41``: ties among the
most confident records would lower the TPR at a low FPR.

All functions take logits [..., examples, classes] and labels [examples], and return float64 [..., examples] unless
they say otherwise. All raise ``SignalError`` on wrong shapes, labels out of range and logits that are not finite.
"""

from __future__ import annotations

import numpy as np
import scipy.special
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Below this, log(1 + exp(x)) and exp(x) are the same float64.
_EXPONENTIAL = -37.0


class SignalError(ValueError):
    """A signal cannot be computed from these logits and labels."""


def softmax(logits: NDArray[np.floating]) -> Floats:
    """Posteriors p, float64 [..., examples, classes]."""
    return np.asarray(scipy.special.softmax(_checked(logits), axis=-1), dtype=np.float64)


def log_odds(logits: NDArray[np.floating]) -> Floats:
    """``φ_k`` of every class, float64 [..., examples, classes]; finite at any finite logits (ours)."""
    logits = _checked(logits)
    top = np.argmax(logits, axis=-1, keepdims=True)
    shifted = logits - np.take_along_axis(logits, top, axis=-1)
    # The sum over all but k is the whole less k: safe for every k but the top one, as the others all contain it.
    scaled = np.exp(shifted)
    total = scaled.sum(axis=-1, keepdims=True)
    np.put_along_axis(scaled, top, 0, axis=-1)
    others = np.log(total - scaled)
    rest = shifted.copy()
    np.put_along_axis(rest, top, -np.inf, axis=-1)
    np.put_along_axis(others, top, scipy.special.logsumexp(rest, axis=-1, keepdims=True), axis=-1)
    return np.asarray(shifted - others, dtype=np.float64)


def logit_confidence(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> Floats:
    """``φ_y``, the log-odds of the true class: high for members (Carlini et al. 2022)."""
    logits = _checked(logits)
    labels = _checked_labels(logits, labels)
    others = _without_label(logits, labels)
    peak = others.max(axis=-1)
    rest = np.exp(others - peak[..., None]).sum(axis=-1)
    return np.asarray(_of_label(logits, labels) - peak - np.log(rest), dtype=np.float64)


def cross_entropy(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> Floats:
    """``−log p_y`` in nats: low for members (Yeom et al. 2018)."""
    return _softplus(-logit_confidence(logits, labels))


def hinge(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> Floats:
    """``L_y − max L_others``: high for members (Bertran et al. 2023)."""
    logits = _checked(logits)
    labels = _checked_labels(logits, labels)
    return np.asarray(_of_label(logits, labels) - _without_label(logits, labels).max(axis=-1), dtype=np.float64)


def entropy(logits: NDArray[np.floating]) -> Floats:
    """``−Σ p_k log p_k`` in nats: low for members (Song & Mittal 2021)."""
    return np.exp(log_entropy(logits))


def modified_entropy(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> Floats:
    """``−(1 − p_y) log p_y − Σ_{k≠y} p_k log(1 − p_k)`` in nats: low for members (Song & Mittal 2021)."""
    return np.exp(log_modified_entropy(logits, labels))


def log_entropy(logits: NDArray[np.floating]) -> Floats:
    """Logarithm of ``entropy``, finite where the entropy itself underflows (ours)."""
    odds = log_odds(logits)
    return _log_sum(-_softplus(-odds) + _log_softplus(-odds))


def log_modified_entropy(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> Floats:
    """Logarithm of ``modified_entropy``, finite where the modified entropy itself underflows (ours)."""
    odds = log_odds(logits)
    labels = _checked_labels(odds, labels)
    # With the sign of every class but the true one turned, both of its terms read (1 − q) · (−log q).
    signed = np.where(np.arange(odds.shape[-1]) == labels[:, None], odds, -odds)
    return _log_sum(-_softplus(signed) + _log_softplus(-signed))


def _softplus(x: Floats) -> Floats:
    """``log(1 + exp(x))``."""
    return np.logaddexp(0.0, x)


def _log_softplus(x: Floats) -> Floats:
    """``log(log(1 + exp(x)))``, which tends to x itself as x falls."""
    return np.where(x < _EXPONENTIAL, x, np.log(_softplus(np.maximum(x, _EXPONENTIAL))))


def _log_sum(terms: Floats) -> Floats:
    return np.asarray(scipy.special.logsumexp(terms, axis=-1), dtype=np.float64)


def _of_label(values: Floats, labels: NDArray[np.integer]) -> Floats:
    """The entry of each example's own class, [..., examples]."""
    return np.asarray(values[..., np.arange(len(labels)), labels], dtype=np.float64)


def _without_label(logits: Floats, labels: NDArray[np.integer]) -> Floats:
    """A copy with −∞ for each example's own class."""
    others = logits.copy()
    others[..., np.arange(len(labels)), labels] = -np.inf
    return others


def _checked(logits: NDArray[np.floating]) -> Floats:
    array: Floats = np.asarray(logits, dtype=np.float64)
    if array.ndim < 2 or array.shape[-1] < 2:
        raise SignalError(
            f"Logits must be [..., examples, classes] with at least two classes, got {list(array.shape)}."
        )
    if not np.isfinite(array).all():
        bad = int(np.count_nonzero(~np.isfinite(array)))
        raise SignalError(
            f"{bad:,} of {array.size:,} logits are not finite; the model diverged or its artifact is broken. "
            "Leave it out, or repair it before it is attacked."
        )
    return array


def _checked_labels(logits: Floats, labels: NDArray[np.integer]) -> NDArray[np.integer]:
    labels = np.asarray(labels)
    if not np.issubdtype(labels.dtype, np.integer):
        raise SignalError(f"Labels must be integers (class numbers), got {labels.dtype}.")
    if labels.shape != (logits.shape[-2],):
        raise SignalError(
            f"Labels must be [examples] = [{logits.shape[-2]}] for logits {list(logits.shape)}, "
            f"got {list(labels.shape)}."
        )
    if labels.size and not (labels.min() >= 0 and labels.max() < logits.shape[-1]):
        raise SignalError(
            f"Labels must lie in 0..{logits.shape[-1] - 1} for {logits.shape[-1]} classes, "
            f"got {labels.min()}..{labels.max()}. Was the model built for another data set?"
        )
    return labels
