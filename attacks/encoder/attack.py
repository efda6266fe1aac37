"""What the attacks on encoders share: fitted on features where membership is known, then scoring blind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from ..held import NotFittedError
from .access import EncoderError, Floats

Access = Literal["shadow", "partial-known"]
"""Where membership is known: on shadow encoders (EncoderMI's protocol), or on part of the target's own members and
non-members (PartCrop's). Rows of the one say nothing about rows of the other."""

Bools = NDArray[np.bool_]
Ids = NDArray[np.integer]
Score = Callable[[Floats], Floats]
"""From features, [examples, features], to scores, float64 [examples], higher = member."""
Learn = Callable[[Floats, Bools], tuple[Score, float]]
"""From features and membership to a score and the threshold from which it says member."""


class EncoderAttack:
    """One attack: make ``features`` of each encoder's answers, ``fit``, then ``score``.

    Attributes:
        name: the row's name; it states the variant.
        access: where membership is known.
        queries: of the encoder, for each example.
        features: from one encoder's answers on all the examples asked about to float64 [examples, features].
    """

    def __init__(
        self, name: str, *, access: Access, queries: int, features: Callable[..., Floats], learn: Learn
    ) -> None:
        self.name, self.access, self.queries, self.features = name, access, queries, features
        self._learn = learn
        self._fitted: tuple[Score, float, int] | None = None
        self._known = np.empty(0, dtype=np.int64)

    def fit(self, features: Floats, member: Bools, examples: Ids) -> Self:
        """Learn from examples whose membership is known.

        Args:
            features: [records, features]; of several shadow encoders one after the other.
            member: was the record's encoder trained on its example, [records].
            examples: ids, [records].

        Raises:
            EncoderError: shapes disagree, a feature is not finite, or fewer than two members or non-members.
        """
        features = _checked(features, examples)
        members = int(np.count_nonzero(member))
        if member.shape != examples.shape or min(members, len(features) - members) < 2:
            raise EncoderError(
                f"Attack {self.name!r} is fitted on two members and two non-members at least; got {members} members in "
                f"an answer of shape {list(member.shape)} for {len(features)} records."
            )
        self._fitted = *self._learn(features, member), features.shape[1]
        if self.access == "partial-known":
            self._known = np.unique(examples)
        return self

    def score(self, features: Floats, examples: Ids) -> Floats:
        """Score the target's examples, float64 [examples], higher = member.

        Args:
            features: [examples, features].
            examples: ids, [examples].

        Raises:
            NotFittedError: ``fit`` comes first.
            EncoderError: shapes disagree, a feature is not finite, or membership of an example was known to ``fit``.
        """
        score, _, width = self._parts()
        features = _checked(features, examples)
        if features.shape[1] != width:
            raise EncoderError(
                f"Attack {self.name!r} was fitted on {width} features, got {features.shape[1]}. Ask the target as many "
                "queries as in `fit`."
            )
        if (known := np.intersect1d(examples, self._known)).size:
            raise EncoderError(
                f"Membership of {known.size} of these {len(examples)} examples was known when {self.name!r} was fitted "
                f"(access 'partial-known'; the first is {known[0]}). Score the target's other examples."
            )
        return score(features)

    @property
    def threshold(self) -> float:
        """The score from which an example is called a member."""
        return self._parts()[1]

    def _parts(self) -> tuple[Score, float, int]:
        if self._fitted is None:
            raise NotFittedError(self.name)
        return self._fitted


def base_rate(member: Bools) -> float:
    """Log-odds of the base rate: the cut of a network trained with cross-entropy, 0 where the groups are balanced."""
    rate = member.mean()
    return float(np.log(rate / (1 - rate)))


def _checked(features: Floats, examples: Ids) -> Floats:
    features = np.asarray(features, dtype=np.float64)
    if features.ndim != 2 or features.shape[:1] != examples.shape:
        raise EncoderError(
            f"Expected features [examples, features] and ids [examples], got {list(features.shape)} and "
            f"{list(examples.shape)}."
        )
    if not np.isfinite(features).all():
        raise EncoderError("Some features are not finite; an encoder or an artifact diverged.")
    return features
