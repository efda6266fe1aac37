"""LiRA at 50,000 examples and 256 shadows, against a loop over examples."""

from __future__ import annotations

import time
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from ...attacks.lira import lira_scores
from .comparison import Comparison, compare

Floats = NDArray[np.float64]


def loop(target: Floats, shadows: Floats, member: NDArray[np.bool_]) -> Floats:
    """Online LiRA with medians and per-example variance, an example at a time, as the paper writes it."""
    scores = np.empty_like(target)
    for j in range(len(target)):
        inside, outside = shadows[member[:, j], j], shadows[~member[:, j], j]
        scores[j] = norm.logpdf(target[j], np.median(inside), inside.std()) - norm.logpdf(
            target[j], np.median(outside), outside.std()
        )
    return scores


def run(examples: int = 50_000, models: int = 256, looped: int = 2_000) -> list[Comparison]:
    """Balanced membership (every example in half of the shadows), and membership by coin tosses."""
    rng = np.random.default_rng(0)
    shadows, target = rng.normal(size=(models, examples)), rng.normal(size=examples)
    memberships = {
        "balanced": np.argsort(rng.random((models, examples)), axis=0) < models // 2,
        "unbalanced": rng.random((models, examples)) < 0.5,
    }
    rows = []
    for name, member in memberships.items():
        part = target[:looped], shadows[:, :looped], member[:, :looped]
        np.testing.assert_allclose(lira_scores(*part), loop(*part), rtol=1e-9, atol=1e-9)
        rows.append(
            compare(
                f"LiRA online, {name} membership, {examples:,} examples x {models} shadows",
                partial(lira_scores, target, shadows, member),
                ("loop over examples with numpy and scipy.stats.norm", partial(loop, *part)),
                share=looped / examples,
                goal=100,
                clock=time.perf_counter,
            )
        )
    return rows
