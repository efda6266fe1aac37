"""What an audit's summary says last: what could not be concluded, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator

from ...attacks.observations import ORIGINAL
from ...results.comparison.margins import most_lost
from ...results.metrics import resolution
from ...results.records import FPRS
from .judgement import Judged, findings, headline, leaks, shifted, suspicious
from .words import precision

SMALL_LOSS = 0.01
_LEVEL = 0.95
_GAP = 0.05


def limits(judged: Judged) -> Iterator[str]:
    """What so few examples, or outputs alone, cannot show, and how many examples it takes."""
    rows, subject = judged.rows, judged.subject
    for name, fpr in FPRS.items():
        able = resolution(subject.nonmembers, fpr)
        label = f"TPR at {100 * fpr:g} % FPR"
        if able == "undefined":
            yield (
                f"{label}: undefined with {subject.nonmembers:,} non-members; it takes {round(1 / fpr):,} to see one "
                f"false alarm, and {round(10 / fpr):,} for a steady figure."
            )
        elif able == "noisy":
            first = next(iter(headline(rows).values()))
            low, high = (getattr(first, f"{name}_{end}".replace("0.1", "01")) for end in ("low", "high"))
            wide = (
                f" ({100 * low:.1f} to {100 * high:.1f} % for {first.attack})" if first not in judged.pointless else ""
            )
            yield (
                f"{label}: rests on fewer than 10 false alarms among {subject.nonmembers:,} non-members, so its "
                f"intervals are wide{wide}; {round(10 / fpr):,} make it steady."
            )
    widest = max(headline(rows).values(), key=lambda row: row.auc_high - row.auc_low)
    yield from precision(widest, subject.members, subject.nonmembers)
    if rows[0].shadows == 0:
        yield (
            "How much an attacker with shadow models gets: fixed formulas are the weakest attacks, so what they find "
            "is a lower bound. Balanced accuracy uses fixed thresholds, not calibrated ones."
        )
    if judged.blind.auc is None:
        yield "Whether members and non-members look alike: only their labels were seen, not the inputs."
    yield "How much another training of the same model would leak: one model is one draw."


def advice(judged: Judged) -> Iterator[str]:
    """What would lower the leak, or make the audit say more."""
    rows, subject, blind = judged.rows, judged.subject, judged.blind
    found = findings(rows)
    if shifted(blind):
        yield "First of all mend the groups: members and non-members from one shuffled pool, in one format."
    if found and not shifted(blind):
        source = ORIGINAL if ORIGINAL in subject.logits else subject.variants[0]
        gap = subject.accuracy(source, member=True) - subject.accuracy(source, member=False)
        if gap > _GAP and not suspicious(subject, source):
            yield (
                f"{source} is {100 * gap:.0f} points better on its members: fewer epochs, augmentation, weight decay "
                "or more data lower that gap and with it the leak; training with differential privacy bounds it."
            )
        yield from _safer(judged)
    if rows[0].shadows == 0:
        yield (
            "Train one or two models like this one on other data, dump their outputs, and add them with --shadow: "
            "then the attacks of the literature (NR, SR, MR) are run, calibrated."
        )
    if resolution(subject.nonmembers, 0.001) == "undefined":
        yield "Hold back more examples: TPR at 0.1 % FPR, the figure for the worst case, takes 1,000 non-members."
    if len(subject.logits) == 1:
        yield "Give the compressed (or the original) model too: then the two are compared on the same examples."


def _safer(judged: Judged) -> Iterator[str]:
    """Advice on the least leaky variant that leaks significantly less and costs little.

    That it costs little is said by the end of an interval which holds for all variants at once (Bonferroni), because
    the best of several is chosen.
    """
    rows, subject = judged.rows, judged.subject
    if ORIGINAL not in subject.logits or suspicious(subject, ORIGINAL):
        return
    level = 1 - (1 - _LEVEL) / max(1, len(subject.compressed))
    able = []
    for variant, row in headline(rows).items():
        effect = judged.beside.get(variant)
        if effect is None or effect.verdict != "less" or leaks(row) != "less" or suspicious(subject, variant):
            continue
        lost = subject.accuracy(ORIGINAL, member=False) - subject.accuracy(variant, member=False)
        if lost < SMALL_LOSS:
            most = most_lost(lost, 1 - (subject.agreement(variant) or 0), subject.nonmembers, level)
            able.append((most >= SMALL_LOSS, row.auc, variant, lost, most))
    if not able:
        return
    unsure, _, variant, lost, most = min(able)
    if unsure:
        yield (
            f"{variant} leaks less than the original and loses about {100 * lost:.1f} points of accuracy, but so few "
            f"non-members do not exclude {100 * most:.1f}: measure its accuracy on more before you decide."
        )
    else:
        yield (
            f"Ship {variant} and not the original: it leaks less and loses less than {100 * SMALL_LOSS:.0f} point of "
            "accuracy."
        )
