"""A plain answer: which is the smallest artifact that can be shipped, and what keeps smaller ones from it.

An artifact qualifies where both are *shown*, for every target:

accuracy    the loss is below the limit at the upper end of its interval
leakage     under each of the fixed attacks, the AUC exceeds the baseline's by less than the margin at the upper end of
            the paired interval, and at least one attack finds members of the artifact or of the baseline

Either kind of end holds jointly for all artifacts (``Cost.most_lost``, ``Effect.upper``), 97.5 % one-sided. As every
one of the attacks and targets must pass, they need no correction among themselves (intersection-union, Berger 1982).
What is neither shown nor refuted is undecided, with the examples that would decide it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ..records import ORIGINAL
from .compare import Comparison
from .costs import Cost, Size
from .effects import Effect, Holding
from .margins import POWER, examples_needed, examples_to_bound

ACCURACY_LOSS = 0.01
_QUESTIONS: dict[Holding, str] = {
    "artifact": "An attacker who holds the artifact alone",
    "artifact and original": "An attacker who holds the original too",
}


@dataclass(frozen=True)
class Candidate:
    """One artifact, and what keeps it from being the answer.

    Attributes:
        group: its label.
        size: bytes.
        reasons: empty where it qualifies.
    """

    group: str
    size: float
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What to ship, in view of one kind of attacker.

    Attributes:
        holds: what the attacker holds.
        chosen: the artifact; empty where none qualifies.
        text: the answer, one or two sentences.
        passed_over: smaller artifacts (all, where none qualifies), smallest first.
    """

    holds: Holding
    chosen: str
    text: str
    passed_over: tuple[Candidate, ...]


def answers(comparison: Comparison, *, accuracy_loss: float = ACCURACY_LOSS, size: Size = "gzip") -> list[Answer]:
    """An answer for each kind of attacker that the comparison has attacks of.

    Args:
        comparison: by setting.
        accuracy_loss: the limit, a fraction.
        size: what "smallest" means.
    """
    return [_answer(comparison, holds, accuracy_loss, size) for holds in _QUESTIONS if comparison.attacks(holds)]


def _answer(comparison: Comparison, holds: Holding, limit: float, size: Size) -> Answer:
    who, baseline = _QUESTIONS[holds], comparison.baseline
    attacks = comparison.attacks(holds)
    effects: dict[str, list[Effect]] = defaultdict(list)
    for effect in comparison.effects:
        if effect.holds == holds:
            effects[effect.group].append(effect)
    wanted = f"loses < {_points(limit)} of accuracy and leaks no more than {_named(baseline)}"
    if not any(e.sees for own in effects.values() for e in own):
        text = (
            f"{who}: no answer. {', '.join(attacks)} find no members in {_named(baseline)} or in any artifact (their "
            "AUC intervals hold 0.5, corrected for the number of rows), so they cannot tell which leaks more."
        )
        return Answer(holds, "", text, ())
    costs = {cost.group: cost for cost in comparison.costs if cost.group in effects}
    candidates = [
        Candidate(group, bytes_, tuple(_reasons(comparison, cost, effects[group], attacks, limit)))
        for group, cost in costs.items()
        if (bytes_ := cost.size(size)) is not None
    ]
    candidates.sort(key=lambda c: (c.size, c.group))
    chosen = next((c for c in candidates if not c.reasons), None)
    if chosen is None:
        return Answer(holds, "", f"{who}: no artifact is shown to be one that {wanted}.", tuple(candidates))
    cost = costs[chosen.group]
    text = (
        f"{who}: the smallest artifact that {wanted} is {chosen.group} ({_kb(chosen.size, size)}"
        f"{_share(cost, comparison.original, size)}; accuracy {_change(-(cost.lost or 0.0))}, at most "
        f"{_points(cost.most_lost or 0.0)} lost; AUC at most {max(e.upper for e in effects[chosen.group]):+.3f})."
    )
    return Answer(holds, chosen.group, text, tuple(c for c in candidates if c.size < chosen.size))


def _reasons(
    comparison: Comparison, cost: Cost, effects: Sequence[Effect], attacks: Sequence[str], limit: float
) -> list[str]:
    reasons = []
    if cost.lost is None or cost.most_lost is None or cost.changed is None:
        reasons.append("its accuracy was not measured")
    elif cost.lost >= limit:
        reasons.append(f"loses {_points(cost.lost)} of accuracy")
    elif cost.most_lost >= limit:
        needed = examples_to_bound(cost.changed, limit, comparison.level)
        reasons.append(
            f"accuracy undecided: {_change(-cost.lost)}, but up to {_points(cost.most_lost)} may be lost "
            f"({_would_decide(needed, cost.nonmembers, 'non-members')})"
        )
    if missing := [attack for attack in attacks if attack not in {e.attack for e in effects}]:
        reasons.append(f"was not attacked by {', '.join(missing)}")
    if not any(e.sees for e in effects):
        reasons.append(f"leakage cannot be told: {', '.join(attacks)} find no members in it or in its baseline")
    failed = [e for e in effects if e.upper >= comparison.margin]
    if more := [e for e in failed if e.verdict == "more"]:
        worst = max(more, key=lambda e: e.difference)
        reasons.append(f"leaks more: AUC {worst.difference:+.3f} under {worst.attack} (Holm's p {worst.p_holm:.2g})")
    elif failed:
        worst = max(failed, key=lambda e: e.upper)
        needed = examples_needed(worst.error, worst.examples, comparison.margin, comparison.level)
        reasons.append(
            f"leakage undecided: AUC {worst.difference:+.3f}, but up to {worst.upper:+.3f} under {worst.attack} "
            f"({_would_decide(needed, worst.examples, 'members and as many non-members')})"
        )
    return reasons


def _would_decide(needed: int, had: int, of: str) -> str:
    """Round up to two digits: it is an estimate."""
    digits = 10 ** max(0, len(str(needed)) - 2)
    about = -(-needed // digits) * digits
    if about <= had:
        return "the estimate itself is near the limit, so that more examples may refute it"
    return f"about {about:,} {of} instead of {had:,} would show a true zero in {POWER:.0%} of cases"


def _share(cost: Cost, original: Cost | None, size: Size) -> str:
    whole = original.size(size) if original else None
    own = cost.size(size)
    return f", {own / whole:.0%} of the original" if whole and own is not None else ""


def _kb(size: float, kind: Size) -> str:
    return f"{size / 1000:,.1f} kB" + (" gzip" if kind == "gzip" else "")


def _points(fraction: float) -> str:
    number = f"{100 * fraction:.1f}".removesuffix(".0")
    return f"{number} point" + ("" if number == "1" else "s")


def _change(gain: float) -> str:
    if abs(gain) < 5e-4:
        return "unchanged"
    return f"{_points(abs(gain))} {'higher' if gain > 0 else 'lower'}"


def _named(baseline: str) -> str:
    return f"the {baseline}" if baseline == ORIGINAL else baseline
