"""What an audit's rows mean: which differ from chance or from the original, and which outputs look misplaced.

The one attack that stands for a model is fixed beforehand, and findings are corrected for the number of rows: whoever
looks at the strongest of many attacks finds something in everything.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...attacks.observations import ORIGINAL
from ...results.intervals import holm
from ...results.null_control import outside_together
from ...results.records import Row
from .attacked import SHADOWED_HEADLINE
from .blind import Blind
from .formulas import HEADLINE
from .subject import Subject

ODD_LABELS = 0.01
_ALPHA = 0.05
_LEARNT = 0.15
_AGREEING = 0.4


def headline(rows: Sequence[Row]) -> dict[str, Row]:
    """By variant, the row of the attack that stands for it."""
    return {row.setting: row for row in rows if row.attack in (HEADLINE, SHADOWED_HEADLINE)}


def findings(rows: Sequence[Row]) -> list[Row]:
    """Rows whose AUC differs from 0.5 after correction for the number of rows."""
    return outside_together(rows)


def changed(rows: Sequence[Row]) -> frozenset[Row]:
    """Rows that differ from their baseline after Holm's correction for all differences, where one of the two leaks.

    Two attacks at chance say nothing of which model leaks more.
    """
    tested = [(row, p) for row in rows if isinstance(p := row.auc_minus_original_p, float)]
    leaking = {row.attack for row in rows if row.setting == ORIGINAL and row.auc_low > 0.5}
    adjusted = holm([p for _, p in tested])
    return frozenset(
        row
        for (row, _), p in zip(tested, adjusted, strict=True)
        if p < _ALPHA and (row.auc_low > 0.5 or row.attack in leaking)
    )


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
