"""Can members be told from non-members *without the model*? Then an attack's AUC is no measure of a leak.

Members and non-members that were drawn at different times or places, or prepared differently, are told apart by what
they look like. Das et al. 2024 (arXiv 2406.16201) show such blind attacks to beat the published ones on most data
sets for foundation models. Here: a cross-validated forest on the inputs' coarse look, and a test of the labels.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2_contingency

from ...results.exact import Interval
from ...results.intervals import delong_interval
from ...results.metrics import auc

FOLDS = 5
MOST = 2000
"""Examples of each group that the forest sees: more would cost minutes and tell little."""
GRID = 8


@dataclass(frozen=True)
class Blind:
    """What can be told without the model.

    Attributes:
        auc: of a forest on the inputs, cross-validated; None where there were no inputs that it could read.
        interval: of ``auc``, at 95 %.
        label_p: p-value of the two groups having the same class frequencies.
        shared: examples that are in both groups; None where there were no inputs.
    """

    auc: float | None
    interval: Interval | None
    label_p: float
    shared: int | None


def blind_test(
    inputs: tuple[NDArray[np.generic], NDArray[np.generic]] | None,
    labels: NDArray[np.int64],
    member: NDArray[np.bool_],
    seed: int = 0,
) -> Blind:
    """Try to tell members from non-members without the model.

    Args:
        inputs: of the members and of the non-members, [examples, ...], as they were stored; or None.
        labels: int64 [examples], members first.
        member: bool [examples].
        seed: of the folds and the forest.
    """
    p_value = _label_test(labels, member)
    if inputs is None:
        return Blind(None, None, p_value, None)
    shared = len({fingerprint(x) for x in inputs[0]} & {fingerprint(x) for x in inputs[1]})
    rng = np.random.default_rng(seed)
    chosen = [np.sort(rng.permutation(len(part))[:MOST]) for part in inputs]
    features = np.concatenate([_features(part[rows]) for part, rows in zip(inputs, chosen, strict=True)])
    of = np.concatenate([labels[member][chosen[0]], labels[~member][chosen[1]]])
    truth = np.repeat([True, False], [len(rows) for rows in chosen])
    scores = _cross_validated(np.column_stack([features, of]), truth, seed)
    return Blind(auc(scores, truth), delong_interval(scores, truth), p_value, shared)


def fingerprint(example: NDArray[np.generic]) -> bytes:
    """A hash of one input, as it was stored."""
    return hashlib.blake2b(np.ascontiguousarray(example).tobytes()).digest()


def _cross_validated(features: NDArray[np.float64], truth: NDArray[np.bool_], seed: int) -> NDArray[np.float64]:
    """P(member) by forests that have not seen the example."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    forest = RandomForestClassifier(n_estimators=60, min_samples_leaf=10, random_state=seed, n_jobs=1)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    scores: NDArray[np.float64] = cross_val_predict(forest, features, truth, cv=folds, method="predict_proba")[:, 1]
    return scores


def _features(inputs: NDArray[np.generic]) -> NDArray[np.float64]:
    """What an input looks like from afar, [examples, features]: statistics, and the whole thinned out.

    The statistics are those that ways of preparing images differ in: level, contrast, range, and how much
    neighbours differ (which compression, resizing and noise change).
    """
    values = inputs.astype(np.float64)
    flat = values.reshape(len(values), -1)
    rough = [np.abs(np.diff(values, axis=axis)).reshape(len(values), -1) for axis in range(1, min(values.ndim, 3))]
    statistics = [
        *(f(flat, axis=1) for f in (np.mean, np.std, np.min, np.max)),
        *(part.mean(axis=1) for part in rough if part.shape[1]),
        (flat == np.rint(flat)).mean(axis=1),
    ]
    steps = tuple(slice(None, None, max(1, n // GRID)) for n in values.shape[1:3])
    thinned = values[(slice(None), *steps)].reshape(len(values), -1)
    return np.column_stack([*statistics, thinned[:, : 4 * GRID * GRID]])


def _label_test(labels: NDArray[np.int64], member: NDArray[np.bool_]) -> float:
    """Pearson's χ² test of the class frequencies; classes too rare for it are taken together."""
    table = np.stack([np.bincount(labels[member == side], minlength=labels.max() + 1) for side in (True, False)])
    expected = table.sum(axis=0) * min(member.mean(), 1 - member.mean())
    common = table[:, expected >= 5]
    rare = table[:, expected < 5].sum(axis=1, keepdims=True)
    pooled = np.hstack([common, rare]) if rare.sum() >= 10 and (rare > 0).all() else common
    if pooled.shape[1] < 2:
        return 1.0
    return float(chi2_contingency(pooled).pvalue)
