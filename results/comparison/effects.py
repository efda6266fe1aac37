"""One attack beside the same attack on the baseline: by how much it leaks more, and how sure that is.

Over several targets (and, in a wider group, settings) a difference is their mean, see ``delong.mean_test``. All of it
is about these models; training anew would add variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

import numpy as np
from scipy import special

from ..delong import PairedTest, delong_paired_test, holm, mean_test
from ..exact import tail
from ..records import Row
from ..scores import Scores, paired
from .baselines import CompareError

Holding = Literal["artifact", "artifact and original", "several models"]
Verdict = Literal["less", "no more", "more", "undecided", "at chance"]

LEVEL = 0.95
_HOLDS: dict[str, Holding] = {
    "one-model": "artifact",
    "original+compressed": "artifact and original",
    "multiple": "several models",
    "multiple+original": "several models",
}


@dataclass(frozen=True)
class Effect:
    """One attack on one group, beside the baseline.

    Attributes:
        group: its label.
        holds: what the attacker holds.
        attack: its name.
        auc: mean over the pairs.
        auc_baseline: of the same attack on the baseline.
        difference: AUC less the baseline's.
        low: lower end of its interval at 95 %.
        high: upper end of that.
        p: two-sided, of no difference.
        upper: upper end of the interval that holds jointly for all groups (Bonferroni), in the worst pair.
        error: standard error behind ``upper``.
        tpr_at_1pct: mean; None where undefined.
        pairs: targets (times settings) averaged.
        examples: fewer of members and non-members, in the worst pair.
        sees: whether in every pair the attack finds members of the artifact or the baseline: an interval above 0.5,
            corrected (Bonferroni) for all rows and baselines of the comparison.
        p_holm: ``p`` corrected for all effects of the comparison.
        verdict: ``no more`` where ``upper`` is below the margin, ``less`` where the difference is significant too.
        beside: what it was compared with where that is another attack, in words. Such an effect is never ``less``:
            whoever can make this attack can make the other, too.
    """

    group: str
    holds: Holding
    attack: str
    auc: float
    auc_baseline: float
    difference: float
    low: float
    high: float
    p: float
    upper: float
    error: float
    tpr_at_1pct: float | None
    pairs: int
    examples: int
    sees: bool
    p_holm: float = 1.0
    verdict: Verdict = "undecided"
    beside: str = ""

    @property
    def evidence(self) -> bool:
        """Whether it can show that nothing more leaks: it finds members, and is held against the same attack."""
        return self.sees and not self.beside


def holding(row: Row) -> Holding:
    """What an attacker holds who makes this attack.

    Raises:
        CompareError: unknown access.
    """
    if row.holding not in _HOLDS:
        raise CompareError(f"{row.attack}: nobody knows what an attacker with access {row.access!r} holds.")
    return _HOLDS[row.holding]


@dataclass(frozen=True)
class Test:
    """One row beside its baseline.

    Attributes:
        row: of the artifact.
        usual: its AUC less the baseline's, at 95 %.
        upper: upper end of the joint interval, see ``Effect``.
        examples: fewer of members and non-members.
        sees: whether the attack finds members of either.
        beside: see ``Effect``.
    """

    row: Row
    usual: PairedTest
    upper: float
    examples: int
    sees: bool
    beside: str = ""


def paired_test(row: Row, base: Scores, own: Scores, sees: bool, level: float, beside: str = "") -> Test:
    """Test a row against its baseline.

    Args:
        row: of the artifact.
        base: scores of the same attack on the baseline.
        own: the row's scores.
        sees: whether the attack finds members of either.
        level: of the joint interval.
        beside: see ``Effect``.

    Raises:
        ScoreError: the scores are of different examples.
    """
    before, after, member, refits = paired(base, own)
    usual = delong_paired_test(after, before, member, LEVEL, refits)
    joint = usual if level == LEVEL else delong_paired_test(after, before, member, level, refits)
    examples = min(np.count_nonzero(member), np.count_nonzero(~member))
    return Test(row, usual, joint.high, int(examples), sees, beside)


def effect_of(group: str, holds: Holding, attack: str, tests: Sequence[Test], level: float) -> Effect:
    """The mean of ``tests``, not yet judged."""
    mean = mean_test([t.usual for t in tests], LEVEL)
    worst = max(tests, key=lambda t: t.upper)
    tprs = [t.row.tpr_at_1pct for t in tests]
    numbers = [x for x in tprs if isinstance(x, float)]
    return Effect(
        group=group,
        holds=holds,
        attack=attack,
        auc=fmean(t.row.auc for t in tests),
        auc_baseline=fmean(t.row.auc - t.usual.difference for t in tests),
        difference=mean.difference,
        low=mean.low,
        high=mean.high,
        p=mean.p_value,
        upper=worst.upper,
        error=float((worst.upper - worst.usual.difference) / special.ndtri(1 - tail(level))),
        tpr_at_1pct=fmean(numbers) if len(numbers) == len(tprs) else None,
        pairs=len(tests),
        examples=worst.examples,
        sees=all(t.sees for t in tests),
        beside=" or ".join(sorted({t.beside for t in tests} - {""})),
    )


def judged(effects: Sequence[Effect], margin: float) -> list[Effect]:
    """The effects with their p-values corrected for each other, and verdicts."""
    adjusted = holm([effect.p for effect in effects])
    return [replace(e, p_holm=p, verdict=_verdict(e, p, margin)) for e, p in zip(effects, adjusted, strict=True)]


def _verdict(effect: Effect, p_holm: float, margin: float) -> Verdict:
    significant = p_holm < 1 - LEVEL
    if not effect.sees:
        return "at chance"
    if effect.upper < margin:
        return "less" if significant and effect.difference < 0 and not effect.beside else "no more"
    return "more" if significant and effect.difference > 0 else "undecided"
