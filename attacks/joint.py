"""A joint likelihood-ratio attack over variants: one example's signals on all models held, as one vector (ours).

NR is the case of one variant, SR of two, MR of many. The signals are logit-scaled confidences, their distribution IN
and OUT is that of ``hierarchy``; with a plain Gaussian for each example every further variant would make the attack
*worse*, as the errors of estimated means add up.

online      the example's IN and OUT shadows
offline     its OUT shadows only: what it would show IN is foreseen by the prior, which is learned from the shadows'
            own data. It works where no shadow is trained on the target's examples (the disjoint design)

With one variant, ``joint-online-nr`` is ``lira-online-bayes``, except that its prior comes from all calibration
examples of the shadows rather than from those under attack.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from . import hierarchy
from .protocol import Access
from .references import ReferenceAttack, References, Rule
from .signals import logit_confidence

Mode = Literal["online", "offline"]
Form = Literal["nr", "sr", "mr", "mr-no-original"]
Floats = NDArray[np.float64]

_ACCESS: dict[Form, Access] = {
    "nr": "one-model",
    "sr": "original+compressed",
    "mr": "multiple+original",
    "mr-no-original": "multiple",
}


def joint_scores(
    target: Floats,
    shadows: Floats,
    member: NDArray[np.bool_],
    *,
    mode: Mode = "online",
    prior: hierarchy.Prior | None = None,
) -> Floats:
    """Score examples by the joint likelihood ratio.

    Args:
        target: the target's signals, [examples, variants].
        shadows: the shadows' signals, [models, examples, variants].
        member: whether a shadow is trained on an example, bool [models, examples].
        mode: see the module.
        prior: from ``joint_prior``; None to estimate it from these very shadows.

    Returns:
        Log likelihood ratios, [examples], higher = member; NaN where an example has no shadow on a side that is
        needed.

    Raises:
        ValueError: shapes disagree or a signal is not finite.
        TooFewReferencesError: too few shadows to estimate the prior.
    """
    if target.shape != shadows.shape[1:] or member.shape != shadows.shape[:2] or member.dtype != bool:
        raise ValueError(
            f"Expected a target [examples, variants], shadows [models, examples, variants] and bool membership "
            f"[models, examples], got {list(target.shape)}, {list(shadows.shape)} and "
            f"{member.dtype} {list(member.shape)}."
        )
    if not np.isfinite(target).all() or not np.isfinite(shadows).all():
        raise ValueError("Some signals are not finite. Use signals computed from logits, such as logit_confidence.")
    out, inside = hierarchy.group(shadows, ~member), hierarchy.group(shadows, member)
    prior = prior or hierarchy.fit_prior(out, inside)
    known = out.count > 0
    if mode == "offline":
        inside = hierarchy.group(shadows, np.zeros_like(member))
    else:
        known &= inside.count > 0
    return np.where(known, hierarchy.likelihood_ratio(target, out, inside, prior), np.nan)


def joint_prior(shadows: Floats, member: NDArray[np.bool_]) -> hierarchy.Prior:
    """What is common to all examples, from shadows [models, examples, variants] and bool [models, examples]."""
    return hierarchy.fit_prior(hierarchy.group(shadows, ~member), hierarchy.group(shadows, member))


def _rule(values: Floats, references: References, *, mode: Mode, prior: hierarchy.Prior) -> Floats:
    return joint_scores(values, references.values, references.member, mode=mode, prior=prior)


def _learn(references: References, *, mode: Mode) -> Rule:
    calibrated = references.at(np.flatnonzero(references.calibration.any(axis=0)))
    return partial(_rule, mode=mode, prior=joint_prior(calibrated.values, calibrated.member))


def joint(mode: Mode = "online", form: Form = "mr") -> ReferenceAttack:
    """The estimator; ``form`` says which models it holds, in CompLeak's terms."""
    return ReferenceAttack(
        name=f"joint-{mode}-{form}",
        signal=logit_confidence,
        learn=partial(_learn, mode=mode),
        natural=0.0,
        access=_ACCESS[form],
    )
