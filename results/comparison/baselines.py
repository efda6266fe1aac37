"""What a row is compared with: the same attack on the same target, with another model in the setting's place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..records import ORIGINAL, Row
from ..scores import Scores
from ..store import Results


class CompareError(ValueError):
    """A comparison that cannot be made; the message is for the user."""


@dataclass(frozen=True, eq=False)
class Baselines:
    """The baseline of each of ``rows``.

    Attributes:
        results: keeps the scores.
        rows: of one suite, data set and network.
        name: ``original``, a setting, or ``FRAMEWORK/SETTING``. A setting that several frameworks have is each one's
            own baseline, and the first one's for frameworks that lack it.
    """

    results: Results
    rows: Sequence[Row]
    name: str

    def is_baseline(self, row: Row) -> bool:
        """Whether ``row`` is of the baseline itself."""
        if self.name == ORIGINAL:
            return row.framework == "none"
        return (row.framework, row.setting) == self._place(row.framework)

    def of(self, row: Row) -> tuple[str, Scores] | None:
        """The scores to compare with, and their hash; None where there are none.

        Raises:
            CompareError: no row has such a baseline.
            ScoreError: they are not kept.
        """
        if self.is_baseline(row):
            return None
        if self.name == ORIGINAL:
            scores = self.results.baseline_of(row)
            return None if scores is None else (row.baseline_sha256, scores)
        other = self._index.get((*self._place(row.framework), *_circumstances(row)))
        return None if other is None else (other.scores_sha256, self.results.scores_of(other))

    def _place(self, framework: str) -> tuple[str, str]:
        return next((place for place in self._places if place[0] == framework), self._places[0])

    @cached_property
    def _places(self) -> list[tuple[str, str]]:
        framework, slash, setting = self.name.rpartition("/")
        single = dict.fromkeys((r.framework, r.setting) for r in self.rows if r.technique != "multiple")
        found = [place for place in single if place[1] == setting and (not slash or place[0] == framework)]
        if not found:
            names = [ORIGINAL, *(f"{f}/{s}" for f, s in single if f != "none")]
            raise CompareError(f"No row has the setting {self.name!r} to compare with. {choices(self.name, names)}")
        return found

    @cached_property
    def _index(self) -> dict[tuple[object, ...], Row]:
        return {(row.framework, row.setting, *_circumstances(row)): row for row in self.rows}


def other_attack(row: Row) -> str:
    """What ``row`` is compared with where that is another attack, in words; empty where it is the same attack."""
    attack, on, _ = row.baseline.partition(" on ")
    return row.baseline if on and " " not in attack and attack != row.attack else ""


def choices(given: str, allowed: Iterable[str]) -> str:
    """The nearest of the allowed names, and all of them."""
    names = sorted(allowed)
    near = difflib.get_close_matches(given, names, n=1, cutoff=0.4)
    return (f"Did you mean {near[0]!r}? " if near else "") + f"There are: {', '.join(names)}."


def _circumstances(row: Row) -> tuple[object, ...]:
    return row.model, row.attack, row.target, row.target_seed, row.shadows
