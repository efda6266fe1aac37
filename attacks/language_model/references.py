"""Attacks that calibrate each text by reference models, on its mean log-likelihood a token.

LiRA, RMIA and the joint likelihood ratio are those for classifiers: only what is read off the models differs. A text's
mean log-likelihood is close to Gaussian over models, as the log-odds of a class are; RMIA's probability of the true
class becomes the geometric mean of the tokens' (ours: a whole text's is too small a number for its average over
references to mean more than its largest term).

A text without a token to judge has the signal 0 from every model, target and references alike, which says nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..joint import joint
from ..lira import lira
from ..references import ReferenceAttack, References, Rule
from ..rmia import rmia
from .attack import ACCESS, ANSWER, Form
from .scores import Floats, difficulty_calibrated, mean_log_likelihood

Mode = Literal["online", "offline"]
Variance = Literal["per-example", "fixed", "bayes"]


def likelihood(log_likelihood: Floats, labels: NDArray[np.int64]) -> Floats:
    """Mean log-likelihood of a token, [texts], of [texts, tokens]; 0 of a text without one."""
    del labels
    return np.nan_to_num(mean_log_likelihood(log_likelihood), nan=0.0)


def loss(log_likelihood: Floats, labels: NDArray[np.int64]) -> Floats:
    """Its negative: the cross-entropy in nats."""
    return -likelihood(log_likelihood, labels)


def lm_lira(mode: Mode = "online", variance: Variance = "per-example") -> ReferenceAttack:
    """``lm-lira-...``: LiRA (Carlini et al. 2022) on the mean log-likelihood."""
    return _of_texts(lira(mode, variance), likelihood)


def lm_rmia(mode: Mode = "offline") -> ReferenceAttack:
    """``lm-rmia-...``: RMIA (Zarifzadeh et al. 2024) on the tokens' geometric mean probability.

    Its ``a``, untuned, is 1: below that p_IN is at least 1 − a, which is right for a class's probability, and a hundred
    times the probability of a token (ours).
    """
    return _of_texts(rmia(mode, untuned=1.0), loss)


def lm_joint(mode: Mode = "online", form: Form = "mr") -> ReferenceAttack:
    """``lm-joint-...``: the joint likelihood ratio of all models held, on their mean log-likelihoods (ours)."""
    return _of_texts(joint(mode, form), likelihood)


def lm_reference_shadows() -> ReferenceAttack:
    """``lm-reference-shadows``: the mean log-likelihood less that of the OUT references (Watson et al. 2022)."""
    return ReferenceAttack(
        name="lm-reference-shadows",
        signal=likelihood,
        learn=_learn_difficulty,
        natural=0.0,
        answer=ANSWER,
        access=ACCESS["nr"],
    )


def _of_texts(attack: ReferenceAttack, signal: Any) -> ReferenceAttack:
    return replace(attack, name=f"lm-{attack.name}", signal=signal, answer=ANSWER)


def _difficulty_rule(values: Floats, references: References) -> Floats:
    return difficulty_calibrated(values[:, 0], references.values[..., 0], references.member)


def _learn_difficulty(references: References) -> Rule:
    return _difficulty_rule
