"""CompLeak_NR, train-based attacks: an attack model on one model's posteriors (CompLeak section 4)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..signals import softmax
from .learned import Features, LearnedAttack
from .learners import LearnerName

Floats = NDArray[np.float64]


def posteriors(logits: Floats, labels: NDArray[np.int64]) -> Floats:
    """``p``, in class order, [records, classes] (train-based 1).

    Args:
        logits: [records, 1, classes].
        labels: unused, [records].
    """
    del labels
    return softmax(logits[:, 0])


def posteriors_and_label(logits: Floats, labels: NDArray[np.int64]) -> Floats:
    """``p ‖ one-hot(y)``, [records, 2 * classes] (train-based 2).

    Args:
        logits: [records, 1, classes].
        labels: [records].
    """
    p = softmax(logits[:, 0])
    return np.hstack([p, np.eye(p.shape[1])[labels]])


FEATURES: dict[str, Features] = {"train1": posteriors, "train2": posteriors_and_label}


def train_based(features: Literal["train1", "train2"], learner: LearnerName, seed: int) -> LearnedAttack:
    """``compleak-nr-{features}-{learner}``."""
    return LearnedAttack(f"compleak-nr-{features}-{learner}", "one-model", FEATURES[features], learner, seed)
