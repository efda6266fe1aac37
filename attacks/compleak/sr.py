"""CompLeak_SR: an attack model on the posteriors of the original and of one compressed model, side by side.

CompLeak section 5. Both vectors are put in the order that sorts the original's, so the attack model sees what
compression did to the top class, the second, and so on, whatever their names.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..signals import softmax
from .learned import Features, LearnedAttack
from .learners import LearnerName

Floats = NDArray[np.float64]


def sorted_posteriors(logits: Floats, labels: NDArray[np.int64]) -> Floats:
    """SR1: ``p_o[π] ‖ p_c[π]``, [records, 2 * classes], with π the stable ascending order of ``p_o``.

    Args:
        logits: [records, 2, classes], the original first.
        labels: unused, [records].
    """
    del labels
    return _in_order_of_the_first(softmax(logits[:, 0]), softmax(logits[:, 1]))


def sorted_posteriors_and_label(logits: Floats, labels: NDArray[np.int64]) -> Floats:
    """SR2: ``p_o[π] ‖ p_c[π] ‖ one-hot(y)[π]``, [records, 3 * classes].

    Args:
        logits: [records, 2, classes], the original first.
        labels: [records].
    """
    return _in_order_of_the_first(softmax(logits[:, 0]), softmax(logits[:, 1]), np.eye(logits.shape[-1])[labels])


FEATURES: dict[str, Features] = {"sr1": sorted_posteriors, "sr2": sorted_posteriors_and_label}


def sorted_pair(features: Literal["sr1", "sr2"], learner: LearnerName, seed: int) -> LearnedAttack:
    """``compleak-{features}-{learner}``."""
    return LearnedAttack(f"compleak-{features}-{learner}", "original+compressed", FEATURES[features], learner, seed)


def _in_order_of_the_first(*tables: Floats) -> Floats:
    """Rows of all tables, side by side, each in the stable ascending order of the first table's row."""
    order = np.argsort(tables[0], axis=1, kind="stable")
    return np.hstack([np.take_along_axis(table, order, axis=1) for table in tables])
