"""The examples' view: each attack with several models beside its baseline, and each example that anything exposes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..metrics import Bools, resolution
from ..records import FPRS, Row
from ..scores import Scores
from .columns import Column, number, table, text
from .exposure import ONE_MODEL, by_chance, pair, times_exposed
from .labels import Labels
from .names import attack_names, target_key, target_names, variant_names

PAIRS, LISTED = 240, 20_000  # comparisons and examples in a page
_LEVELS = {"1 %": FPRS["tpr_at_1pct"], "0.1 %": FPRS["tpr_at_0.1pct"]}
_SEVERAL, _ONE, _BOTH = "several models only", "one model only", "both"


@dataclass(frozen=True)
class Tally:
    """What attackers with several models expose on a target that no attacker with one model does.

    Attributes:
        target: the attacked model.
        fpr: false positive rate of each attack, as text.
        one_model: attacks and variants of attackers with one model.
        several: of attackers with several.
        members: members that only the latter expose.
        n_members: of so many.
        nonmembers: non-members of whom the same is true.
        n_nonmembers: of so many.
    """

    target: str
    fpr: str
    one_model: int
    several: int
    members: int
    n_members: int
    nonmembers: int
    n_nonmembers: int

    @property
    def expected(self) -> float:
        """Members expected by chance, see ``exposure.by_chance``."""
        return by_chance(self.nonmembers, self.n_members, self.n_nonmembers)


def pairs(rows: Sequence[Row], kept: Mapping[str, Scores], limit: int = PAIRS) -> dict[str, Any] | None:
    """A row for each attack with several models, and each FPR that its non-members can show; None without scores.

    Raises:
        ScoreError: see ``exposure.pair``.
    """
    names, attacks, targets = variant_names(rows), attack_names(rows), target_names(rows)
    able = [r for r in rows if r.holding != ONE_MODEL and {r.scores_sha256, r.baseline_sha256} <= kept.keys()]
    shown = [
        (row, level, pair(kept[row.baseline_sha256], kept[row.scores_sha256], fpr, resamples=row.resamples))
        for level, fpr in _LEVELS.items()
        for row in able[:limit]
        if resolution(row.n_nonmembers, fpr) != "undefined"
    ]
    if not shown:
        return None
    found = [p for _, _, p in shown]
    return table(
        [
            text("Held models", [names[r.framework, r.setting] for r, _, _ in shown]),
            *_targets([targets[target_key(r)] for r, _, _ in shown]),
            text("Attack", [attacks[r.attack, r.shadows] for r, _, _ in shown], filtered=True),
            text("FPR at most", [level for _, level, _ in shown], filtered=True),
            number("Members only so", [p.only_attack for p in found], "integer", help="members that only it exposes"),
            number(
                "By chance", [p.expected for p in found], "decimal",
                help="members × non-members of whom the same is true / non-members",
            ),
            number(
                "More than by chance", [p.excess for p in found], "change",
                low=[p.low for p in found], high=[p.high for p in found],
                help="with a 95 % bootstrap interval where ten or more false positives are allowed",
            ),
            number("Only alone", [p.only_baseline for p in found], "integer", help="members only its baseline exposes"),
            number("Both", [p.both for p in found], "integer", help="members that both expose"),
        ]
    )  # fmt: skip


def examples(
    rows: Sequence[Row], kept: Mapping[str, Scores], label: Labels
) -> tuple[dict[str, Any] | None, list[Tally]]:
    """A row for each example that any attack exposes at an FPR of at most 1 %, and the count behind it.

    Of each target those rows count that scored the most examples, the same ones: attackers who know half of them
    (``Row.partly_known``) score the other half, and cannot expose the rest.

    Args:
        rows: of the targets.
        kept: scores by their hash.
        label: class by the example's pool and id; may be empty.

    Raises:
        ScoreError: see ``metrics.checked``.
    """
    targets = target_names(rows)
    by_target: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.scores_sha256 in kept:
            by_target[targets[target_key(row)]].append(row)
    lines: list[dict[str, Any]] = []
    tallies: list[Tally] = []
    for target, found in by_target.items():
        like = max((kept[row.scores_sha256] for row in found), key=lambda scores: len(scores.example))
        own = [row for row in found if _same_examples(kept[row.scores_sha256], like)]
        groups = {kind: [r for r in own if _kind(r) == kind] for kind in ("NR", "SR", "MR")}
        others, known = int((~like.member).sum()), label.get(own[0].data_sha256, {})
        for level, fpr in _LEVELS.items():
            if groups["NR"] and len(groups["NR"]) < len(own) and resolution(others, fpr) != "undefined":
                counts = {kind: times_exposed(of_kind, kept, like, fpr) for kind, of_kind in groups.items()}
                several = (counts["SR"] + counts["MR"] > 0) & (counts["NR"] == 0)
                tallies.append(_tally(target, level, groups, several, like.member))
                if level == "1 %":
                    lines += _lines(target, counts, like, known)
    lines.sort(key=lambda line: (_order(line), -line["SR"] - line["MR"], -line["NR"], line["target"], line["example"]))
    return _examples_table(lines[:LISTED]), tallies


def _same_examples(one: Scores, other: Scores) -> bool:
    return np.array_equal(one.example, other.example) and np.array_equal(one.member, other.member)


def _kind(row: Row) -> str:
    return "NR" if row.holding == ONE_MODEL else "SR" if row.holding == "original+compressed" else "MR"


def _tally(target: str, level: str, groups: Mapping[str, Sequence[Row]], several: Bools, member: Bools) -> Tally:
    return Tally(
        target, level, len(groups["NR"]), len(groups["SR"]) + len(groups["MR"]),
        members=int((several & member).sum()), n_members=int(member.sum()),
        nonmembers=int((several & ~member).sum()), n_nonmembers=int((~member).sum()),
    )  # fmt: skip


def _lines(target: str, counts: Mapping[str, Any], like: Scores, label: Mapping[int, int]) -> list[dict[str, Any]]:
    anywhere = np.flatnonzero(sum(counts.values()))
    return [
        {
            "target": target, "example": int(like.example[i]), "member": bool(like.member[i]),
            "class": str(label.get(int(like.example[i]), "")),
            **{kind: int(count[i]) for kind, count in counts.items()},
        }
        for i in anywhere.tolist()
    ]  # fmt: skip


def _order(line: Mapping[str, Any]) -> tuple[bool, bool]:
    return not line["member"], line["NR"] > 0


def _seen_by(line: Mapping[str, Any]) -> str:
    if not line["NR"]:
        return _SEVERAL
    return _BOTH if line["SR"] or line["MR"] else _ONE


def _examples_table(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    if not lines:
        return None
    named = [line["class"] for line in lines]
    classes = [text("Class", named, filtered=True)] if any(named) else []
    return table(
        [
            number("Example", [line["example"] for line in lines], "plain", help="its id in the pool of examples"),
            *_targets([line["target"] for line in lines]),
            *classes,
            text("Truth", ["member" if line["member"] else "non-member" for line in lines], filtered=True),
            text("Exposed with", [_seen_by(line) for line in lines], filtered=True),
            *(number(f"{kind} rows", [line[kind] for line in lines], "integer") for kind in ("NR", "SR", "MR")),
        ]
    )


def _targets(names: Sequence[str]) -> list[Column]:
    return [text("Target", names, filtered=True)] if len(set(names)) > 1 else []
