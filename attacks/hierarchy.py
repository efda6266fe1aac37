"""An empirical-Bayes model of signals under membership, for any number of variants and of shadows (ours).

LiRA estimates four numbers for each example from a handful of shadows, and takes them for the truth. The errors of the
two means alone cost it power, the more so the more variants it reads. Here the examples learn from each other:

    θ_j = (μ_out, μ_in)_j   ~ N(θ_0, B)                         2k numbers; B ties an example's IN mean to its OUT mean
    λ_{j,s}                 ~ scaled inverse χ²(d_s, 1)         its spread relative to others', on the side s
    x_{m,j} | side s        ~ N(μ_{s,j}, λ_{j,s} Σ_s)           one signal per variant, k of them, correlated

θ_0, B, Σ, d are estimated from the shadows by moments over examples: Σ from the pooled within-group scatter, B from the
covariance of the groups' means less what Σ/n explains, d from the spread of log-variances over examples beyond that of
χ² (Smyth 2004, §6.2). An example is then scored by log p(t | IN) − log p(t | OUT), with p the posterior predictive
density: Student's t around the shrunk mean, widened by what is still unknown of it. The more shadows, the less is
borrowed; an example that no shadow is trained on still has an IN side, foreseen from its OUT side by B (``offline``).
Means rather than medians throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import digamma, gammaln, polygamma

from .references import TooFewReferencesError

Floats = NDArray[np.float64]
OUT, IN = 0, 1

_DISTINCT = 1e-4
"""Least share of variance of a direction among variants: those that (nearly) never differ are one signal, not two."""
_LEAST = 1e-6
"""Least variance of a mean between examples, and least variance on one side, in units of that within examples."""
_TINY = 1e-24
"""Least variance at all: the square of LiRA's least standard deviation."""


@dataclass(frozen=True)
class Groups:
    """Sufficient statistics of one side of every example.

    Attributes:
        count: shadows, [examples].
        mean: [examples, variants]; zero where there is no shadow.
        scatter: sums of squares and products around the mean, [examples, variants, variants].
    """

    count: NDArray[np.int64]
    mean: Floats
    scatter: Floats

    def along(self, basis: Floats) -> Groups:
        """The same of ``values @ basis``."""
        return Groups(self.count, self.mean @ basis, basis.T @ self.scatter @ basis)


@dataclass(frozen=True)
class Prior:
    """What is common to all examples; an axis of two is (OUT, IN).

    Attributes:
        basis: [variants, directions]: the directions in which variants vary, in units of their spread.
        mean: θ_0, [2, directions].
        between: B, [2 * directions, 2 * directions].
        within: Σ, [2, directions, directions].
        freedom: d, [2]; infinite where examples do not differ in spread.
    """

    basis: Floats
    mean: Floats
    between: Floats
    within: Floats
    freedom: Floats


def group(values: Floats, chosen: NDArray[np.bool_]) -> Groups:
    """Statistics of the chosen values.

    Args:
        values: [models, examples, variants].
        chosen: bool [models, examples].
    """
    count = chosen.sum(axis=0)
    mean = np.einsum("mn,mnk->nk", chosen, values) / np.maximum(count, 1)[:, None]
    scatter = np.zeros((*mean.shape, mean.shape[-1]))
    for row, mask in zip(values, chosen, strict=True):
        deviation = np.where(mask[:, None], row - mean, 0.0)
        scatter += deviation[:, :, None] * deviation[:, None, :]
    return Groups(count, mean, scatter)


def fit_prior(out: Groups, inside: Groups) -> Prior:
    """Estimate the prior from shadows.

    Args:
        out: OUT statistics of any examples.
        inside: IN statistics of the same examples.

    Raises:
        TooFewReferencesError: there are too few examples with shadows on both sides, or none with two on one side.
    """
    variants = out.mean.shape[-1]
    both = (out.count > 0) & (inside.count > 0)
    if both.sum() <= 4 * variants:
        raise TooFewReferencesError(
            f"Only {both.sum()} examples have both IN and OUT shadows; a prior over {variants} variants needs more "
            f"than {4 * variants}. Take more shadows, or more calibration examples."
        )
    basis = _basis(_pooled((out, inside)).mean(axis=0))
    sides = (out.along(basis), inside.along(basis))
    directions = basis.shape[1]
    within = _pooled(sides) + _LEAST * np.eye(directions)
    means = np.concatenate([side.mean[both] for side in sides], axis=1)
    noise = [within[s] * (1 / sides[s].count[both]).mean() for s in (OUT, IN)]
    between = _at_least(np.cov(means, rowvar=False) - _block_diagonal(*noise), _block_diagonal(*within))
    spreads = [_scale_prior(sides[s], within[s]) for s in (OUT, IN)]
    scale, freedom = (np.asarray(values) for values in zip(*spreads, strict=True))
    centre = means.mean(axis=0).reshape(2, directions)
    return Prior(basis, centre, between, within * scale[:, None, None], freedom)


def likelihood_ratio(target: Floats, out: Groups, inside: Groups, prior: Prior) -> Floats:
    """Log likelihood ratio of IN against OUT, [examples].

    Args:
        target: the target's signals, [examples, variants].
        out: OUT statistics of the same examples.
        inside: IN statistics of the same examples; with counts of zero they are foreseen from the OUT side.
        prior: from ``fit_prior``.
    """
    target = target @ prior.basis
    sides = (out.along(prior.basis), inside.along(prior.basis))
    examples, directions = target.shape
    inverse_within = np.linalg.inv(prior.within)
    spreads = [_scales(sides[s], inverse_within[s], prior.freedom[s]) for s in (OUT, IN)]
    inverse_between = np.linalg.inv(prior.between)
    precision = np.broadcast_to(inverse_between, (examples, *inverse_between.shape)).copy()
    pull = np.broadcast_to(inverse_between @ prior.mean.ravel(), (examples, 2 * directions)).copy()
    for s, side in enumerate(sides):
        block = slice(s * directions, (s + 1) * directions)
        information = (side.count / spreads[s][0])[:, None, None] * inverse_within[s]
        precision[:, block, block] += information
        pull[:, block] += np.einsum("nkl,nl->nk", information, side.mean)
    covariance = np.linalg.inv(precision)
    mean = np.einsum("nkl,nl->nk", covariance, pull)
    log = []
    for s in (OUT, IN):
        block = slice(s * directions, (s + 1) * directions)
        scale, freedom = spreads[s]
        predictive = scale[:, None, None] * prior.within[s] + covariance[:, block, block]
        log.append(_log_student(target - mean[:, block], predictive, freedom))
    return np.asarray(log[IN] - log[OUT])


def one_sided(target: Floats, out: Groups) -> Floats:
    """How far a target lies above its OUT side, [examples]: from OUT shadows alone, the prior too; one variant.

    The excess over the shrunk OUT mean, in units of the predictive scale, turned from Student's t into the normal
    z-score of the same tail (Wallace 1959), which orders examples with unequal numbers of shadows by tail
    probability and, unlike that probability, has no ties.

    Args:
        target: [examples].
        out: OUT statistics of the same examples, of one variant.
    """
    within = _pooled((out, out))[OUT]
    factor, freedom = _scale_prior(out, within)
    within = within * factor
    scale, freedoms = _scales(out, np.linalg.inv(within), freedom)
    error = scale * within[0, 0]
    some = out.count > 0
    means = out.mean[some, 0]
    noise = float((error[some] / out.count[some]).mean())
    between = max(float(means.var(ddof=1)) - noise, _LEAST * float(within[0, 0]))
    weight = between * out.count / (between * out.count + error)
    centre = means.mean() + weight * (out.mean[:, 0] - means.mean())
    t = (target - centre) / np.sqrt(error + (1 - weight) * between)
    known = np.minimum(freedoms, 1e9)
    return np.asarray(np.sign(t) * np.sqrt(known * np.log1p(t**2 / known)) * (8 * known + 1) / (8 * known + 3))


def _pooled(sides: tuple[Groups, Groups]) -> Floats:
    """Covariance within examples, [2, variants, variants]; a side never seen twice borrows the other's."""
    freedom = [int(np.maximum(side.count - 1, 0).sum()) for side in sides]
    if not any(freedom):
        raise TooFewReferencesError(
            "No example has two shadows on one side, so that the spread of a signal between models is unknown. "
            "Take more shadows."
        )
    known = [side.scatter.sum(axis=0) / max(d, 1) for side, d in zip(sides, freedom, strict=True)]
    within = np.stack([known[s] if freedom[s] else known[1 - s] for s in (OUT, IN)])
    return np.asarray(within + _TINY * np.eye(within.shape[-1]))


def _basis(within: Floats) -> Floats:
    """Directions [variants, directions] of unit variance among signals of this covariance, the indistinct left out."""
    unit = np.sqrt(np.diagonal(within))
    values, vectors = np.linalg.eigh(within / np.outer(unit, unit))
    kept = values > _DISTINCT * values.max()
    return np.asarray(vectors[:, kept] / np.sqrt(values[kept]) / unit[:, None])


def _scale_prior(side: Groups, within: Floats) -> tuple[float, float]:
    """Centre and degrees of freedom of the prior of an example's scale (Smyth 2004, §6.2)."""
    freedom = within.shape[-1] * (side.count - 1.0)
    some = freedom > 0
    if some.sum() < 2:
        return 1.0, np.inf
    freedom = freedom[some]
    scale = np.einsum("nkl,lk->n", side.scatter[some], np.linalg.inv(within)) / freedom
    # A group of equal values has no logarithm; Smyth's own floor.
    scale = np.maximum(scale, max(1e-5 * float(np.median(scale)), _TINY))
    log = np.log(scale) - digamma(freedom / 2) + np.log(freedom / 2)
    excess = float(log.var(ddof=1) - polygamma(1, freedom / 2).mean())
    if excess <= polygamma(1, 1e6):
        return 1.0, np.inf
    half = 1e-3 if excess >= polygamma(1, 1e-3) else brentq(lambda y: polygamma(1, y) - excess, 1e-3, 1e6)
    return float(np.exp(log.mean() + digamma(half) - np.log(half))), 2 * float(half)


def _scales(side: Groups, inverse_within: Floats, freedom: float) -> tuple[Floats, Floats]:
    """Posterior scale of each example and its degrees of freedom, both [examples]."""
    if np.isinf(freedom):
        return np.ones(len(side.count)), np.full(len(side.count), np.inf)
    total = freedom + inverse_within.shape[-1] * np.maximum(side.count - 1.0, 0)
    return (freedom + np.einsum("nkl,lk->n", side.scatter, inverse_within)) / total, total


def _log_student(deviation: Floats, scale: Floats, freedom: Floats) -> Floats:
    """Log density of the multivariate t, [examples]; of the Gaussian where ``freedom`` is infinite."""
    k = deviation.shape[1]
    distance = np.einsum("nk,nk->n", deviation, np.linalg.solve(scale, deviation[..., None])[..., 0])
    known = np.minimum(freedom, 1e9)
    log = gammaln((known + k) / 2) - gammaln(known / 2) - k / 2 * np.log(known / 2)
    log = np.where(freedom < 1e9, log, 0.0) - k / 2 * np.log(2 * np.pi)
    return np.asarray(log - 0.5 * np.linalg.slogdet(scale)[1] - (known + k) / 2 * np.log1p(distance / known))


def _block_diagonal(first: Floats, second: Floats) -> Floats:
    zero = np.zeros_like(first)
    return np.block([[first, zero], [zero, second]])


def _at_least(covariance: Floats, unit: Floats) -> Floats:
    """The nearest covariance whose variances, in units of ``unit``, are all ``_LEAST`` or more."""
    root = np.linalg.cholesky(unit)
    whitened = np.linalg.solve(root, np.linalg.solve(root, covariance).T)
    values, vectors = np.linalg.eigh((whitened + whitened.T) / 2)
    back = root @ vectors
    return np.asarray((back * np.maximum(values, _LEAST)) @ back.T)
