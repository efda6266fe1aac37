"""1,000 bootstrap resamples of TPR at FPR 0.1 % over 20,000 scores, against a loop over sklearn's ``roc_curve``."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from ...results.intervals import resample_tpr
from .comparison import Comparison, compare

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def loop(scores: Floats, member: Bools, fpr: float, resamples: int, rng: np.random.Generator) -> Floats:
    """Members and non-members drawn apart with replacement, and a ROC curve of each resample."""
    members, others = scores[member], scores[~member]
    answer = np.concatenate([np.ones(len(members), dtype=bool), np.zeros(len(others), dtype=bool)])
    values = np.empty(resamples)
    for i in range(resamples):
        drawn = np.concatenate([rng.choice(members, len(members)), rng.choice(others, len(others))])
        false, true, _ = roc_curve(answer, drawn, drop_intermediate=False)
        values[i] = true[false <= fpr].max()
    return values


def run(examples: int = 20_000, resamples: int = 1_000, looped: int = 100) -> list[Comparison]:
    """The two draw from one distribution, by different random numbers: means and spreads are checked."""
    rng = np.random.default_rng(0)
    member = np.arange(examples) % 2 == 0
    scores = rng.normal(size=examples) + member
    ours = partial(resample_tpr, scores, member, fpr=0.001, resamples=resamples)
    plain = partial(loop, scores, member, 0.001, looped, np.random.default_rng(1))
    drawn, expected = ours(np.random.default_rng(2)), plain()
    if abs(drawn.mean() - expected.mean()) > 5 * expected.std() / np.sqrt(looped):
        raise AssertionError(f"The bootstrap's mean is {drawn.mean()}, that of the plain loop {expected.mean()}.")
    return [
        compare(
            f"Bootstrap of TPR at FPR 0.1 %, {resamples:,} resamples of {examples:,} scores",
            lambda: ours(np.random.default_rng(3)),
            ("loop over sklearn.metrics.roc_curve", plain),
            share=looped / resamples,
            goal=30,
        )
    ]
