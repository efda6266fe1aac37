"""An audit's summary as text: what leaks, what compression changes, and what to beware of; ``advice`` ends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...attacks.observations import ORIGINAL
from ...results.comparison.effects import Verdict
from ...results.records import Row
from ...results.table import significant
from .advice import advice, limits
from .attacked import SHADOWED_HEADLINE
from .formulas import HEADLINE
from .judgement import (
    ODD_LABELS,
    Judged,
    disagreeing,
    findings,
    headline,
    leaks,
    shifted,
    suspicious,
    swapped,
    turned,
    unlearnt,
)
from .words import laid_out

_GROUP = {True: "members", False: "non-members"}
_VERDICTS: dict[Verdict, str] = {
    "less": "{variant} leaks less than the original",
    "no more": "{variant} leaks no more than the original (at most {upper:+.3f} of AUC, margin {margin:g})",
    "more": "{variant} leaks more than the original",
    "undecided": "{variant}: undecided whether it leaks more (up to {upper:+.3f} of AUC, margin {margin:g})",
    "at chance": "{variant}: {attack} finds members neither in it nor in the original, so cannot tell which leaks more",
}


def summarise(judged: Judged, notes: Sequence[str], title: str) -> str:
    """The summary as plain text.

    Args:
        judged: the audit.
        notes: on how the outputs were read and the files run.
        title: the first line.
    """
    parts = [
        ("What leaks", [*_table(judged), "", *_verdict(judged)]),
        ("What compression changes", _changes(judged)),
        ("What could not be concluded", list(limits(judged))),
        ("Warnings and checks", [*warnings(judged), *notes]),
        ("What to do next", list(advice(judged))),
    ]
    return laid_out([title], parts)


def _holding(row: Row) -> str:
    """Which models an attack holds, in words."""
    held = [name.rpartition("/")[2] for name in row.setting.split(";")]
    if row.access == "original+compressed":
        return f"{ORIGINAL} and {row.setting}"
    if len(held) == 1:
        return row.setting
    return f"all {len(held)} models" if held[0] == ORIGINAL else f"the {len(held)} compressed models"


def _table(judged: Judged) -> Iterator[str]:
    rows = judged.rows
    found, differing = set(findings(rows)), significant(rows)
    wide = max(28, *(len(row.attack) for row in rows))
    yield f"  {'attack':<{wide + 2}} {'AUC (95 %)':>20}  {'vs orig.':>8}  {'TPR at 1 % FPR':>20}"
    held = ""
    for row in rows:
        if (now := _holding(row)) != held:
            held = now
            yield f"  {held}"
        area = f"{row.auc:.3f} ({row.auc_low:.3f}-{row.auc_high:.3f})" + ("*" if row in found else " ")
        gain = row.auc_minus_original
        versus = f"{gain:+.3f}" + ("*" if row in differing else " ") if isinstance(gain, float) else ""
        yield f"    {row.attack:<{wide}} {area:>20}  {versus:>8}  {_tpr(row, judged):>20}".rstrip()
    yield f"  * differs from 0.5, or from the original, after correction for all {len(rows)} rows"


def _tpr(row: Row, judged: Judged) -> str:
    value, low, high = row.tpr_at_1pct, row.tpr_at_1pct_low, row.tpr_at_1pct_high
    if not (isinstance(value, float) and isinstance(low, float) and isinstance(high, float)):
        return "n/a"
    return "no such point" if row in judged.pointless else f"{100 * value:.1f} % ({100 * low:.1f}-{100 * high:.1f})"


def _verdict(judged: Judged) -> Iterator[str]:
    rows, subject = judged.rows, judged.subject
    found = findings(rows)
    if not found:
        best = max(row.auc_high for row in headline(rows).values())
        yield (
            "Nothing was found: no attack tells members from non-members better than chance, after correction for "
            f"{len(rows)} rows. A leak of up to AUC {best:.3f} by {next(iter(headline(rows).values())).attack} cannot "
            "be excluded at this size: the interval reaches so far."
        )
        if judged.shared:
            yield "Some non-members may be members (see the warnings), and those hide a leak."
    elif shifted(judged.blind):
        yield (
            "Members and non-members differ before any model has seen them (see the warnings), so what the attacks "
            "find may be that difference and no leak."
        )
    for variant in subject.variants:
        own = [row for row in found if row.access == "one-model" and row.setting == variant]
        gap = f"accuracy {subject.accuracy(variant, member=True):.3f} on members, "
        gap += f"{subject.accuracy(variant, member=False):.3f} on non-members"
        if own:
            doubt = "; read the warnings before you believe it" if suspicious(subject, variant) else ""
            stated = (row for row in own if row.attack in (HEADLINE, SHADOWED_HEADLINE))
            fixed = next(stated, max(own, key=lambda row: abs(row.auc - 0.5)))
            side = "" if fixed.auc > 0.5 else " (below 0.5: with the sign turned it tells as much)"
            reach = f"{fixed.attack} reaches AUC {fixed.auc:.3f}{side}{_at_low(fixed, judged)}"
            yield f"{variant} tells who was a member: {reach}; {gap}{doubt}."
        else:
            yield f"{variant}: nothing found; {gap}."
    differing = significant(rows)
    for row in (row for row in found if row.access != "one-model" and row in differing):
        if leaks(row) == "more" and not any(disagreeing(subject, v) is not None for v in subject.variants):
            yield (
                f"Holding {_holding(row)} tells {row.auc_minus_original:+.3f} AUC more than {row.baseline}: keep old "
                "versions of the model out of reach."
            )


def _at_low(row: Row, judged: Judged) -> str:
    value, low = row.tpr_at_1pct, row.tpr_at_1pct_low
    if not (isinstance(value, float) and isinstance(low, float) and low > 0.01) or row in judged.pointless:
        return ""
    return f" and finds {100 * value:.1f} % of the members at 1 % false alarms, where guessing finds 1 %"


def _changes(judged: Judged) -> list[str]:
    subject = judged.subject
    if ORIGINAL not in subject.logits:
        return ["No original was given, so nothing can be said of what compression changed."]
    said = []
    for variant, row in headline(judged.rows).items():
        if variant not in judged.beside:
            continue
        if disagreeing(subject, variant) is not None:
            said.append(f"{variant}: which of the two leaks more cannot be told; see the warnings.")
            continue
        effect = judged.beside[variant]
        text = _VERDICTS[effect.verdict].format(
            variant=variant, attack=row.attack, upper=effect.upper, margin=judged.margin
        )
        if effect.verdict in ("less", "more") and leaks(row) != effect.verdict:
            text = f"{variant} differs, but one AUC lies below 0.5, and turned round it may tell as much"
        elif effect.verdict == "no more" and turned(row, judged.margin):
            text += "; but its AUC lies below 0.5, and turned round it may tell more"
        span = f"AUC {effect.difference:+.3f} ({effect.low:+.3f} to {effect.high:+.3f})"
        said.append(
            f"{text}: {span} by {row.attack}; accuracy {subject.accuracy(variant, member=False):.3f} against "
            f"{subject.accuracy(ORIGINAL, member=False):.3f}, same class for {subject.agreement(variant) or 0:.1%}."
        )
    return said


def warnings(judged: Judged) -> Iterator[str]:
    """What speaks against believing the audit, a sentence or two each; nothing where nothing does."""
    subject, blind = judged.subject, judged.blind
    if blind.interval is not None and blind.interval.low > 0.5:
        yield (
            f"DISTRIBUTION SHIFT: without the model, from the inputs alone, members are told from non-members with "
            f"AUC {blind.auc:.3f} ({blind.interval.low:.3f}-{blind.interval.high:.3f}). Draw both at random from one "
            "pool, prepare them in the same way, and audit again."
        )
    if blind.label_p < ODD_LABELS:
        yield (
            f"DISTRIBUTION SHIFT: the classes are not equally frequent among members and non-members (p = "
            f"{blind.label_p:.1g}). Classes that the model finds easier then pass for members."
        )
    if blind.shared:
        yield f"{blind.shared:,} examples are members and non-members at once. Take them out of the non-members."
    if judged.shared:
        yield (
            f"{judged.shared:,} of {subject.nonmembers:,} non-members have a member's label and, to the last bit, its "
            "outputs. Unless the model gives few different outputs (saturated, or rounded ones), they are the same "
            "examples: take them out of the non-members."
        )
    for variant in subject.variants:
        if (side := unlearnt(subject, variant)) is not None:
            yield (
                f"{variant} is right for {subject.accuracy(variant, member=side):.1%} of the {_GROUP[side]}, "
                f"hardly better than guessing among {subject.classes} classes, so this audit may be of a "
                "broken set-up. Are the inputs scaled and laid out as it was trained, and the labels its own?"
            )
        if (side := disagreeing(subject, variant)) is not None:
            yield (
                f"{variant} gives the original's class for only {subject.agreement(variant, member=side) or 0:.1%} of "
                f"the {_GROUP[side]}. Are the rows in the same order, and the inputs prepared as it wants them? Until "
                f"that is sure, nothing holds that {variant} has a part in."
            )
        elif (row := swapped(judged.rows, variant)) is not None:
            yield (
                f"{variant} is surer of the non-members than of the members ({row.attack}: AUC {row.auc:.3f}; accuracy "
                f"{subject.accuracy(variant, member=False):.3f} and {subject.accuracy(variant, member=True):.3f}). Are "
                "the two groups swapped?"
            )
