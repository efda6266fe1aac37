"""Settings side by side, and which of them to ship: ``compleak compare`` in the page's words."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..comparison.advice import Answer, answers
from ..comparison.baselines import CompareError
from ..comparison.compare import Comparison, compare
from ..comparison.costs import shown_group
from ..comparison.effects import Holding
from ..metrics import ScoreError
from ..store import Results
from .names import attack_name, signed

SHOWN = 40  # settings in the table; the leaderboard has all
_ALONE: Holding = "artifact"


@dataclass(frozen=True)
class Line:
    """A setting: its name, whether it is on the Pareto front, a cell for each attack, accuracy, size."""

    group: str
    on_front: bool
    leakage: tuple[tuple[str, str], ...]
    accuracy: str
    kilobytes: str


@dataclass(frozen=True)
class SideBySide:
    """A comparison for people.

    Attributes:
        title: suite, data and network.
        attacks: headings of ``Line.leakage``: the fixed attacks on the artifact alone.
        lines: the original first.
        left_out: settings that are not shown.
        answers: what to ship, for each kind of attacker.
    """

    title: str
    attacks: tuple[str, ...]
    lines: tuple[Line, ...]
    left_out: int
    answers: tuple[Answer, ...]


def side_by_side(results: Results) -> tuple[list[SideBySide], list[str]]:
    """Compare the settings of ``results``, of several each for itself.

    Returns:
        The comparisons, and the suites where there is none: scores for it are not kept, or nothing can be compared.
    """
    found: list[tuple[Comparison, str]] = []
    without: dict[str, None] = {}
    for one in results.among or (results,):
        try:
            found += [(comparison, one.path.name) for comparison in compare(one)]
        except (CompareError, ScoreError):
            without |= dict.fromkeys(row.suite for row in one.rows)
    titles = [comparison.title for comparison, _ in found]
    told = [_tell(replace(c, title=f"{c.title}, {name}") if titles.count(c.title) > 1 else c) for c, name in found]
    return told, list(without)


def _tell(comparison: Comparison) -> SideBySide:
    attacks, front = comparison.attacks(_ALONE), comparison.front()
    effects = {(e.group, e.attack): e for e in comparison.effects if e.holds == _ALONE}
    original = {e.attack: f"{e.auc_baseline:.3f}" for e in effects.values()}
    costs = (*((comparison.original,) if comparison.original else ()), *comparison.costs[:SHOWN])
    lines = []
    for cost in costs:
        cells = []
        for attack in attacks:
            effect = effects.get((cost.group, attack))
            if effect is not None:
                change = f"{signed(effect.difference)} ({signed(effect.low)} to {signed(effect.high)})"
                cells.append((f"{effect.auc:.3f}", change))
            else:
                cells.append((original.get(attack, "") if cost is comparison.original else "", ""))
        lines.append(
            Line(
                shown_group(cost.group), cost.group in front, tuple(cells),
                "" if cost.accuracy is None else f"{cost.accuracy:.3f}",
                "" if cost.bytes_gzip is None else f"{cost.bytes_gzip / 1000:,.0f}",
            )
        )  # fmt: skip
    return SideBySide(
        comparison.title, tuple(map(attack_name, attacks)), tuple(lines),
        max(0, len(comparison.costs) - SHOWN), tuple(answers(comparison)),
    )  # fmt: skip
