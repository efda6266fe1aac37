"""What an audit's rows mean: which differ from chance or from the original, and which outputs look misplaced.

The one attack that stands for a model is fixed beforehand, and findings are corrected for the number of rows: whoever
looks at the strongest of many attacks finds something in everything. Whether a compressed model leaks more or less than
its original is said by the verdict of ``compleak compare``, at its margin, as a reader of the same folder will find it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from ...attacks.observations import ORIGINAL
from ...results.comparison.compare import compare
from ...results.comparison.effects import Effect
from ...results.null_control import outside_together
from ...results.records import Row
from ...results.scores import Scores
from ...results.store import Results
from .attacked import SHADOWED_HEADLINE
from .blind import Blind
from .formulas import HEADLINE
from .subject import Subject

ODD_LABELS = 0.01
_LEARNT = 0.15
_AGREEING = 0.4


@dataclass(frozen=True, eq=False)
class Judged:
    """What a summary is written from.

    Attributes:
        rows: of the audit.
        subject: what was audited.
        blind: what can be told without the model.
        beside: by compressed variant, what ``compleak compare`` says of its headline attack.
        margin: of the AUC, that ``beside`` was judged at.
        pointless: rows whose scores have no threshold with 1 % false alarms, but to call nobody a member.
        shared: non-members with a member's outputs and label; 0 where the inputs say that they are others.
    """

    rows: Sequence[Row]
    subject: Subject
    blind: Blind
    beside: Mapping[str, Effect]
    margin: float
    pointless: frozenset[Row]
    shared: int


@dataclass(frozen=True, eq=False)
class _Unwritten(Results):
    """Results whose scores are in memory."""

    held: Mapping[str, Scores] = field(default_factory=dict)

    @cached_property
    def scores(self) -> Mapping[str, Scores]:
        return self.held


def judge(rows: Sequence[Row], scores: Mapping[str, Scores], subject: Subject, blind: Blind, shared: int = 0) -> Judged:
    """Judge an audit.

    Args:
        rows: of the audit.
        scores: that they were computed from, by their hash.
        subject: what was audited.
        blind: what can be told without the model.
        shared: non-members with a member's outputs and label.
    """
    pointless = frozenset(row for row in rows if not _has_point(scores[row.scores_sha256]))
    if ORIGINAL not in subject.logits or not subject.compressed:
        return Judged(rows, subject, blind, {}, 0.0, pointless, shared)
    (compared,) = compare(_Unwritten(Path("audit"), tuple(rows), held=scores))
    stand = {row.attack for row in headline(rows).values()}
    # A group is called FRAMEWORK SETTING, and neither has a space in it.
    beside = {
        effect.group.rpartition(" ")[2]: effect
        for effect in compared.effects
        if effect.holds == "artifact" and effect.attack in stand
    }
    return Judged(rows, subject, blind, beside, compared.margin, pointless, shared)


def _has_point(scores: Scores, fpr: float = 0.01) -> bool:
    """Whether some threshold calls anybody a member and still at most this share of the non-members."""
    return bool(np.mean(scores.score[~scores.member] == scores.score.max()) <= fpr)


def headline(rows: Sequence[Row]) -> dict[str, Row]:
    """By variant, the row of the attack that stands for it."""
    return {row.setting: row for row in rows if row.attack in (HEADLINE, SHADOWED_HEADLINE)}


def findings(rows: Sequence[Row]) -> list[Row]:
    """Rows whose AUC differs from 0.5 after correction for the number of rows."""
    return outside_together(rows)


def shifted(blind: Blind) -> bool:
    """Whether members and non-members differ without any model having a part in it."""
    by_inputs = blind.interval is not None and blind.interval.low > 0.5
    return by_inputs or blind.label_p < ODD_LABELS or bool(blind.shared)


def leaks(row: Row) -> str:
    """Whether a row that differs from its baseline tells ``more`` or ``less``; empty where neither is sure.

    An AUC as far below 0.5 tells as much with the sign turned, so a lower one is less only if even its interval, turned
    round, stays below the baseline; and a higher one is more only if it exceeds the baseline turned round (ours).
    """
    gain = row.auc_minus_original
    if not isinstance(gain, float):
        return ""
    baseline = row.auc - gain
    if gain > 0 and row.auc > 0.5 and (baseline >= 0.5 or 1 - baseline < row.auc_low):
        return "more"
    if gain < 0 and baseline > 0.5 and (row.auc >= 0.5 or 1 - row.auc_low < baseline):
        return "less"
    return ""


def turned(row: Row, margin: float) -> bool:
    """Whether an AUC below 0.5 may tell more than its baseline with the sign turned, by more than the margin."""
    gain = row.auc_minus_original
    return isinstance(gain, float) and row.auc < 0.5 and 1 - row.auc_low > row.auc - gain + margin


def swapped(rows: Sequence[Row], variant: str) -> Row | None:
    """The row of ``headline`` that finds a variant surer of the non-members than of the members; None if not."""
    row = headline(rows).get(variant)
    return row if row in findings(rows) and row is not None and row.auc < 0.5 else None


def suspicious(subject: Subject, variant: str) -> bool:
    """Whether a variant's outputs on either group look misplaced, so that no advice may rest on them."""
    return unlearnt(subject, variant) is not None or disagreeing(subject, variant) is not None


def unlearnt(subject: Subject, variant: str) -> bool | None:
    """The group on which a variant hardly beats guessing, True for the members; None if there is none."""
    worse = min((True, False), key=lambda side: subject.accuracy(variant, member=side))
    chance = 1 / subject.classes
    return worse if subject.accuracy(variant, member=worse) < chance + _LEARNT * (1 - chance) else None


def disagreeing(subject: Subject, variant: str) -> bool | None:
    """The group, True for the members, whose classes are hardly more the original's than by chance; None if none."""
    if ORIGINAL not in subject.logits:
        return None
    worse = min((True, False), key=lambda side: subject.agreement(variant, member=side) or 0)
    agreement = subject.agreement(variant, member=worse) or 0
    chance = 1 / subject.classes
    return worse if agreement < max(0.5, chance + _AGREEING * (1 - chance)) else None
