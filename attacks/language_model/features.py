"""What is learned from, where membership is learned: a few numbers of each text, from one model or several (ours).

For each variant, of the log-likelihoods of the text's tokens:

==========================  ==========================================================================
``mean``                    minus the loss
``min-10``, ``min-30``      mean of the tenth, and of the three tenths, that are least likely (Shi et al. 2024)
``spread``                  standard deviation over the tokens
==========================  ==========================================================================

For each variant but the first, of the differences first − variant, token by token (the first is the original where it
is held, and is else one of the compressed models):

==========================  ==========================================================================
``difference``              mean: the score of the compressed model as the reference
``difference-rms``          root mean square
``difference-least``        least and
``difference-greatest``     greatest difference of a token
==========================  ==========================================================================

For the text itself, so that all of the above can be weighed by it: ``log-tokens``, and ``bits-per-token`` of zlib.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .scores import Floats, mean_log_likelihood, min_k, tokens

OF_VARIANT = ("mean", "min-10", "min-30", "spread")
OF_PAIR = ("difference", "difference-rms", "difference-least", "difference-greatest")
OF_TEXT = ("log-tokens", "bits-per-token")


def names(variants: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of ``table``."""
    return (
        *(f"{variant}:{name}" for variant in variants for name in OF_VARIANT),
        *(f"{variants[0]}-{variant}:{name}" for variant in variants[1:] for name in OF_PAIR),
        *OF_TEXT,
    )


def table(log_likelihood: Floats, zlib_bytes: NDArray[np.integer]) -> Floats:
    """Features, float64 [texts, 4 · variants + 4 · (variants − 1) + 2]; see the module.

    Args:
        log_likelihood: [texts, variants, tokens], NaN beyond a text's last token.
        zlib_bytes: length of each text after zlib, [texts].

    Returns:
        Rows of NaN for texts without a token to judge.
    """
    count = tokens(log_likelihood[:, 0])
    lacking = count == 0
    # Any number does where there is none: such rows become NaN at the end.
    values = np.where(lacking[:, None, None], 0.0, log_likelihood)
    of_variant = [f for v in range(values.shape[1]) for f in _of_variant(values[:, v])]
    of_pair = [f for v in range(1, values.shape[1]) for f in _of_pair(values[:, 0] - values[:, v])]
    some = np.maximum(count, 1)
    features = np.column_stack([*of_variant, *of_pair, np.log(some), 8.0 * zlib_bytes / some])
    return np.where(lacking[:, None], np.nan, features)


def _of_variant(values: Floats) -> tuple[Floats, ...]:
    return mean_log_likelihood(values), min_k(values, 0.1), min_k(values, 0.3), np.nanstd(values, axis=1)


def _of_pair(difference: Floats) -> tuple[Floats, ...]:
    return (
        np.nanmean(difference, axis=1),
        np.sqrt(np.nanmean(difference**2, axis=1)),
        np.nanmin(difference, axis=1),
        np.nanmax(difference, axis=1),
    )
