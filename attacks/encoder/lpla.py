"""LpLA, the embedding p-norm likelihood attack (Sun et al., AsiaCCS 2025): does the norm look like a member's?

The paper's abstract gives the signal, the distribution of the p-norm of one embedding, and the decision, by likelihood.
Everything else here is ours: the orders p, the densities, and what is done about an encoder's own scale.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import gaussian_kde, multivariate_normal, norm

from .access import EncoderError, Floats
from .attack import Access, Bools, EncoderAttack, Score

Order = Literal[1, 2, 3, "inf"]
Density = Literal["gaussian", "lognormal", "kde"]
Scale = Literal["raw", "standardised"]
LogDensity = Callable[[Floats], Floats]

PINNED = 3e-3
"""Norms whose median absolute deviation is below this share of their median are taken to be fixed by a normalisation.
L2-normalised outputs are at 1e-7 in float32 and 1.4e-3 in int8 (128 values), a LayerNorm's at up to 6e-4 (its epsilon);
independent normal coordinates, 2048 of one variance, at 1e-2."""

_ROUNDING = 1e-8  # as variances go: 1e-4 of the norms


def lp_norms(embeddings: NDArray[np.floating], order: Order) -> Floats:
    """``(Σ_i |v_i|^p)^(1/p)``; the largest ``|v_i|`` for ``inf``.

    Args:
        embeddings: of one encoder, not normalised, [examples, D].
        order: p.

    Returns:
        float64 [examples].

    Raises:
        EncoderError: not [examples, D], fewer than two examples, not finite; or all norms are about equal, because
            the encoder ends in a normalisation.
    """
    vectors = np.asarray(embeddings, dtype=np.float64)
    if vectors.ndim != 2 or len(vectors) < 2 or not np.isfinite(vectors).all():
        raise EncoderError(f"Norms need two or more finite embeddings [examples, D], got {list(vectors.shape)}.")
    norms = np.linalg.norm(vectors, ord=np.inf if order == "inf" else order, axis=1)
    median, deviation = _spread(norms)
    if deviation <= PINNED * median:
        raise EncoderError(
            f"The {order}-norms of these {len(norms)} embeddings tell nothing: their median is {median:.4g} and their "
            f"median absolute deviation {deviation:.2g}. The encoder ends in a normalisation (L2, LayerNorm). Take its "
            "features before it, or another order of the norm."
        )
    return np.asarray(norms, dtype=np.float64)


def standardise(norms: Floats) -> Floats:
    """Norms less their median, over their median absolute deviation: an encoder's own scale says nothing of members.

    Args:
        norms: of one encoder on all the examples that the attacker asks about, [examples]. Who is a member plays no
            part, but members should be as large a share of them for the target as for a shadow.

    Raises:
        EncoderError: more than half of the norms are equal.
    """
    median, deviation = _spread(norms)
    if deviation == 0:
        raise EncoderError(f"More than half of these {len(norms)} norms are {median:.6g}; they have no scale.")
    return (norms - median) / deviation


def likelihood_ratio(values: Floats, member: Bools, density: Density) -> Score:
    """Fit a density to members' values and one to non-members'.

    Args:
        values: [records].
        member: [records].
        density: ``gaussian`` by mean and variance (ddof 0); ``lognormal``, the same of the logarithms (the Jacobians
            cancel); ``kde`` with Gaussian kernels and Scott's bandwidth.

    Returns:
        From values [any] to ``log q_member − log q_non-member``, [any]; with Gaussians a quadratic, so that members
        may be narrower as well as larger.

    Raises:
        EncoderError: a group's values are all equal, or not positive for ``lognormal``.
    """
    into = _logarithm if density == "lognormal" else _same
    estimate = _kernels if density == "kde" else _gaussian
    known = into(values)
    inside, outside = estimate(known[member]), estimate(known[~member])
    return lambda values: inside(into(values)) - outside(into(values))


def joint_likelihood_ratio(values: Floats, member: Bools) -> Score:
    """The same for the norms of several encoders together: Gaussians with a covariance (ours).

    Args:
        values: [records, encoders].
        member: [records].

    Returns:
        From values [any, encoders] to ``log q_member − log q_non-member``, [any]. Encoders that agree, but for
        rounding, count once.
    """
    groups = (values[member], values[~member])
    basis = _distinct(np.sum([np.cov(group, rowvar=False, ddof=0) for group in groups], axis=0))
    inside, outside = (
        multivariate_normal(group.mean(axis=0), np.cov(group, rowvar=False, ddof=0), allow_singular=True)
        for group in (group @ basis for group in groups)
    )
    return lambda values: np.atleast_1d(inside.logpdf(values @ basis) - outside.logpdf(values @ basis))


def _distinct(covariance: Floats) -> Floats:
    """Directions [encoders, directions] of unit variance, those left out in which encoders differ by rounding alone."""
    spread, directions = np.linalg.eigh(covariance)
    kept = spread > _ROUNDING * spread.max()
    return np.asarray(directions[:, kept] / np.sqrt(spread[kept]))


def lpla(order: Order, density: Density, *, access: Access, scale: Scale) -> EncoderAttack:
    """``lpla-l{order}-{density}``: one query. Its ``features`` take one encoder's embeddings, [examples, D].

    Args:
        order: of the norm.
        density: of its values.
        access: where membership is known.
        scale: whether each encoder's norms are standardised, which densities of another encoder need (ours).

    Raises:
        EncoderError: log-normal densities of standardised norms, half of which are negative.
    """
    if density == "lognormal" and scale == "standardised":
        raise EncoderError(
            "Standardised norms may be negative and have no log-normal density: use 'gaussian' or 'kde'."
        )

    def features(embeddings: NDArray[np.floating]) -> Floats:
        norms = lp_norms(embeddings, order)
        return (standardise(norms) if scale == "standardised" else norms)[:, None]

    def learn(features: Floats, member: Bools) -> tuple[Score, float]:
        if features.shape[1] > 1:
            return joint_likelihood_ratio(features, member), 0.0
        ratio = likelihood_ratio(features[:, 0], member, density)
        return (lambda features: ratio(features[:, 0])), 0.0

    suffix = "-standardised" if scale == "standardised" else ""
    return EncoderAttack(f"lpla-l{order}-{density}{suffix}", access=access, queries=1, features=features, learn=learn)


def _spread(norms: Floats) -> tuple[float, float]:
    median = float(np.median(norms))
    return median, float(np.median(np.abs(norms - median)))


def _gaussian(values: Floats) -> LogDensity:
    mean, deviation = _moments(values)
    return lambda values: np.asarray(norm.logpdf(values, loc=mean, scale=deviation), dtype=np.float64)


def _kernels(values: Floats) -> LogDensity:
    _moments(values)
    return gaussian_kde(values, bw_method="scott").logpdf


def _moments(values: Floats) -> tuple[float, float]:
    mean, deviation = float(values.mean()), float(values.std())
    if deviation <= 1e-12 * abs(mean):
        raise EncoderError(f"A density needs values that differ; these {len(values)} are all {mean:.6g}.")
    return mean, deviation


def _same(values: Floats) -> Floats:
    return values


def _logarithm(values: Floats) -> Floats:
    if (values <= 0).any():
        raise EncoderError(f"A log-normal density needs positive values, got {values.min():.4g}.")
    return np.log(values)
