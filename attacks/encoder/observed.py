"""The encoder attacks as estimators over observations, on one encoder or on its variants together.

CompLeak_SR and _MR for encoders (ours): what an attack measures of the original and of each compressed encoder stands
side by side, and the attack learns from all of it at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Self

import numpy as np

from ..held import Held
from ..info import Answer
from ..observations import ObservationError, Observations
from ..protocol import Access
from .access import Floats
from .attack import EncoderAttack
from .encodermi import encodermi
from .lpla import lpla
from .partcrop import partcrop

Known = Literal["shadows", "partial"]


class ObservedEncoderAttack:
    """An encoder attack (``protocol.Attack``) that reads its features from observations.

    Attributes:
        name: the row's name.
        access: how many encoders the attacker holds.
        queries: of each of them, for an example.
    """

    def __init__(
        self, name: str, access: Access, answer: Answer, inner: EncoderAttack, prepare: Callable[[Floats], Floats]
    ) -> None:
        """Make it.

        Args:
            name: the row's name.
            access: how many encoders the attacker holds.
            answer: what it reads.
            inner: fits and scores.
            prepare: from one encoder's answers on all examples asked about, [examples, any], to features.
        """
        self.name, self.access, self.queries = name, access, inner.queries
        self._answer, self._inner, self._prepare = answer, inner, prepare
        self._held: Held | None = None

    def fit(self, shadows: Observations) -> Self:
        """Learn from the calibration examples of every model held here.

        Raises:
            ObservationError: the variants are not those that ``access`` states, or an answer is missing.
            EncoderError: too few members or non-members.
        """
        self._held = held = Held.of(shadows, self.access, self.name)
        model, example = shadows.calibration_pairs()
        parts = [example[model == m] for m in range(len(shadows.models))]
        features = [self._features(shadows, held, m, part) for m, part in enumerate(parts) if len(part)]
        member = np.concatenate([shadows.member[m, part] for m, part in enumerate(parts)])
        ids = np.concatenate([shadows.examples[part] for part in parts])
        self._inner.fit(np.concatenate(features), member, ids)
        return self

    def score(self, target: Observations) -> Floats:
        """Score the target's examples, float64 [examples], higher = member.

        Raises:
            NotFittedError: ``fit`` comes first.
            ObservationError: other variants than those fitted on, more than one model, or an answer is missing.
        """
        self._inner.threshold  # noqa: B018  raises the contract's own error before ``fit``
        if len(target.models) != 1:
            raise ObservationError(f"One target at a time; these observations hold {list(target.models)}.")
        held = Held.of(target, self.access, self.name)
        if self._held is not None and set(held.variants) != set(self._held.variants):
            raise ObservationError(
                f"Attack {self.name!r} was fitted on {list(self._held.variants)}, but the target shows "
                f"{list(held.variants)}. Select the same variants."
            )
        everything = np.arange(len(target.examples))
        return self._inner.score(self._features(target, held, 0, everything), target.examples)

    @property
    def threshold(self) -> float:
        """The score from which an example is called a member."""
        return self._inner.threshold

    def _features(self, observations: Observations, held: Held, model: int, examples: Any) -> Floats:
        answers = observations.select(variants=held.variants).answers(self._answer)[model][:, examples]
        if np.isnan(answers).any():
            raise ObservationError(
                f"{observations.models[model]} was not asked for {self._answer} on some of these {len(examples)} "
                "examples. Observe it there, or leave them out of its calibration examples."
            )
        return np.concatenate([self._prepare(of_variant) for of_variant in answers], axis=1)


def observed(
    kind: Literal["lpla", "encodermi", "partcrop"],
    *,
    name: str,
    access: Access,
    known: Known,
    seed: int = 0,
    **options: Any,
) -> ObservedEncoderAttack:
    """Make the attack of one row of ``listing``.

    Args:
        kind: which family.
        name: the row's name.
        access: how many encoders the attacker holds.
        known: whose membership it is fitted on.
        seed: of the networks' weights and batches.
        options: of the family's own factory.
    """
    where: Literal["shadow", "partial-known"] = "shadow" if known == "shadows" else "partial-known"
    if kind == "lpla":
        attack = lpla(**options, access=where)
        return ObservedEncoderAttack(name, access, "embedding", attack, attack.features)
    if kind == "encodermi":
        attack = encodermi(**options, access=where, seed=seed)
        prepare = _sorted if options["variant"] == "v" else _same
        return ObservedEncoderAttack(name, access, "view_cosines", attack, prepare)
    attack = partcrop(**options, access=where, seed=seed)
    return ObservedEncoderAttack(name, access, "part_features", attack, _same)


def _sorted(cosines: Floats) -> Floats:
    return np.sort(cosines, axis=1)


def _same(features: Floats) -> Floats:
    return features
