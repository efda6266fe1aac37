"""Attacks against the number of shadows, and what compressed models add to them: the question of a suite's curve.

Does an attacker who also holds compressed models gain more than calibrating each example on the original gains, or do
compressed models stand in for shadows, or for an original that is missing? ``QUESTIONS`` puts it as pairs of attacks,
fixed beforehand; both of a pair are told apart on the same examples, with the same shadows.

Over several targets a figure is their mean, and so is each end of its interval: too wide rather than too narrow,
however the targets are correlated. p-values are two-sided and adjusted (Holm) over all pairs of the run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from scipy import special

from .delong import PairedTest, delong_paired_test, holm
from .exact import tail
from .leaderboard import sort_rows
from .records import UNDEFINED, Cell, Row
from .scores import paired
from .store import Results

LEVEL = 0.95
ORIGINAL = "original"

QUESTIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "Calibrating each example, in place of learning from all, at equal access": (
        ("lira-online-fixed-var", "compleak-nr-train2-rf"),
        ("rmia-offline", "compleak-nr-train2-rf"),
        ("joint-online-nr", "compleak-nr-train2-rf"),
        ("joint-online-sr", "compleak-sr2-rf"),
        ("joint-online-mr", "compleak-mr"),
        ("joint-online-mr-no-original", "compleak-mr-no-original"),
    ),
    "Jointly calibrated, beside other attacks that calibrate each example": (
        ("joint-online-nr", "lira-online-fixed-var"),
        ("joint-online-nr", "rmia-offline"),
    ),
    "Compressed models beside the original, in place of the original alone": (
        ("compleak-sr2-rf", "compleak-nr-train2-rf"),
        ("compleak-mr", "compleak-nr-train2-rf"),
        ("joint-online-sr", "joint-online-nr"),
        ("joint-online-mr", "joint-online-nr"),
    ),
    "Compressed models in place of the original": (
        ("compleak-mr-no-original", "compleak-nr-train2-rf"),
        ("joint-online-mr-no-original", "joint-online-nr"),
        ("joint-online-nr", "joint-online-nr"),
        ("compleak-nr-train2-rf", "compleak-nr-train2-rf"),
    ),
}


@dataclass(frozen=True)
class Point:
    """One attack with one number of shadows.

    Attributes:
        attack: its name.
        holds: what the attacker holds, in words.
        shadows: how many it was fitted on.
        targets: how many figures are averaged.
        auc: mean AUC.
        low: mean of the lower ends of its interval.
        high: mean of the upper ends.
        tpr_at_1pct: mean TPR at FPR 1 %; ``n/a`` with too few non-members.
        tpr_at_01pct: the same at 0.1 %.
    """

    attack: str
    holds: str
    shadows: int
    targets: int
    auc: float
    low: float
    high: float
    tpr_at_1pct: Cell
    tpr_at_01pct: Cell


@dataclass(frozen=True)
class Contrast:
    """One attack less another, on the same examples with the same shadows.

    Attributes:
        question: a key of ``QUESTIONS``.
        attack: the first.
        holds: what its attacker holds.
        baseline: the second.
        baseline_holds: what that one's attacker holds: the same where the access is, else the original alone.
        shadows: how many both were fitted on.
        targets: how many differences are averaged.
        difference: mean difference of the AUC.
        low: mean of the lower ends of its interval (DeLong, paired).
        high: mean of the upper ends.
        p_holm: adjusted p-value of no difference.
    """

    question: str
    attack: str
    holds: str
    baseline: str
    baseline_holds: str
    shadows: int
    targets: int
    difference: float
    low: float
    high: float
    p_holm: float


def points(rows: Sequence[Row]) -> list[Point]:
    """Every attack, by what it holds and by shadows, in the leaderboard's order."""
    groups: dict[tuple[str, str, int], list[Row]] = defaultdict(list)
    for row in sort_rows(rows):
        groups[row.attack, holds(row), row.shadows].append(row)
    return [
        Point(
            attack,
            held,
            shadows,
            len(group),
            fmean(r.auc for r in group),
            fmean(r.auc_low for r in group),
            fmean(r.auc_high for r in group),
            _mean([r.tpr_at_1pct for r in group]),
            _mean([r.tpr_at_01pct for r in group]),
        )
        for (attack, held, shadows), group in groups.items()
    ]


def contrasts(results: Results) -> list[Contrast]:
    """Every pair of ``QUESTIONS`` that the results hold both sides of.

    Raises:
        ScoreError: scores are not kept, or were computed on different examples.
    """
    found = list(_contrasts(results))
    adjusted = holm([p for _, p in found])
    return [Contrast(*fields, p_holm=p) for (fields, _), p in zip(found, adjusted, strict=True)]


def holds(row: Row) -> str:
    """What the attacker of ``row`` holds, in words."""
    settings = [name for name in row.setting.split(";") if name != ORIGINAL]
    if row.framework == "none":
        return ORIGINAL
    if len(settings) > 1:
        compressed = f"{len(settings)} compressed, {row.framework}"
    else:
        compressed = f"{row.framework} {settings[0]}"
    return f"{ORIGINAL} and {compressed}" if row.holding in ("original+compressed", "multiple+original") else compressed


_Fields = tuple[str, str, str, str, str, int, int, float, float, float]


def _contrasts(results: Results) -> Iterator[tuple[_Fields, float]]:
    """The fields of each contrast but the last, and its unadjusted p-value."""
    rows = sort_rows(results.rows)
    place = {(r.attack, holds(r), r.shadows, r.target, r.target_seed, r.recipe_sha256): r for r in rows}
    for question, pairs in QUESTIONS.items():
        for attack, baseline in pairs:
            groups: dict[tuple[str, str, int], list[tuple[Row, Row]]] = defaultdict(list)
            for row in (r for r in rows if r.attack == attack and not (attack == baseline and holds(r) == ORIGINAL)):
                other = holds(row) if _same_access(place, attack, baseline) else ORIGINAL
                one = (baseline, other, row.shadows, row.target, row.target_seed, row.recipe_sha256)
                if one in place:
                    groups[holds(row), other, row.shadows].append((row, place[one]))
            for (held, other, shadows), matched in groups.items():
                tests = [_test(results, *both) for both in matched]
                difference, low, high = (
                    fmean(getattr(t, name) for t in tests) for name in ("difference", "low", "high")
                )
                half = difference - low if difference > 0 else high - difference
                z = difference / half * special.ndtri(1 - tail(LEVEL))
                fields = (question, attack, held, baseline, other, shadows, len(tests), difference, low, high)
                yield fields, tests[0].p_value if len(tests) == 1 else float(2 * special.ndtr(-abs(z)))


def _same_access(place: dict[tuple[str, str, int, str, int, str], Row], attack: str, baseline: str) -> bool:
    """Whether both attacks hold the same kind of models; an attack beside itself does not."""
    access = {key[0]: row.access for key, row in place.items()}
    return attack != baseline and access.get(attack) == access.get(baseline)


def _test(results: Results, row: Row, baseline: Row) -> PairedTest:
    before, after, member = paired(results.scores_of(baseline), results.scores_of(row))
    return delong_paired_test(after, before, member, LEVEL)


def _mean(cells: Sequence[Cell]) -> Cell:
    numbers = [c for c in cells if isinstance(c, float)]
    return fmean(numbers) if len(numbers) == len(cells) else UNDEFINED
