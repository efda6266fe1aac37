"""Quantile regression (Bertran et al. 2023): is a signal above what a non-member like this one would rarely exceed?

The paper regresses the target's hinge signal on the *image*, over public non-members. Here an attacker holds outputs,
not images, so the regressor is fitted on the shadows' non-members and sees the label, and the mean and spread of what
the *other* shadows not trained on the example answer (ours). With a single shadow there are none, and what is left is
a threshold for each class.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor

from .references import ReferenceAttack, References, Rule, TooFewReferencesError
from .signals import hinge

Floats = NDArray[np.float64]

ALPHA = 0.1
"""False positive rate at which a score of zero aims; a lower one needs more non-members to be learned from."""


def _features(total: Floats, squares: Floats, count: NDArray[np.int64], labels: NDArray[np.int64]) -> Floats:
    """Label, mean and standard deviation (ddof 0) of the OUT references' signals: [examples, 3], NaN where unknown."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / count
        spread = np.where(count > 1, np.sqrt(np.maximum(squares / count - mean**2, 0)), np.nan)
    return np.stack([labels.astype(np.float64), mean, spread], axis=-1)


def _sums(references: References) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Sum, sum of squares and number of the OUT references' signals of every example."""
    outside, signals = ~references.member, references.values[..., 0]
    squares = np.einsum("mn,mn,mn->n", outside, signals, signals)
    return np.einsum("mn,mn->n", outside, signals), squares, outside.sum(axis=0)


def _rule(
    values: Floats, references: References, *, regressor: HistGradientBoostingRegressor, known: NDArray[np.bool_]
) -> Floats:
    """The signal less its predicted quantile as a non-member's: zero or more where a member is called."""
    features = _features(*_sums(references), references.labels)
    return values[:, 0] - np.asarray(regressor.predict(features[:, known]), dtype=np.float64)


def _learn(references: References) -> Rule:
    model, example = np.nonzero(references.calibration & ~references.member)
    if not len(model):
        raise TooFewReferencesError("Quantile regression needs shadows' outputs on non-members; got none.")
    own = references.values[model, example, 0]
    total, squares, count = _sums(references)
    # A non-member's own answer is what is to be foreseen, so the features come from the others'.
    features = _features(
        total[example] - own, squares[example] - own**2, count[example] - 1, references.labels[example]
    )
    # Gradient boosting takes missing values, but not a column of nothing else.
    known: NDArray[np.bool_] = ~np.all(np.isnan(features), axis=0)
    regressor = HistGradientBoostingRegressor(
        loss="quantile", quantile=1 - ALPHA, max_leaf_nodes=15, early_stopping=False, random_state=0
    )
    return partial(_rule, regressor=regressor.fit(features[:, known], own), known=known)


def quantile_regression() -> ReferenceAttack:
    """The estimator."""
    return ReferenceAttack(name="quantile-regression", signal=hinge, learn=_learn, natural=0.0)
