"""Settings side by side: what each artifact costs, and what it leaks beside a baseline, paired on the same examples.

What an attacker holds decides what a setting leaks, so each kind of attacker is judged apart:

``artifact``                 the artifact alone (NR and calibrated attacks), against the baseline alone
``artifact and original``    both (SR), against the same attack given the original twice
``several models``           all artifacts together (MR), which is no property of one setting

The attacks are fixed beforehand (``ATTACKS``, or the user's), never chosen by their results. Leakage is the AUC: its
paired difference can be told at these sample sizes, which that of the TPR at a low FPR seldom can.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

import numpy as np

from ..artifacts import Artifact, artifact_of, judged_on, sizes
from ..delong import delong_interval
from ..leaderboard import sort_rows
from ..records import ORIGINAL, Row
from ..store import Results
from .baselines import Baselines, CompareError, choices, other_attack
from .costs import Cost, Size, cost
from .effects import LEVEL, Effect, Holding, Test, effect_of, holding, judged, paired_test
from .pareto import front

__all__ = ["ATTACKS", "CompareError", "Comparison", "Effect", "compare"]

By = Literal["setting", "technique", "framework"]

MARGIN = 0.01
ATTACKS: dict[Holding, tuple[str, ...]] = {
    "artifact": (
        *("compleak-nr-train2-rf", "compleak-nr-modified-entropy-global", "lira-online-fixed-var", "rmia-offline"),
        *("encodermi-v", "encodermi-t", "lpla-linf-gaussian-standardised", "partcrop-v2"),
        *("lm-loss", "lm-nr-rf", "lm-lira-offline-fixed-var", "lm-rmia-offline"),
    ),
    "artifact and original": (
        *("compleak-sr2-rf", "joint-online-sr", "encodermi-v-sr", "partcrop-v2-sr"),
        *("lm-reference-compressed", "lm-sr-rf"),
    ),
    "several models": (
        *("compleak-mr", "compleak-mr-no-original", "joint-online-mr"),
        *("encodermi-v-mr", "encodermi-v-mr-no-original", "partcrop-v2-mr"),
        *("lm-mr-lr", "lm-mr-no-original-lr"),
    ),
}


@dataclass(frozen=True)
class Comparison:
    """All groups of one suite, data set and network beside a baseline.

    Attributes:
        title: what is compared.
        by: what makes a group.
        baseline: setting that the leakage is compared with.
        margin: of the AUC, below which a setting leaks ``no more``.
        level: of the two-sided intervals whose upper ends are ``Effect.upper`` and ``Cost.most_lost``.
        original: the uncompressed model.
        costs: of the groups, in the leaderboard's order.
        effects: of the groups, in the same order.
        targets: how many.
        members: fewest of a target.
        nonmembers: fewest of a target.
        left_out: rows without anything to be compared with.
        differ: whether targets differ in their numbers of members or non-members.
        warnings: of an audit, see ``Results``.
    """

    title: str
    by: By
    baseline: str
    margin: float
    level: float
    original: Cost | None
    costs: tuple[Cost, ...]
    effects: tuple[Effect, ...]
    targets: int
    members: int
    nonmembers: int
    left_out: int = 0
    differ: bool = False
    warnings: tuple[str, ...] = ()

    def attacks(self, holds: Holding) -> tuple[str, ...]:
        """The attacks of one kind of attacker."""
        return tuple(dict.fromkeys(e.attack for e in self.effects if e.holds == holds))

    def front(self, size: Size = "gzip") -> frozenset[str]:
        """Groups on the Pareto front of leakage (``Cost.leakage``), size and accuracy, by their point estimates."""
        costs = (self.original, *self.costs) if self.original else self.costs
        known = {
            c.group: (c.leakage, c.size(size), -c.accuracy)
            for c in costs
            if c.leakage is not None and c.size(size) is not None and c.accuracy is not None
        }
        kept = front(np.array(list(known.values()), dtype=np.float64).reshape(-1, 3))
        return frozenset(group for group, keep in zip(known, kept, strict=True) if keep)


def compare(
    results: Results,
    *,
    by: By = "setting",
    baseline: str = ORIGINAL,
    attacks: Sequence[str] = (),
    margin: float = MARGIN,
) -> list[Comparison]:
    """Compare the groups of ``results`` with a baseline, apart for each suite, data set, network and recipe.

    Args:
        results: a run, or a published leaderboard with its scores.
        by: what makes a group.
        baseline: ``original``, a setting, or ``FRAMEWORK/SETTING``.
        attacks: instead of ``ATTACKS``.
        margin: see ``Comparison``; above 0.

    Raises:
        CompareError: no such baseline or attack, or nothing to compare.
        ScoreError: scores are not kept, or are of different examples.
    """
    if not margin > 0:
        raise CompareError(f"The margin must be above 0, for example 0.01; got {margin:g}.")
    known = {row.attack for row in results.rows}
    if strange := [attack for attack in attacks if attack not in known]:
        raise CompareError(f"{results.path} has no row of the attack {strange[0]!r}. {choices(strange[0], known)}")
    apart = ("suite", "data", "data_sha256", "model", "recipe_sha256")
    parts: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in sort_rows(results.rows):
        parts[tuple(getattr(row, name) for name in apart)].append(row)
    found = [_part(Baselines(results, rows, baseline), by, attacks, margin) for rows in parts.values()]
    if not any(comparison.effects for comparison in found):
        alone = all(row.framework == "none" for row in results.rows)
        why = " It has rows of uncompressed models only; compleak report shows them." if alone else ""
        raise CompareError(f"{results.path} has no row that could be compared with {baseline!r}.{why}")
    titles = [comparison.title for comparison in found]
    return [
        replace(c, title=f"{c.title}, recipe {rows[0].recipe_sha256[:8]}") if titles.count(c.title) > 1 else c
        for c, rows in zip(found, parts.values(), strict=True)
    ]


def _part(baselines: Baselines, by: By, attacks: Sequence[str], margin: float) -> Comparison:
    rows = baselines.rows
    shown = _shown(rows, attacks)
    pairs = [(row, found) for row in shown if (found := baselines.of(row)) is not None]
    single = {_label(row, by) for row, _ in pairs if holding(row) != "several models"}
    level = 1 - (1 - LEVEL) / max(1, len(single))

    tests: dict[tuple[str, Holding, str], list[Test]] = defaultdict(list)
    # Whether an attack sees anything is asked of every row and baseline, so of that many at once (Bonferroni).
    asked = 1 - (1 - LEVEL) / len({sha256 for row, (base, _) in pairs for sha256 in (base, row.scores_sha256)} or {""})
    sees: dict[str, bool] = {}
    for row, (sha256, base) in pairs:
        own = baselines.results.scores_of(row)
        for key, scores in ((sha256, base), (row.scores_sha256, own)):
            if key not in sees:
                sees[key] = delong_interval(scores.score, scores.member, asked).low > 0.5
        beside = other_attack(row) if baselines.name == ORIGINAL else ""
        test = paired_test(row, base, own, sees[sha256] or sees[row.scores_sha256], level, beside)
        tests[_label(row, by), holding(row), row.attack].append(test)
    effects = judged([effect_of(*key, own, level) for key, own in tests.items()], margin)
    costs = _costs(rows, shown, by, level)
    first, (members, nonmembers) = rows[0], sizes(rows)
    return Comparison(
        title=f"{first.suite}: {first.data}, {first.model}",
        by=by,
        baseline=baselines.name,
        margin=margin,
        level=level,
        original=costs.pop(ORIGINAL, None),
        costs=tuple(costs.values()),
        effects=tuple(effects),
        targets=len({row.target for row in rows}),
        members=members[0],
        nonmembers=nonmembers[0],
        left_out=sum(not baselines.is_baseline(row) for row in shown) - len(pairs),
        differ=len(members) > 1 or len(nonmembers) > 1,
        warnings=baselines.results.warnings,
    )


def _shown(rows: Sequence[Row], attacks: Sequence[str]) -> list[Row]:
    """Rows of the attacks that count: the user's, or the fixed ones, or all where a run has none of those.

    Where an attack was fitted on several numbers of shadows, on the most.
    """
    has: dict[Holding, set[str]] = defaultdict(set)
    most: dict[str, int] = defaultdict(int)
    for row in rows:
        has[holding(row)].add(row.attack)
        most[row.attack] = max(most[row.attack], row.shadows)
    chosen = {holds: set(attacks) or has[holds].intersection(ATTACKS[holds]) or has[holds] for holds in has}
    return [row for row in rows if row.attack in chosen[holding(row)] and row.shadows == most[row.attack]]


def _label(row: Row, by: By) -> str:
    if row.framework == "none":
        return ORIGINAL
    if by != "setting":
        return str(getattr(row, by))
    if row.technique != "multiple":
        return f"{row.framework} {row.setting}"
    return f"{row.framework} {sum(name != ORIGINAL for name in row.setting.split(';'))} together"


def _costs(rows: Sequence[Row], shown: Sequence[Row], by: By, level: float) -> dict[str, Cost]:
    artifacts: dict[str, dict[Artifact, Row]] = defaultdict(dict)
    for row in rows:
        if row.technique != "multiple":
            artifacts[_label(row, by)].setdefault(artifact_of(row), row)
    judged = judged_on(rows)
    aucs: dict[str, list[float]] = defaultdict(list)
    for row in shown:
        if holding(row) == "artifact":
            aucs[_label(row, by)].append(row.auc)
    return {
        group: replace(
            cost(group, list(found.values()), judged, level), leakage=fmean(aucs[group]) if aucs[group] else None
        )
        for group, found in artifacts.items()
    }
