"""An attack that learns membership from a table of features: CompLeak_NR's train-based attacks and CompLeak_SR."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..held import Held, NotFittedError
from ..observations import Observations
from ..protocol import Access
from ..thresholds import best_threshold
from .learners import LEARNERS, Learned, LearnerName, Table

Floats = NDArray[np.float64]

# logits [records, variants, classes] and labels [records] -> [records, features]
Features = Callable[[Floats, NDArray[np.int64]], Floats]


class LearnedAttack:
    """Features and a learner; the score is P(member).

    The threshold maximises balanced accuracy over the shadows' held-out probabilities (ours; CompLeak cuts at ½).
    """

    queries = 1

    def __init__(self, name: str, access: Access, features: Features, learner: LearnerName, seed: int) -> None:
        self.name = name
        self.access: Access = access
        self._features, self._learner, self._seed = features, LEARNERS[learner], seed
        self._fitted: tuple[Held, Learned, float] | None = None

    def fit(self, shadows: Observations) -> Self:
        """Fit the learner on the shadows' calibration records.

        Raises:
            ObservationError: not the variants that ``access`` says, or no members, or no non-members.
        """
        held = Held.of(shadows, self.access, self.name)
        records = held.calibration_records(shadows)
        features = self._features(records.logits, records.labels)
        learned = self._learner(Table(features, records.member, records.model), self._seed)
        self._fitted = held, learned, best_threshold(learned.held_out, records.member)
        return self

    def score(self, target: Observations) -> Floats:
        """P(member), [examples]."""
        held, learned, _ = self._parts()
        records = held.target_records(target, self.name)
        return learned.probability(self._features(records.logits, records.labels))

    @property
    def threshold(self) -> float:
        """The best threshold on the shadows' held-out probabilities."""
        return self._parts()[2]

    @property
    def held_out(self) -> Floats:
        """P(member) of each calibration record, by a model that has not seen it, [records]; for attacks on top."""
        return self._parts()[1].held_out

    def _parts(self) -> tuple[Held, Learned, float]:
        if self._fitted is None:
            raise NotFittedError(self.name)
        return self._fitted
