"""A plain answer: which is the smallest artifact that can be shipped, and what keeps smaller ones from it.

An artifact qualifies where both are *shown*, for every target:

accuracy    the loss is below the limit at the upper end of its interval
leakage     under each of the fixed attacks, the AUC exceeds the baseline's by less than the margin at the upper end of
            the paired interval, and at least one attack that is held against the same attack finds members of the
            artifact or of the baseline

Either kind of end holds jointly for all artifacts (``Cost.most_lost``, ``Effect.upper``), 97.5 % one-sided. As every
one of the attacks and targets must pass, they need no correction among themselves (intersection-union, Berger 1982).
What is neither shown nor refuted is undecided, with the examples that would decide it. An audit that warns of itself
gets no answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..records import ORIGINAL
from .compare import Comparison
from .costs import Cost, Size, shown_group
from .effects import Effect, Holding
from .margins import POWER, apart, examples_needed, examples_to_bound

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
        size: bytes; None where nobody knows.
        reasons: empty where it qualifies.
    """

    group: str
    size: float | None
    reasons: tuple[str, ...]

    @property
    def name(self) -> str:
        """The label for people."""
        return shown_group(self.group)


@dataclass(frozen=True)
class Answer:
    """What to ship, in view of one kind of attacker.

    Attributes:
        holds: what the attacker holds.
        chosen: the smallest artifact that qualifies; empty where none does, or where no size is known.
        text: the answer, a few sentences.
        passed_over: artifacts that do not qualify and are smaller, or of unknown size (all, where none is chosen),
            smallest first.
        unsized: artifacts that qualify and whose size is unknown.
    """

    holds: Holding
    chosen: str
    text: str
    passed_over: tuple[Candidate, ...]
    unsized: tuple[str, ...] = ()


def answers(comparison: Comparison, *, accuracy_loss: float = ACCURACY_LOSS, size: Size = "gzip") -> list[Answer]:
    """An answer for each kind of attacker that the comparison has attacks of.

    Args:
        comparison: by setting.
        accuracy_loss: the limit, a fraction.
        size: what "smallest" means.
    """
    return [_answer(comparison, holds, accuracy_loss, size) for holds in _QUESTIONS if comparison.attacks(holds)]


def _answer(comparison: Comparison, holds: Holding, limit: float, size: Size) -> Answer:
    who = _QUESTIONS[holds]
    if comparison.warnings:
        return Answer(holds, "", f"{who}: no answer. What the audit warns of must be mended first.", ())
    effects: dict[str, list[Effect]] = defaultdict(list)
    for effect in comparison.effects:
        if effect.holds == holds:
            effects[effect.group].append(effect)
    found = [e for own in effects.values() for e in own]
    if not any(e.evidence for e in found):
        return Answer(holds, "", f"{who}: no answer. {_blind(found, comparison.baseline)}", ())

    costs = {cost.group: cost for cost in comparison.costs if cost.group in effects}
    candidates = [
        Candidate(group, cost.size(size), tuple(_reasons(comparison, cost, effects[group], limit)))
        for group, cost in costs.items()
    ]
    candidates.sort(key=lambda c: (c.size is None, c.size or 0, c.group))
    chosen = next((c for c in candidates if c.size is not None and not c.reasons), None)
    unsized = [c.group for c in candidates if c.size is None and not c.reasons]
    told = {
        group: _figures(comparison, costs[group], effects[group], limit)
        for group in (*([chosen.group] if chosen else []), *unsized)
    }
    sentences = []
    lose, leak = f"< {_limit(limit)} of accuracy", f"no more than {_named(comparison.baseline)}"
    if chosen is not None and chosen.size is not None:
        share = _share(chosen.size, comparison.original, size)
        sentences.append(
            f"the smallest artifact that loses {lose} and leaks {leak} is {chosen.name} ({_kb(chosen.size, size)}"
            f"{share}; {told[chosen.group]})."
        )
    if unsized:
        if chosen is None:
            sentences.append("sizes are unknown, so no smallest can be named: give model files, not their outputs.")
        also = "Of unknown size, but shown" if chosen else "Shown"
        sentences.append(f"{also} to lose {lose} and to leak {leak}: {_listed(told, unsized)}.")
    if not sentences:
        sentences.append(f"no artifact is shown to be one that loses {lose} and leaks {leak}.")
    failed = (c for c in candidates if c.reasons)
    passed = [c for c in failed if chosen is None or c.size is None or c.size < (chosen.size or 0)]
    return Answer(holds, chosen.group if chosen else "", f"{who}: {' '.join(sentences)}", tuple(passed), tuple(unsized))


def _blind(effects: Sequence[Effect], baseline: str) -> str:
    """Why these effects cannot tell that anything leaks no more."""
    if fair := list(dict.fromkeys(e.attack for e in effects if not e.beside)):
        return (
            f"{_and(fair)} {'finds' if len(fair) == 1 else 'find'} no members in {_named(baseline)} or in any artifact "
            "(no AUC interval is above 0.5, corrected for the number of rows), so nothing tells which leaks more."
        )
    attacks, others = (
        list(dict.fromkeys(names)) for names in zip(*((e.attack, e.beside) for e in effects), strict=True)
    )
    return (
        f"{_and(attacks)} can only be held against another attack ({_and(others)}), which the attacker can make too: "
        "that shows no artifact to leak no more."
    )


def _reasons(comparison: Comparison, cost: Cost, effects: Sequence[Effect], limit: float) -> list[str]:
    reasons = []
    worst_target = " in the worst target" if comparison.targets > 1 else ""
    if cost.lost is None or cost.most_lost is None or cost.changed is None:
        reasons.append("its accuracy was not measured")
    elif cost.lost >= limit:
        reasons.append(f"loses {_points(cost.lost, limit)} of accuracy{worst_target}")
    elif cost.most_lost >= limit:
        needed = examples_to_bound(cost.changed, limit, comparison.level)
        reasons.append(
            f"accuracy undecided: {_change(-cost.lost, limit)}{worst_target}, but up to "
            f"{_points(cost.most_lost, limit)} may be lost ({_would_decide(needed, cost.nonmembers, 'non-members')})"
        )
    attacks = comparison.attacks(effects[0].holds)
    if missing := [attack for attack in attacks if attack not in {e.attack for e in effects}]:
        reasons.append(f"was not attacked by {_and(missing)}")
    if not any(e.evidence for e in effects):
        fair = list(dict.fromkeys(e.attack for e in effects if not e.beside))
        blind = f"{_and(fair)} {'finds' if len(fair) == 1 else 'find'} no members in it or in its baseline"
        reasons.append(f"leakage cannot be told: {blind if fair else 'it is held against another attack only'}")
    failed = [e for e in effects if e.upper >= comparison.margin]
    if more := [e for e in failed if e.verdict == "more"]:
        worst = max(more, key=lambda e: e.difference)
        reasons.append(f"leaks more: AUC {worst.difference:+.3f} under {_attack(worst)} (Holm's p {worst.p_holm:.2g})")
    elif failed:
        worst = max(failed, key=lambda e: e.upper)
        needed = examples_needed(worst.error, worst.examples, comparison.margin, comparison.level)
        reasons.append(
            f"leakage undecided: AUC {worst.difference:+.3f}, but up to "
            f"{apart(worst.upper, comparison.margin, 3, '+')}{worst_target} under {_attack(worst)} "
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


def _figures(comparison: Comparison, cost: Cost, effects: Sequence[Effect], limit: float) -> str:
    """What is known of an artifact that qualifies; of several targets, the worst."""
    of_worst = " of the worst target" if comparison.targets > 1 else ""
    upper = apart(max(e.upper for e in effects), comparison.margin, 3, "+")
    took = "" if cost.latency_ms is None else f"; {cost.latency_ms:.2f} ms"
    return (
        f"accuracy{of_worst} {_change(-(cost.lost or 0.0), limit)}, at most {_points(cost.most_lost or 0.0, limit)} "
        f"lost; AUC{of_worst} at most {upper}{took}"
    )


def _listed(told: Mapping[str, str], groups: Sequence[str]) -> str:
    return "; ".join(f"{shown_group(group)} ({told[group].replace('; ', ', ')})" for group in groups)


def _attack(effect: Effect) -> str:
    return effect.attack + (f", beside {effect.beside}" if effect.beside else "")


def _share(own: float, original: Cost | None, size: Size) -> str:
    whole = original.size(size) if original else None
    return f", {own / whole:.0%} of the original" if whole else ""


def _kb(size: float, kind: Size) -> str:
    return f"{size / 1000:,.1f} kB" + (" gzip" if kind == "gzip" else "")


def _limit(fraction: float) -> str:
    return f"{100 * fraction:g} point" + ("" if fraction == 0.01 else "s")


def _points(fraction: float, limit: float) -> str:
    number = apart(100 * fraction, 100 * limit, 1).removesuffix(".0")
    return f"{number} point" + ("" if number == "1" else "s")


def _change(gain: float, limit: float) -> str:
    if abs(gain) < 5e-4:
        return "unchanged"
    return f"{_points(abs(gain), limit)} {'higher' if gain > 0 else 'lower'}"


def _named(baseline: str) -> str:
    return f"the {baseline}" if baseline == ORIGINAL else baseline


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
