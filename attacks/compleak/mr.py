"""CompLeak_MR: several compressed models at once, with the original or without it (CompLeak section 6).

A stacked attack. For each of M compressed models a random forest gives the probability of membership, and the model
itself gives its loss on the example; a network joins the 2M probabilities and the M losses.

- With the original, the forest is SR2's. Without it SR2 cannot be had, and CompLeak's code has no such variant: the
  forest is then train-based 2 of CompLeak_NR, on the compressed model alone (our reading).
- On the shadows the probabilities are held out, and each loss is of the shadow's *own* compressed model (CompLeak's
  code stacks in-sample probabilities, and gives every column the loss of the model it loaded last).
- Both inputs of the network are standardised by the shadows' mean and deviation, and it is trained for 30 epochs
  (ours; CompLeak feeds them raw and trains for 100, which on a few thousand records is not enough for raw inputs).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from ..held import Held, NotFittedError
from ..observations import ORIGINAL, Observations
from ..protocol import Access
from ..signals import cross_entropy
from .sr import sorted_pair
from .train_based import train_based

Floats = NDArray[np.float64]


class Forest(Protocol):
    """The attack on one compressed model that MR stacks on: fitted, and asked for probabilities."""

    @property
    def held_out(self) -> Floats:
        """P(member) of each calibration record, by a model that has not seen it, [records]."""
        ...

    def fit(self, shadows: Observations) -> Self:
        """As ``Attack.fit``."""
        ...

    def score(self, target: Observations) -> Floats:
        """P(member), [examples]."""
        ...


@dataclass(frozen=True)
class _Fitted:
    held: Held
    forests: tuple[Forest, ...]
    scalers: tuple[StandardScaler, StandardScaler]
    log_odds: Callable[[Floats, Floats], Floats]
    threshold: float


class MultipleModels:
    """``compleak-mr`` and ``compleak-mr-no-original``; the score is the network's log-odds of membership.

    The threshold is the log-odds of the shadows' base rate, 0 where they are balanced: the network's own cut, as in
    CompLeak.
    """

    queries = 1

    def __init__(
        self, original: bool, seed: int, epochs: int = 30, forest: Callable[[str], Forest] | None = None
    ) -> None:
        """Make the attack.

        Args:
            original: whether the original model is held.
            seed: of the forests and the network.
            epochs: of the network; fixed beforehand.
            forest: makes the forest of a compressed variant, given its name, where it is at hand already; else it is
                fitted here.
        """
        self.name = "compleak-mr" if original else "compleak-mr-no-original"
        self.access: Access = "multiple+original" if original else "multiple"
        self._seed, self._epochs = seed, epochs
        self._forest = forest or (
            lambda _: sorted_pair("sr2", "rf", seed) if original else train_based("train2", "rf", seed)
        )
        self._fitted: _Fitted | None = None

    def fit(self, shadows: Observations) -> Self:
        """Fit one forest for each compressed model, then the network.

        Raises:
            ObservationError: not the variants that ``access`` says, or no members, or no non-members.
        """
        from .two_branch import fit_two_branch

        held = Held.of(shadows, self.access, self.name)
        records = held.calibration_records(shadows)
        forests = tuple(self._forest(v[-1]).fit(shadows.select(variants=v)) for v in _seen_by_forests(held))
        probabilities = _both_columns([forest.held_out for forest in forests])
        losses = _losses(held, records.logits, records.labels)
        scalers = StandardScaler().fit(probabilities), StandardScaler().fit(losses)
        log_odds = fit_two_branch(
            scalers[0].transform(probabilities),
            scalers[1].transform(losses),
            records.member,
            seed=self._seed,
            epochs=self._epochs,
        )
        rate = records.member.mean()
        self._fitted = _Fitted(held, forests, scalers, log_odds, float(np.log(rate / (1 - rate))))
        return self

    def score(self, target: Observations) -> Floats:
        """Log-odds of membership, [examples]."""
        fitted = self._parts()
        records = fitted.held.target_records(target, self.name)
        seen = _seen_by_forests(fitted.held)
        inputs = (
            _both_columns([f.score(target.select(variants=v)) for f, v in zip(fitted.forests, seen, strict=True)]),
            _losses(fitted.held, records.logits, records.labels),
        )
        probabilities, losses = (s.transform(x) for s, x in zip(fitted.scalers, inputs, strict=True))
        return fitted.log_odds(probabilities, losses)

    @property
    def threshold(self) -> float:
        """The log-odds of the shadows' base rate."""
        return self._parts().threshold

    def _parts(self) -> _Fitted:
        if self._fitted is None:
            raise NotFittedError(self.name)
        return self._fitted


def _seen_by_forests(held: Held) -> list[tuple[str, ...]]:
    """What each forest looks at: a compressed variant, behind the original where that is held."""
    front = held.variants[:1] if held.variants[0] == ORIGINAL else ()
    return [(*front, variant) for variant in held.variants if variant != ORIGINAL]


def _losses(held: Held, logits: Floats, labels: NDArray[np.int64]) -> Floats:
    """Each compressed model's own loss, [records, M]."""
    compressed = [i for i, variant in enumerate(held.variants) if variant != ORIGINAL]
    return cross_entropy(logits.swapaxes(0, 1), labels)[compressed].T


def _both_columns(probabilities: list[Floats]) -> Floats:
    """P(non-member) and P(member) of each forest, [records, 2M]."""
    return np.column_stack([column for p in probabilities for column in (1 - p, p)])
