"""BASE (Lassila et al. 2025, arXiv 2505.24089): the target's loss against the log-mean likelihood of the references.

Online it is the logarithm of RMIA's online ratio, and so orders examples alike: a check of one by the other.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from .references import ReferenceAttack, References, Rule
from .signals import cross_entropy

Mode = Literal["online", "offline"]
Floats = NDArray[np.float64]

OFFLINE_WEIGHT = 0.33
"""Weight of the OUT references in the offline form (the published implementation's)."""


def base_scores(target: Floats, shadows: Floats, member: NDArray[np.bool_], *, mode: Mode = "online") -> Floats:
    """Score examples by BASE.

    Args:
        target: the target's log-probability of the true class, [examples].
        shadows: the references', [models, examples].
        member: whether a reference is trained on an example, bool [models, examples].
        mode: ``online`` subtracts log mean p over all references; ``offline`` subtracts ``OFFLINE_WEIGHT`` times
            log mean p over the OUT ones.

    Returns:
        [examples], higher = member; NaN where the offline form finds no OUT reference.

    Raises:
        ValueError: shapes disagree.
    """
    if target.shape != shadows.shape[1:] or member.shape != shadows.shape or not len(shadows):
        raise ValueError(
            f"Expected a target [examples], references [models, examples] and membership of the same shape, got "
            f"{list(target.shape)}, {list(shadows.shape)} and {list(member.shape)}."
        )
    if mode == "online":
        return np.asarray(target - logsumexp(shadows, axis=0) + np.log(len(shadows)))
    outside = (~member).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_mean = logsumexp(np.where(member, -np.inf, shadows), axis=0) - np.log(outside)
    return np.where(outside > 0, target - OFFLINE_WEIGHT * log_mean, np.nan)


def _rule(values: Floats, references: References, *, mode: Mode) -> Floats:
    member = references.member
    scores = base_scores(-values[:, 0], -references.values[..., 0], member, mode=mode)
    return scores if mode == "offline" else np.where(member.any(axis=0) & ~member.all(axis=0), scores, np.nan)


def _learn(references: References, *, mode: Mode) -> Rule:
    return partial(_rule, mode=mode)


def base(mode: Mode = "online") -> ReferenceAttack:
    """The estimator."""
    return ReferenceAttack(name=f"base-{mode}", signal=cross_entropy, learn=partial(_learn, mode=mode), natural=0.0)
