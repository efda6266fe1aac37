"""Attacks against the number of shadows, and what compressed models add to them: the question of a suite's curve.

Does an attacker who also holds compressed models gain more than calibrating each example on the original gains, or do
compressed models stand in for shadows, or for an original that is missing? ``QUESTIONS`` puts it as pairs of attacks,
fixed beforehand; both of a pair are told apart on the same examples, with the same shadows.

Over several targets a figure is their mean, and so is each end of its interval: too wide rather than too narrow,
however the targets are correlated. Targets of another suite, network, data set or recipe are another part, and nothing
is averaged over parts. p-values are two-sided and adjusted (Holm) over all pairs of the run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from .artifacts import UNKNOWN
from .delong import PairedTest, delong_paired_test, holm, mean_test
from .leaderboard import sort_rows
from .records import ORIGINAL, UNDEFINED, Cell, Row
from .scores import paired
from .store import Results

LEVEL = 0.95

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
        part: what it was made on; empty where all was made on the same.
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

    part: str
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
        part: what both were made on; empty where all was.
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

    part: str
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
    """Every attack of each part, by what it holds and by shadows, in the leaderboard's order."""
    found = []
    for part, own in _parts(rows).items():
        groups: dict[tuple[str, str, int], list[Row]] = defaultdict(list)
        for row in own:
            groups[row.attack, holds(row), row.shadows].append(row)
        found += [
            Point(
                part,
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
    return found


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
    known = row.framework != UNKNOWN
    if len(settings) > 1:
        compressed = f"{len(settings)} compressed" + (f", {row.framework}" if known else "")
    else:
        compressed = f"{row.framework} {settings[0]}" if known else settings[0]
    return f"{ORIGINAL} and {compressed}" if row.holding in ("original+compressed", "multiple+original") else compressed


_Fields = tuple[str, str, str, str, str, str, int, int, float, float, float]
_Place = tuple[str, str, int, str, int]
_PART = ("suite", "model", "data_sha256", "recipe_sha256")


def _parts(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each part, in the leaderboard's order, by as much of the part as differs: of one alone, nothing."""
    found: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in sort_rows(rows):
        found[tuple(getattr(row, name) for name in _PART)].append(row)
    varies = [len(set(values)) > 1 for values in zip(*found, strict=True)]
    return {
        ", ".join(_brief(*both) for *both, differs in zip(_PART, part, varies, strict=True) if differs): own
        for part, own in found.items()
    }


def _brief(name: str, value: str) -> str:
    return f"{name.removesuffix('_sha256')} {value[:8]}" if name.endswith("_sha256") else value


def _contrasts(results: Results) -> Iterator[tuple[_Fields, float]]:
    """The fields of each contrast but the last, and its unadjusted p-value."""
    for part, rows in _parts(results.rows).items():
        place = {(r.attack, holds(r), r.shadows, r.target, r.target_seed): r for r in rows}
        for question, pairs in QUESTIONS.items():
            for attack, baseline in pairs:
                for (held, other, shadows), matched in _matched(rows, place, attack, baseline).items():
                    mean = mean_test([_test(results, *both) for both in matched], LEVEL)
                    size = (shadows, len(matched), mean.difference, mean.low, mean.high)
                    yield (part, question, attack, held, baseline, other, *size), mean.p_value


def _matched(
    rows: Sequence[Row], place: Mapping[_Place, Row], attack: str, baseline: str
) -> dict[tuple[str, str, int], list[tuple[Row, Row]]]:
    """Rows of ``attack`` with those of ``baseline``, by what either's attacker holds and by shadows."""
    groups: dict[tuple[str, str, int], list[tuple[Row, Row]]] = defaultdict(list)
    same = _same_access(rows, attack, baseline)
    for row in rows:
        if row.attack != attack or (attack == baseline and holds(row) == ORIGINAL):
            continue
        other = holds(row) if same else ORIGINAL
        one = (baseline, other, row.shadows, row.target, row.target_seed)
        if one in place:
            groups[holds(row), other, row.shadows].append((row, place[one]))
    return groups


def _same_access(rows: Sequence[Row], attack: str, baseline: str) -> bool:
    """Whether both attacks hold the same kind of models; an attack beside itself does not."""
    access = {row.attack: row.access for row in rows}
    return attack != baseline and access.get(attack) == access.get(baseline)


def _test(results: Results, row: Row, baseline: Row) -> PairedTest:
    before, after, member, refits = paired(results.scores_of(baseline), results.scores_of(row))
    return delong_paired_test(after, before, member, LEVEL, refits)


def _mean(cells: Sequence[Cell]) -> Cell:
    numbers = [c for c in cells if isinstance(c, float)]
    return fmean(numbers) if len(numbers) == len(cells) else UNDEFINED
