"""Reference models: what the shadows answered on the very examples under attack, and who may stand in for a target.

Attacks that calibrate each example on its own (LiRA, RMIA, BASE, attack-R, joint...) differ only in a signal and in a
rule that compares the target's signal with the references'. ``ReferenceAttack`` is the estimator around such a pair.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .held import Held, NotFittedError
from .observations import ObservationError, Observations
from .protocol import Access
from .thresholds import best_threshold

Signal = Callable[[NDArray[np.float64], NDArray[np.int64]], NDArray[np.float64]]


class TooFewReferencesError(ValueError):
    """The shadows cannot answer what an attack asks of them."""


@dataclass(frozen=True)
class References:
    """One signal of many models.

    Attributes:
        values: [models, examples, variants].
        member: bool [models, examples].
        calibration: bool [models, examples], pairs on which a model may play the target.
        labels: int64 [examples].
        examples: ids, int64 [examples].
    """

    values: NDArray[np.float64]
    member: NDArray[np.bool_]
    calibration: NDArray[np.bool_]
    labels: NDArray[np.int64]
    examples: NDArray[np.int64]

    @classmethod
    def of(cls, shadows: Observations, signal: Signal, answer: str = "logits") -> Self:
        """Reduce one kind of answer to one signal, a model at a time (all at once would be float64 copies)."""
        return cls(
            values=np.stack(
                [read(signal, shadows.select(models=[m]).answers(answer)[0], shadows.labels) for m in shadows.models]
            ),
            member=shadows.member,
            calibration=np.asarray(shadows.data["calibration"].values, dtype=bool),
            labels=shadows.labels,
            examples=shadows.examples,
        )

    def at(self, columns: NDArray[np.integer]) -> Self:
        """The part at these example positions."""
        return replace(
            self,
            values=self.values[:, columns],
            member=self.member[:, columns],
            calibration=self.calibration[:, columns],
            labels=self.labels[columns],
            examples=self.examples[columns],
        )

    def on(self, examples: NDArray[np.int64]) -> Self:
        """The part with these example ids, in the order given.

        Raises:
            ObservationError: some of them were not put to the shadows.
        """
        order = np.argsort(self.examples)
        place = order[np.searchsorted(self.examples[order], examples).clip(max=len(order) - 1)]
        absent = self.examples[place] != examples
        if absent.any():
            raise ObservationError(
                f"{absent.sum()} of the target's {len(examples)} examples were not put to the shadow models, "
                f"the first of them id {examples[absent][0]}. Observe the shadows on the target's examples too."
            )
        return self.at(place)

    def models(self, chosen: NDArray[np.integer]) -> Self:
        """The part with these models."""
        return replace(
            self,
            values=self.values[chosen],
            member=self.member[chosen],
            calibration=self.calibration[chosen],
        )

    def held_out(self) -> Iterator[tuple[NDArray[np.float64], Self, NDArray[np.bool_]]]:
        """Each model in turn as the target of all others, its twin left out.

        Yields:
            The model's signals on its calibration examples [examples, variants], the references on these, and the
            answer [examples].
        """
        twin = twins(self.member)
        everyone = np.arange(len(self.values))
        for model in everyone:
            others = everyone[(everyone != model) & (everyone != twin[model])]
            columns = np.flatnonzero(self.calibration[model])
            if len(others) and len(columns):
                yield (
                    self.values[model, columns],
                    self.at(columns).models(others),
                    self.member[model, columns],
                )


def twins(member: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Index of each model's twin: the model trained on exactly the other examples; -1 where there is none.

    Where models are trained in complementary pairs, all pairs but the target's own contribute one IN shadow for every
    example. With the target's twin among the references, the number of IN shadows of an example would be one larger
    for every non-member: the answer. Examples that no model is trained on say nothing and are left aside. Ours.

    Args:
        member: bool [models, examples].

    Returns:
        int64 [models].
    """
    used = member[:, member.any(axis=0)]
    rows = {row.tobytes(): index for index, row in enumerate(np.packbits(used, axis=1))}
    complement = np.packbits(~used, axis=1)
    return np.asarray([rows.get(row.tobytes(), -1) if used.size else -1 for row in complement], dtype=np.int64)


def read(signal: Signal, answers: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """One signal of one model, [examples, variants], from its answers [variants, examples, ...]."""
    return np.stack([signal(of_variant, labels) for of_variant in answers], axis=-1)


Rule = Callable[[NDArray[np.float64], References], NDArray[np.float64]]
"""Scores [examples] from the target's signals [examples, variants] and the references on the same examples; NaN where
an example has too few references."""


@dataclass
class ReferenceAttack:
    """An attack estimator (``protocol.Attack``) made of a signal and of a rule learned from the references.

    Attributes:
        name: the row's name.
        signal: what is read off the answers.
        learn: makes the rule from all references (for most attacks, without looking at them).
        natural: the threshold where there are too few shadows to hold one out.
        access: how many models the attacker holds.
        queries: outputs of each model needed for an example.
        answer: which of the observations' answers the signal is read off.
    """

    name: str
    signal: Signal
    learn: Callable[[References], Rule]
    natural: float
    access: Access = "one-model"
    queries: int = 1
    answer: str = "logits"
    _references: References | None = field(default=None, init=False, repr=False)
    _held: Held | None = field(default=None, init=False, repr=False)
    _rule: Rule | None = field(default=None, init=False, repr=False)
    _threshold: float | None = field(default=None, init=False, repr=False)

    def fit(self, shadows: Observations) -> Self:
        """Learn the rule, and keep the shadows' signals to look them up on the target's examples.

        Raises:
            ObservationError: the variants are not those that ``access`` states.
            TooFewReferencesError: too few shadows to learn the rule from.
        """
        self._held = Held.of(shadows, self.access, self.name)
        self._references = References.of(shadows.select(variants=self._held.variants), self.signal, self.answer)
        self._rule = self.learn(self._references)
        self._threshold = None
        return self

    def score(self, target: Observations) -> NDArray[np.float64]:
        """Score the target's examples, [examples].

        Raises:
            ObservationError: other variants than those fitted on, or examples unknown to the shadows.
            TooFewReferencesError: an example has too few references.
        """
        held, references, rule = self._fitted()
        own = held.of_target(target, self.name)
        on_target = references.on(own.examples)
        scores = rule(read(self.signal, own.answers(self.answer)[0], own.labels), on_target)
        lacking = np.isnan(scores)
        if lacking.any():
            inside = on_target.member[:, lacking].sum(axis=0)
            raise TooFewReferencesError(
                f"{self.name}: {lacking.sum()} of {len(scores)} examples have too few reference models: "
                f"{inside.min()} to {inside.max()} of {len(on_target.member)} shadows are trained on them. "
                "Take more shadows, or, where shadows never see the target's examples (the disjoint design), "
                "the offline form of the attack or a suite of the pool design."
            )
        return scores

    @property
    def threshold(self) -> float:
        """Best balanced accuracy over the shadows, each attacked with the others less its twin as references.

        What the rule learned from all shadows at once (a prior, a tuned constant) is kept throughout. With too few
        shadows to hold one out, ``natural``, and a warning.
        """
        _, references, rule = self._fitted()
        if self._threshold is None:
            self._threshold = _calibrate(references, rule)
            if self._threshold is None:
                warnings.warn(
                    f"{self.name}: too few shadows to hold one out; its threshold is the natural {self.natural}.",
                    stacklevel=2,
                )
                self._threshold = self.natural
        return self._threshold

    def _fitted(self) -> tuple[Held, References, Rule]:
        if self._held is None or self._references is None or self._rule is None:
            raise NotFittedError(self.name)
        return self._held, self._references, self._rule


def held_out_scores(references: References, rule: Rule) -> list[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """Scores and answers of each shadow as a target of the others; examples and shadows without references left out."""
    results = []
    for values, others, member in references.held_out():
        try:
            scores = rule(values, others)
        except TooFewReferencesError:
            continue
        known = ~np.isnan(scores)
        if member[known].any() and not member[known].all():
            results.append((scores[known], member[known]))
    return results


def _calibrate(references: References, rule: Rule) -> float | None:
    results = held_out_scores(references, rule)
    if not results:
        return None
    scores, member = (np.concatenate(parts) for parts in zip(*results, strict=True))
    return best_threshold(scores, member)
