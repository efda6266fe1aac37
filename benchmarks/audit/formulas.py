"""Attacks by a fixed formula: they need neither shadow models nor fitting, so nothing is learned from the answer.

Each maps log-odds of the true class, or the logits, straight to a score, higher = member, and calls an example a
member from a fixed threshold on. With φ the log-odds of the true class (a monotone function of minus the loss, exact
where the loss saturates; Yeom et al. 2018):

==========================  ====================================  =========================================
attack                      score                                 threshold
==========================  ====================================  =========================================
``audit-nr-loss``           φ                                     0: the true class has p = ½
``audit-nr-entropy``        −log of the entropy                   an entropy of log 2 nats (one bit)
``audit-nr-modified-...``   −log of the modified entropy          the same (Song & Mittal 2021)
``audit-nr-correctness``    1 where the top class is the true one 1
``audit-sr-corrected``      φ_o + (φ_o − φ_c)                     0
``audit-mr-corrected``      φ_o + mean over c of (φ_o − φ_c)      0
``audit-mr-no-original``    mean over c of φ_c                    0
==========================  ====================================  =========================================

The corrections take the compressed model for what difficulty calibration (Watson et al. 2022) takes a reference model
for: an example that is easy for both is no member for being easy. With the original in the place of every compressed
model they become the loss, so a row's difference from that says what the compressed models add; a bare φ_o − φ_c would
become a constant. The corrected forms are ours, as are the thresholds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...attacks import signals
from ...attacks.observations import ORIGINAL
from ...attacks.protocol import Access
from .subject import Subject

Floats = NDArray[np.float64]
HEADLINE = "audit-nr-loss"
_ONE_BIT = -float(np.log(np.log(2)))


@dataclass(frozen=True)
class Formula:
    """One attack.

    Attributes:
        access: what it holds.
        description: one line for readers.
        score: logits [variants, examples, classes] of what it holds, the original first, and labels -> [examples].
        threshold: the score from which an example is called a member.
    """

    access: Access
    description: str
    score: Callable[[Floats, NDArray[np.int64]], Floats]
    threshold: float = 0.0


def _corrected(logits: Floats, labels: NDArray[np.int64]) -> Floats:
    odds = signals.logit_confidence(logits, labels)
    corrected: Floats = odds[0] + (odds[0] - odds[1:]).mean(axis=0)
    return corrected


def _correct(logits: Floats, labels: NDArray[np.int64]) -> Floats:
    right: NDArray[np.bool_] = logits[0].argmax(axis=1) == labels
    return right.astype(np.float64)


FORMULAS: dict[str, Formula] = {
    HEADLINE: Formula(
        "one-model", "log-odds of the true class: minus the loss", lambda x, y: signals.logit_confidence(x[0], y)
    ),
    "audit-nr-entropy": Formula(
        "one-model", "minus the entropy of the prediction", lambda x, _: -signals.log_entropy(x[0]), _ONE_BIT
    ),
    "audit-nr-modified-entropy": Formula(
        "one-model",
        "minus the entropy that counts the true class apart",
        lambda x, y: -signals.log_modified_entropy(x[0], y),
        _ONE_BIT,
    ),
    "audit-nr-correctness": Formula("one-model", "whether the model is right", _correct, 1.0),
    "audit-sr-corrected": Formula(
        "original+compressed", "log-odds of the original, and what compression took from them once more", _corrected
    ),
    "audit-mr-corrected": Formula(
        "multiple+original", "the same, with the mean of what all compressed models took", _corrected
    ),
    "audit-mr-no-original": Formula(
        "multiple", "mean of the compressed models' log-odds", lambda x, y: signals.logit_confidence(x, y).mean(axis=0)
    ),
}


def held_by(access: Access, subject: Subject) -> Iterator[tuple[str, ...]]:
    """Each set of variants that an attacker of this access could hold, the original first."""
    compressed, original = subject.compressed, (ORIGINAL,) if ORIGINAL in subject.logits else ()
    match access:
        case "one-model":
            yield from ((variant,) for variant in subject.variants)
        case "original+compressed":
            yield from ((*original, variant) for variant in compressed if original)
        case "multiple+original":
            if original and len(compressed) > 1:
                yield (*original, *compressed)
        case "multiple":
            if len(compressed) > 1:
                yield compressed
