"""CompLeak_NR's neural attacks: a network on one model's outputs.

Train-based (Shokri et al. 2017, Nasr et al. 2018): one hidden layer of 100 units and Adam at 1e-2, as defined in
CompLeak's published code, which then runs logistic regression and a forest only. For 20 epochs (ours).

SAMIA (Yuan & Zhang, USENIX Security 2022): posteriors, their sensitivity to noise, and the one-hot label, three numbers
for each class, in a network of self-attention. Adam at 1e-3 for 10 epochs (ours); the published code takes SGD at 1e-3
for 100 epochs and reports the one that does best on the target.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ..held import Held, NotFittedError, ShadowRecords
from ..observations import ObservationError, Observations, Records
from ..protocol import Access
from ..signals import softmax
from .train_based import FEATURES

if TYPE_CHECKING:
    from .fitting import LogOdds

Floats = NDArray[np.float64]

# A model's records to what a network takes, [records, ...].
Inputs = Callable[[Records | ShadowRecords], Floats]
Train = Callable[[Floats, NDArray[np.bool_], int], "LogOdds"]

NOISY_QUERIES = 10


class NeuralAttack:
    """A network; the score is its log-odds of membership.

    The threshold is the log-odds of the shadows' base rate, 0 where they are balanced: the network's own cut.
    """

    access: Access = "one-model"

    def __init__(self, name: str, queries: int, inputs: Inputs, train: Train, seed: int) -> None:
        self.name, self.queries = name, queries
        self._inputs, self._train, self._seed = inputs, train, seed
        self._fitted: tuple[Held, LogOdds, float] | None = None

    def fit(self, shadows: Observations) -> Self:
        """Train the network on the shadows' calibration records.

        Raises:
            ObservationError: more than one variant, no members, no non-members, or queries that were not made.
        """
        held = Held.of(shadows, self.access, self.name)
        records = held.calibration_records(shadows)
        log_odds = self._train(self._inputs(records), records.member, self._seed)
        rate = records.member.mean()
        self._fitted = held, log_odds, float(np.log(rate / (1 - rate)))
        return self

    def score(self, target: Observations) -> Floats:
        """Log-odds of membership, [examples]."""
        held, log_odds, _ = self._parts()
        return log_odds(self._inputs(held.target_records(target, self.name)))

    @property
    def threshold(self) -> float:
        """The log-odds of the shadows' base rate."""
        return self._parts()[2]

    def _parts(self) -> tuple[Held, LogOdds, float]:
        if self._fitted is None:
            raise NotFittedError(self.name)
        return self._fitted


def train_based_network(features: Literal["train1", "train2"], seed: int) -> NeuralAttack:
    """``compleak-nr-{features}-nn``."""

    def inputs(records: Records | ShadowRecords) -> Floats:
        return FEATURES[features](records.logits, records.labels)

    def train(features: Floats, member: NDArray[np.bool_], seed: int) -> LogOdds:
        from .networks import fit_perceptron

        return fit_perceptron(features, member, seed)

    return NeuralAttack(f"compleak-nr-{features}-nn", 1, inputs, train, seed)


def samia(seed: int) -> NeuralAttack:
    """``compleak-nr-samia``."""

    def train(tokens: Floats, member: NDArray[np.bool_], seed: int) -> LogOdds:
        from .networks import fit_self_attention

        return fit_self_attention(tokens, member, seed)

    return NeuralAttack("compleak-nr-samia", 1 + NOISY_QUERIES, tokens, train, seed)


def tokens(records: Records | ShadowRecords) -> Floats:
    """``(p_k, s_k, [k = y])`` for each class k, [records, classes, 3].

    Args:
        records: of one variant, with sensitivity.

    Raises:
        ObservationError: the models were not asked the noisy queries.
    """
    if records.sensitivity is None:
        raise ObservationError(
            "SAMIA needs the models' sensitivity to noise, which these observations do not hold. "
            "Observe the models with the queries of `attacks.sensitivity`."
        )
    p = softmax(records.logits[:, 0])
    return np.stack([p, records.sensitivity[:, 0], np.eye(p.shape[1])[records.labels]], axis=-1)
