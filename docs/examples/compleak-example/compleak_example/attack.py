"""An attack: members are those that the model is surest of."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from compleak.attacks.held import Held, NotFittedError
from compleak.attacks.observations import Observations
from compleak.attacks.protocol import Access
from compleak.attacks.thresholds import best_threshold


class Margin:
    """The contract is `compleak.attacks.protocol.Attack`: learn on shadows, then score the target blind."""

    name = "example-margin"
    access: Access = "one-model"
    queries = 1

    def __init__(self) -> None:
        self._held: Held | None = None
        self._threshold = np.nan

    def fit(self, shadows: Observations) -> Self:
        """Find the threshold on records of the shadows, whose membership is known."""
        held = Held.of(shadows, self.access, self.name)
        records = held.calibration_records(shadows)
        self._threshold = best_threshold(_gap(records.logits[:, 0]), records.member)
        self._held = held
        return self

    def score(self, target: Observations) -> NDArray[np.float64]:
        """Float64 [examples], higher = member. There is no membership in ``target`` to look at."""
        if self._held is None:
            raise NotFittedError(self.name)
        return _gap(self._held.target_records(target, self.name).logits[:, 0])

    @property
    def threshold(self) -> float:
        """The score from which an example is called a member."""
        return self._threshold


def _gap(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    ordered = np.sort(logits, axis=1)
    return ordered[:, -1] - ordered[:, -2]
