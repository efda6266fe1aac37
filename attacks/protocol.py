"""What every attack is: an estimator, fitted on shadows, that scores the target's examples blind."""

from __future__ import annotations

from typing import Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from .observations import Observations

Access = Literal["one-model", "original+compressed", "multiple", "multiple+original"]


class Attack(Protocol):
    """An estimator in the manner of scikit-learn.

    Attributes:
        name: the row's name; it states the variant of the attack.
        access: how many models the attacker holds.
        queries: how many outputs of each model it needs for an example.
    """

    name: str
    access: Access
    queries: int

    def fit(self, shadows: Observations) -> Self:
        """Learn from shadow models.

        Args:
            shadows: the shadow models' outputs and membership, on the calibration examples and on the target's.
                Attack models are fitted on ``shadows.calibration_records()`` only; the shadows' outputs on the
                target's own examples (LiRA, RMIA) may be looked up by id.
        """
        ...

    def score(self, target: Observations) -> NDArray[np.float64]:
        """Score the target's examples, [examples], higher = member.

        Args:
            target: one model's outputs, *without* membership.
        """
        ...

    @property
    def threshold(self) -> float:
        """The score from which an example is called a member, calibrated on the shadows."""
        ...
