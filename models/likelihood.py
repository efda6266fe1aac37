"""What a language model's logits say of a text: the log-likelihood of each of its tokens."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PADDING = 0
"""Id of what fills a text up to the length of all; no token of a text has it."""


def token_log_likelihoods(logits: NDArray[np.floating], ids: NDArray[np.integer]) -> NDArray[np.float32]:
    """``log p(token | those before it)`` of every token but a text's first, in nats.

    Padding is no token that could follow: its logit is left out of the softmax, as in training. Each text is computed
    by itself, in float64, so that a large vocabulary takes no more memory than one text's logits do twice; and the
    result does not depend on the batch.

    Args:
        logits: [texts, length, vocabulary], those at a position for the token after it.
        ids: int32 or int64 [texts, length], right-padded with 0.

    Returns:
        float32 [texts, length - 1]; NaN beyond a text's last token. What logits stand there is never looked at.

    Raises:
        ValueError: shapes that disagree, ids outside the vocabulary or with padding before a token, or a
            log-likelihood that is not finite: a model or an artifact diverged.
    """
    if logits.ndim != 3 or ids.shape != logits.shape[:2] or not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(
            f"Expected logits [texts, length, vocabulary] and integer ids [texts, length], got {list(logits.shape)} "
            f"and {ids.dtype} {list(ids.shape)}."
        )
    if ids.size and not 0 <= ids.min() <= ids.max() < logits.shape[2]:
        raise ValueError(f"Token ids must be 0 to {logits.shape[2] - 1}, got {ids.min()} to {ids.max()}.")
    real = ids != PADDING
    if (real[:, 1:] & ~real[:, :-1]).any():
        raise ValueError("Some text has padding before a token; texts are padded on their right only.")
    found = np.full((len(ids), max(ids.shape[1] - 1, 0)), np.nan, dtype=np.float32)
    for text, answer, row in zip(ids, logits, found, strict=True):
        follows = int(np.count_nonzero(text)) - 1
        if follows > 0:
            row[:follows] = _of_text(answer[:follows, PADDING + 1 :], text[1 : follows + 1] - PADDING - 1)
            if not np.isfinite(row[:follows]).all():
                raise ValueError("Some log-likelihood is not finite; a model or an artifact diverged.")
    return found


def _of_text(logits: NDArray[np.floating], target: NDArray[np.integer]) -> NDArray[np.float64]:
    """Log-softmax at the targets, [tokens], of logits [tokens, choices]."""
    shifted = logits.astype(np.float64)
    with np.errstate(invalid="ignore"):  # of logits that are not finite, which the caller refuses
        shifted -= shifted.max(axis=1, keepdims=True)
        chosen = shifted[np.arange(len(target)), target]
        found = chosen - np.log(np.exp(shifted).sum(axis=1))
    # Rounding may leave a hair above 0, and a probability above 1 is refused by whoever exponentiates it.
    return np.asarray(np.minimum(found, 0.0))
