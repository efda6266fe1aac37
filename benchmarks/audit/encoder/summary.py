"""The summary of an encoder's audit as text: what leaks, what cannot be said, what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ....results.metrics import resolution
from ....results.null_control import outside_together
from ....results.records import FPRS, Row
from ..blind import Blind
from ..words import laid_out, precision
from .images import Shape

_NO_FIGURE = 0.9


@dataclass(frozen=True, eq=False)
class Findings:
    """What a summary is written from.

    Attributes:
        name: of the encoder, in the rows.
        origin: where it came from.
        members: how many.
        nonmembers: how many.
        image: height, width and channels.
        rows: of the audit.
        headline: the one that stands for the encoder.
        fixed: the attack that was to stand for it, which may not have been made.
        blind: what can be told without the encoder.
        left_out: attacks that cannot be made on this encoder, and why.
        repeated: images that were taken out, as their group has them already.
    """

    name: str
    origin: str
    members: int
    nonmembers: int
    image: Shape
    rows: Sequence[Row]
    headline: Row
    fixed: str
    blind: Blind
    left_out: Mapping[str, str]
    repeated: int

    @property
    def shifted(self) -> bool:
        """Whether members and non-members differ without the encoder having a part in it."""
        return self.blind.interval is not None and self.blind.interval.low > 0.5


def summarise(found: Findings) -> str:
    """The summary as plain text."""
    size = "×".join(map(str, found.image[:2]))
    lines = [
        f"Audit of the encoder {found.name} ({found.origin}): {found.members:,} members, {found.nonmembers:,} "
        f"non-members of {size} pixels",
        f"The attacker knows who is a member in one half of them; {found.headline.n_members:,} members and "
        f"{found.headline.n_nonmembers:,} non-members, the other half, are attacked.",
    ]
    parts = [
        ("What leaks", [*_table(found.rows), "", *_verdict(found)]),
        ("What could not be concluded", list(_limits(found))),
        ("Warnings and checks", [*warnings(found), *_checks(found)]),
        ("What to do next", list(_advice(found))),
    ]
    return laid_out(lines, parts)


def _table(rows: Sequence[Row]) -> Iterator[str]:
    differing = outside_together(rows)
    yield f"  {'attack':<26} {'queries':>7}  {'AUC (95 %)':>20}   {'TPR at 1 % FPR':>20}"
    for row in rows:
        star = "*" if row in differing else " "
        yield f"  {row.attack:<26} {row.queries:>7,}  {_auc(row):>20}{star}  {_tpr(row):>20}"
    yield f"  queries are of the encoder, for each image; * differs from 0.5 after correction for all {len(rows)} rows"


def _auc(row: Row) -> str:
    return f"{row.auc:.3f} ({row.auc_low:.3f}-{row.auc_high:.3f})"


def _tpr(row: Row) -> str:
    value, low, high = row.tpr_at_1pct, row.tpr_at_1pct_low, row.tpr_at_1pct_high
    if not (isinstance(value, float) and isinstance(low, float) and isinstance(high, float)):
        return "n/a"
    return f"{100 * value:.1f} % ({100 * low:.1f}-{100 * high:.1f})" if high - low < _NO_FIGURE else "no such point"


def _verdict(found: Findings) -> Iterator[str]:
    stands, differing = found.headline, outside_together(found.rows)
    others = [row for row in differing if row is not stands]
    if stands.attack == found.fixed:
        yield f"{stands.attack} was fixed beforehand as the attack that stands for the encoder."
    else:
        yield f"{stands.attack} stands for the encoder: it is the first of the attacks, and {found.fixed} was not run."
    if not differing:
        yield (
            "Nothing was found: no attack tells members from non-members better than chance, after correction for "
            f"{len(found.rows)} rows. A leak of up to AUC {stands.auc_high:.3f} by {stands.attack} cannot be excluded "
            "at this size: its interval reaches so far."
        )
        if stands.auc_low > 0.5 and stands.attack == found.fixed:
            yield (
                f"A hint: {stands.attack}'s own interval, {_auc(stands)}, excludes 0.5. As it was fixed beforehand, it "
                "might stand uncorrected, and yet one in forty does so where nothing leaks. More images decide."
            )
        return
    if found.shifted:
        yield (
            "Members and non-members differ before the encoder has seen them (see the warnings), so what the attacks "
            "find may be that difference and no leak."
        )
    if stands in differing:
        yield f"{found.name} tells who was a member: {stands.attack} {_reaches(stands)}."
    else:
        yield f"{stands.attack} shows nothing: AUC {_auc(stands)}."
    if others:
        most = max(others, key=lambda row: abs(row.auc - 0.5))
        number = f"{len(others)} other attack{'s find' if len(others) > 1 else ' finds'} something"
        yield f"{number}; the one that differs most from chance, {most.attack}, {_reaches(most)}."


def _reaches(row: Row) -> str:
    side = "" if row.auc > 0.5 else " (below 0.5: with the sign turned it tells as much)"
    text = f"reaches AUC {_auc(row)}{side}"
    if row.auc > 0.5 and "%" in _tpr(row):
        text += f" and finds {_tpr(row)} of the members at 1 % false alarms, where guessing finds 1 %"
    return text


def _limits(found: Findings) -> Iterator[str]:
    stands = found.headline
    for fpr in FPRS.values():
        label, able = f"TPR at {100 * fpr:g} % FPR", resolution(stands.n_nonmembers, fpr)
        if able == "undefined":
            yield (
                f"{label}: undefined, as {stands.n_nonmembers:,} non-members were attacked. One false alarm takes "
                f"{round(1 / fpr):,}, that is {2 * round(1 / fpr):,} in all; a steady figure {20 * round(1 / fpr):,}."
            )
        elif able == "noisy":
            yield (
                f"{label}: rests on fewer than 10 false alarms among the {stands.n_nonmembers:,} non-members that were "
                f"attacked; {20 * round(1 / fpr):,} non-members in all make it steady."
            )
    yield from precision(stands, found.members, found.nonmembers)
    yield (
        "What somebody finds who knows no members: these attackers know half of them. Attackers with shadow encoders, "
        "of one's own training, are another matter, and the two are never compared."
    )
    yield (
        "Whether other views or crops tell more: EncoderMI's are best drawn as the encoder's own training drew them, "
        "and these are a guess, unless you stated them (--view-scale, --jitter)."
    )
    yield "How much another training of the same encoder would leak, or a compressed version: one encoder is one draw."


def warnings(found: Findings) -> Iterator[str]:
    """What speaks against believing the audit; nothing where nothing does."""
    if found.shifted:
        yield (
            f"DISTRIBUTION SHIFT: without the encoder, from the images alone, members are told from non-members "
            f"with {_told(found.blind)}. These attacks learn from members and non-members, and learn such a difference "
            "too. Draw both at random from one pool, prepare them in the same way, and audit again."
        )


def _checks(found: Findings) -> Iterator[str]:
    if told := "" if found.shifted else _told(found.blind):
        yield f"Without the encoder, from the images alone, nothing is told apart: {told} by a forest."
    if found.repeated:
        yield f"{found.repeated:,} images were in their group already, and were taken out."
    reasons: dict[str, list[str]] = {}
    for attack, reason in found.left_out.items():
        reasons.setdefault(reason, []).append(attack)
    for reason, attacks in reasons.items():
        yield f"Left out: {', '.join(attacks)}. {reason}"


def _told(blind: Blind) -> str:
    """By how much members are told without the encoder; empty where that was not asked."""
    if blind.interval is None or blind.auc is None:
        return ""
    return f"AUC {blind.auc:.3f} ({blind.interval.low:.3f}-{blind.interval.high:.3f})"


def _advice(found: Findings) -> Iterator[str]:
    differing = outside_together(found.rows)
    if found.shifted:
        yield "First of all mend the groups: members and non-members from one shuffled pool, in one format."
    if differing:
        yield (
            "Audit an encoder that was trained on neither group with the same images, as one of the same kind with "
            "random weights: what is found there, too, is the groups' difference and no leak."
        )
    if differing and not found.shifted:
        yield (
            "If it holds: fewer epochs, more training images, or differentially private training lower the leak; "
            "measure again, with the encoder's usefulness beside it."
        )
    if not differing:
        yield (
            "Give more images, if there are more: what was not found here may be found there. Encoders of millions of "
            "images seen a few hundred times show little in one image."
        )
