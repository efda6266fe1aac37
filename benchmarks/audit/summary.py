"""An audit's summary as text: what leaks, what compression changes, what cannot be said, what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from ...attacks.observations import ORIGINAL
from ...results.comparison.margins import most_lost
from ...results.metrics import resolution
from ...results.records import FPRS, Row
from .attacked import SHADOWED_HEADLINE
from .blind import Blind
from .formulas import HEADLINE
from .judgement import ODD_LABELS, changed, disagreeing, findings, headline, leaks, shifted, suspicious, unlearnt
from .subject import Subject

WIDTH = 100
HALF_WIDTH = 0.02
SMALL_LOSS = 0.01
_GAP = 0.05
_NO_FIGURE = 0.9
_GROUP = {True: "members", False: "non-members"}


def summarise(rows: Sequence[Row], subject: Subject, blind: Blind, notes: Sequence[str], title: str) -> str:
    """The summary as plain text.

    Args:
        rows: of the audit.
        subject: what was audited.
        blind: what can be told without the model.
        notes: on how the outputs were read and the files run.
        title: the first line.
    """
    parts = [
        ("What leaks", [*_table(rows), "", *_verdict(rows, subject, blind)]),
        ("What compression changes", _changes(rows, subject)),
        ("What could not be concluded", list(_limits(rows, subject, blind))),
        ("Warnings and checks", list(_warnings(subject, blind, notes))),
        ("What to do next", list(_advice(rows, subject, blind))),
    ]
    lines = [title]
    for heading, body in parts:
        if body:
            lines += ["", heading, *(line for text in body for line in _folded(text))]
    return "\n".join(lines) + "\n"


def _folded(text: str) -> list[str]:
    """A paragraph as an indented item; lines of the table, which begin with spaces, stay as they are."""
    if not text or text.startswith("  "):
        return [text]
    tied = text.replace(" %", "\N{NO-BREAK SPACE}%")
    lines = wrap(tied, WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def _holding(row: Row) -> str:
    """Which models an attack holds, in words."""
    held = [name.rpartition("/")[2] for name in row.setting.split(";")]
    if row.access == "original+compressed":
        return f"{ORIGINAL} and {row.setting}"
    if len(held) == 1:
        return row.setting
    return f"all {len(held)} models" if held[0] == ORIGINAL else f"the {len(held)} compressed models"


def _table(rows: Sequence[Row]) -> Iterator[str]:
    found, differing = set(findings(rows)), changed(rows)
    yield f"  {'attack':<30} {'AUC (95 %)':>20}  {'vs orig.':>8}  {'TPR at 1 % FPR':>20}"
    held = ""
    for row in rows:
        if (now := _holding(row)) != held:
            held = now
            yield f"  {held}"
        area = f"{row.auc:.3f} ({row.auc_low:.3f}-{row.auc_high:.3f})" + ("*" if row in found else " ")
        gain = row.auc_minus_original
        versus = f"{gain:+.3f}" + ("*" if row in differing else " ") if isinstance(gain, float) else ""
        yield f"    {row.attack:<28} {area:>20}  {versus:>8}  {_tpr(row):>20}".rstrip()
    yield f"  * differs from 0.5, or from the original, after correction for all {len(rows)} rows"


def _tpr(row: Row) -> str:
    value, low, high = row.tpr_at_1pct, row.tpr_at_1pct_low, row.tpr_at_1pct_high
    if not (isinstance(value, float) and isinstance(low, float) and isinstance(high, float)):
        return "n/a"
    # A label-only attack has no operating point there, and its interval is the whole range.
    return f"{100 * value:.1f} % ({100 * low:.1f}-{100 * high:.1f})" if high - low < _NO_FIGURE else "no such point"


def _verdict(rows: Sequence[Row], subject: Subject, blind: Blind) -> Iterator[str]:
    found = findings(rows)
    if not found:
        best = max(row.auc_high for row in headline(rows).values())
        yield (
            "Nothing was found: no attack tells members from non-members better than chance, after correction for "
            f"{len(rows)} rows. A leak of up to AUC {best:.3f} by {next(iter(headline(rows).values())).attack} cannot "
            "be excluded at this size: the interval reaches so far."
        )
    elif shifted(blind):
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
            fixed = next((row for row in own if row.attack in (HEADLINE, SHADOWED_HEADLINE)), own[0])
            side = "" if fixed.auc > 0.5 else " (below 0.5: with the sign turned it tells as much)"
            reach = f"{fixed.attack} reaches AUC {fixed.auc:.3f}{side}{_at_low(fixed)}"
            yield f"{variant} tells who was a member: {reach}; {gap}{doubt}."
        else:
            yield f"{variant}: nothing found; {gap}."
    differing = changed(rows)
    for row in (row for row in found if row.access != "one-model" and row in differing):
        if leaks(row) == "more" and not any(disagreeing(subject, v) is not None for v in subject.variants):
            yield (
                f"Holding {_holding(row)} tells {row.auc_minus_original:+.3f} AUC more than {row.baseline} "
                f"({row.attack}): keep old versions of the model out of reach."
            )


def _at_low(row: Row) -> str:
    value = row.tpr_at_1pct
    if not isinstance(value, float):
        return ""
    return f" and finds {100 * value:.1f} % of the members at 1 % false alarms, where guessing finds 1 %"


def _changes(rows: Sequence[Row], subject: Subject) -> list[str]:
    if ORIGINAL not in subject.logits:
        return ["No original was given, so nothing can be said of what compression changed."] if len(rows) else []
    said, differing = [], changed(rows)
    for variant, row in headline(rows).items():
        gain = row.auc_minus_original
        if not isinstance(gain, float):
            continue
        span = f"AUC {gain:+.3f} ({row.auc_minus_original_low:+.3f} to {row.auc_minus_original_high:+.3f})"
        direction = leaks(row)
        if disagreeing(subject, variant) is not None:
            said.append(f"{variant}: which of the two leaks more cannot be told; see the warnings.")
            continue
        if row not in differing:
            text = f"{variant}: no difference shown"
        elif direction:
            text = f"{variant} leaks {direction} than the original"
        else:
            text = f"{variant} differs, but one AUC lies below 0.5, and turned round it may tell as much"
        said.append(
            f"{text}, {span} by {row.attack}; accuracy {subject.accuracy(variant, member=False):.3f} against "
            f"{subject.accuracy(ORIGINAL, member=False):.3f}, same class for {subject.agreement(variant) or 0:.1%}."
        )
    return said


def _limits(rows: Sequence[Row], subject: Subject, blind: Blind) -> Iterator[str]:
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
            yield (
                f"{label}: rests on fewer than 10 false alarms among {subject.nonmembers:,} non-members, so its "
                f"intervals are wide ({100 * low:.1f} to {100 * high:.1f} % for {first.attack}); {round(10 / fpr):,} "
                "make it steady."
            )
    widest = max(headline(rows).values(), key=lambda row: row.auc_high - row.auc_low)
    half = (widest.auc_high - widest.auc_low) / 2
    if half > HALF_WIDTH:
        factor = (half / HALF_WIDTH) ** 2
        yield (
            f"AUC is known to ±{half:.3f}; ±{HALF_WIDTH:g} takes about {_rounded(factor * subject.members):,} members "
            f"and {_rounded(factor * subject.nonmembers):,} non-members."
        )
    if rows[0].shadows == 0:
        yield (
            "How much an attacker with shadow models gets: fixed formulas are the weakest attacks, so what they find "
            "is a lower bound. Balanced accuracy uses fixed thresholds, not calibrated ones."
        )
    if blind.auc is None:
        yield "Whether members and non-members look alike: only their labels were seen, not the inputs."
    yield "How much another training of the same model would leak: one model is one draw."


def _rounded(count: float) -> int:
    """Two significant digits, upwards."""
    digits = max(0, len(str(int(count))) - 2)
    unit: int = 10**digits
    return -(-int(count) // unit) * unit


def _warnings(subject: Subject, blind: Blind, notes: Sequence[str]) -> Iterator[str]:
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
                f"that is sure, nothing above holds that {variant} has a part in."
            )
    yield from notes


def _advice(rows: Sequence[Row], subject: Subject, blind: Blind) -> Iterator[str]:
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
        yield from _safer(rows, subject)
    if rows[0].shadows == 0:
        yield (
            "Train one or two models like this one on other data, dump their outputs, and add them with --shadow: "
            "then the attacks of the literature (NR, SR, MR) are run, calibrated."
        )
    if resolution(subject.nonmembers, 0.001) == "undefined":
        yield "Hold back more examples: TPR at 0.1 % FPR, the figure for the worst case, takes 1,000 non-members."
    if len(subject.logits) == 1:
        yield "Give the compressed (or the original) model too: then the two are compared on the same examples."


def _safer(rows: Sequence[Row], subject: Subject) -> Iterator[str]:
    """Advice on the least leaky variant that leaks significantly less and costs little, by the end of an interval."""
    if ORIGINAL not in subject.logits or suspicious(subject, ORIGINAL):
        return
    differing = changed(rows)
    able = []
    for variant, row in headline(rows).items():
        if row not in differing or leaks(row) != "less" or suspicious(subject, variant):
            continue
        lost = subject.accuracy(ORIGINAL, member=False) - subject.accuracy(variant, member=False)
        if lost < SMALL_LOSS:
            most = most_lost(lost, 1 - (subject.agreement(variant) or 0), subject.nonmembers)
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
