"""Attack models that learn from a table: logistic regression, random forest, gradient boosting.

Each comes with the membership probabilities of its own training records *as of a model that has not seen them*.
They calibrate the threshold, and CompLeak_MR stacks on them; in-sample probabilities would promise it a forest far
better than the one it meets on the target.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Floats = NDArray[np.float64]
LearnerName = Literal["lr", "rf", "gbt"]

_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Table:
    """What a learner is fitted on; equal where the content is.

    Attributes:
        features: float64 [records, features].
        member: bool [records], of both kinds.
        model: index of the shadow model each record comes from, int64 [records].
    """

    features: Floats
    member: NDArray[np.bool_]
    model: NDArray[np.int64]

    @cached_property
    def digest(self) -> bytes:
        """sha256 of the content."""
        parts = (np.ascontiguousarray(a) for a in (self.features, self.member, self.model))
        return hashlib.sha256(b"|".join(f"{a.shape}{a.dtype}".encode() + a.tobytes() for a in parts)).digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


@dataclass(frozen=True)
class Learned:
    """A fitted attack model.

    Attributes:
        probability: P(member) of new records: features [records, features] -> float64 [records].
        held_out: P(member) of each training record, by a model that has not seen it, float64 [records].
    """

    probability: Callable[[Floats], Floats]
    held_out: Floats


Learner = Callable[[Table, int], Learned]


def logistic_regression(table: Table, seed: int) -> Learned:
    """Standardised features, lbfgs, C = 1 (CompLeak's published code), held out by fold.

    Raises:
        RuntimeError: the solver did not converge.
    """
    return _by_fold(make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)), table, seed)


def gradient_boosting(table: Table, seed: int) -> Learned:
    """scikit-learn's histogram gradient boosting at its defaults, held out by fold (ours)."""
    return _by_fold(HistGradientBoostingClassifier(early_stopping=False, random_state=seed), table, seed)


@lru_cache(maxsize=16)
def random_forest(table: Table, seed: int) -> Learned:
    """500 trees with at least 30 records in a leaf (CompLeak's published code), held out by bootstrap.

    A record's held-out probability is the mean over the trees whose bootstrap sample lacks it (about 184 of 500):
    one fit instead of one more for every fold (ours). Those trees have seen other records of the same shadow model,
    as the held-out record's fold in ``logistic_regression`` has not where there are several shadow models.

    The last forests are remembered, because CompLeak_MR uses the very forests that are attacks of their own.
    """
    forest = RandomForestClassifier(
        n_estimators=500, min_samples_leaf=30, oob_score=True, random_state=seed, n_jobs=1
    ).fit(table.features, table.member)
    held_out = np.asarray(forest.oob_decision_function_[:, 1], dtype=np.float64)
    return Learned(lambda features: _probability(forest, features), held_out)


LEARNERS: dict[LearnerName, Learner] = {
    "lr": logistic_regression,
    "rf": random_forest,
    "gbt": gradient_boosting,
}


def _by_fold(estimator: Any, table: Table, seed: int) -> Learned:
    """Fit on everything, and once more for each fold; folds are shadow models where there is more than one."""
    models = len(np.unique(table.model))
    if models > 1:
        folds = GroupKFold(min(_FOLDS, models)).split(table.features, table.member, table.model)
    else:
        folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(table.features, table.member)
    held_out = np.full(len(table.member), np.nan)
    for seen, unseen in folds:
        fitted = _fit(clone(estimator), table.features[seen], table.member[seen])
        held_out[unseen] = _probability(fitted, table.features[unseen])
    full = _fit(clone(estimator), table.features, table.member)
    return Learned(lambda features: _probability(full, features), held_out)


def _fit(estimator: Any, features: Floats, member: NDArray[np.bool_]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            return estimator.fit(features, member)
        except ConvergenceWarning as warning:
            raise RuntimeError(
                f"The attack model did not converge on {len(member):,} records of {features.shape[1]} features: "
                f"{warning}"
            ) from warning


def _probability(estimator: Any, features: Floats) -> Floats:
    return np.asarray(estimator.predict_proba(features)[:, 1], dtype=np.float64)
