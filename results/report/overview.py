"""What was attacked, what came out, and how sure one can be, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ..metrics import resolution
from ..null_control import outside_together, summarise
from ..records import FPRS, Row
from .names import MULTIPLE, ORIGINAL, attack_name, held, signed


@dataclass(frozen=True)
class Overview:
    """Sentences for the head of the page.

    Attributes:
        attacked: what was attacked, and by what.
        found: what the rows say, counted.
        control: what the null control says.
        control_passed: None where there was no control.
        sure: how far the numbers carry, a sentence each.
    """

    attacked: str
    found: str
    control: str
    control_passed: bool | None
    sure: tuple[str, ...]


def overview(rows: Sequence[Row], null_rows: Sequence[Row], marked: frozenset[Row]) -> Overview:
    """Say what ``rows`` show.

    Args:
        rows: of the targets, at least one.
        null_rows: of the null control.
        marked: rows whose difference from the original is significant.
    """
    return Overview(
        attacked=_attacked(rows),
        found=_found(rows, marked),
        control=summarise(null_rows) if null_rows else _NO_CONTROL,
        control_passed=not outside_together(null_rows) if null_rows else None,
        sure=tuple(_sure(rows)),
    )


_NO_CONTROL = (
    "No null control was run, so nothing here shows that the attacks find only what training left behind, and not a "
    "difference between the two groups of examples."
)


def _attacked(rows: Sequence[Row]) -> str:
    targets = {(row.suite, row.data, row.model, row.target) for row in rows}
    settings = {(r.framework, r.setting) for r in rows if r.technique != MULTIPLE and r.setting != ORIGINAL}
    frameworks = sorted({name for name, _ in settings})
    attacks = {row.attack for row in rows}
    models, data = (sorted({getattr(row, name) for row in rows}) for name in ("model", "data"))
    members, others = (min(getattr(row, name) for row in rows) for name in ("n_members", "n_nonmembers"))
    compressed = f", compressed in {_count(len(settings), 'way')} for {_and(frameworks)}" if settings else ""
    return (
        f"{_and(models)}, trained on {_and(data)} ({_count(len(targets), 'target')}){compressed}. "
        f"{_count(len(attacks), 'attack')} had to tell {members:,} members, which a target was trained on, from "
        f"{others:,} non-members of the same pool: {_count(len(rows), 'row')}."
    )


def _found(rows: Sequence[Row], marked: frozenset[Row]) -> str:
    compared = [row for row in rows if isinstance(row.auc_minus_original, float)]
    if not compared:
        return "No row is compared with the original, so nothing can be said of what compression changes."
    more = [row for row in compared if row in marked and _difference(row) > 0]
    less = [row for row in compared if row in marked and _difference(row) < 0]
    undecided = len(compared) - len(more) - len(less)
    words = (
        f"Of {_count(len(compared), 'row')} compared with the same attack on the original alone, "
        f"{len(more):,} leak more and {len(less):,} leak less after Holm’s correction for all of them. "
    )
    if undecided:
        words += f"For the other {undecided:,} no difference is shown, which does not show that there is none. "
    for group, word in ((more, "increase"), (less, "decrease")):
        if group:
            most = max(group, key=lambda row: abs(_difference(row)))
            words += (
                f"The largest {word} is that of {attack_name(most.attack)} on {_variant(most)}: "
                f"{signed(_difference(most))} AUC. "
            )
    return words.strip()


def _sure(rows: Sequence[Row]) -> list[str]:
    half = median((row.auc_high - row.auc_low) / 2 for row in rows)
    targets = {(row.suite, row.data, row.model, row.target) for row in rows}
    others = min(row.n_nonmembers for row in rows)
    lines = [
        f"An AUC is known to about ±{half:.3f} (half of the median 95 % interval), a difference from the original "
        "usually better than that, for both are measured on the same examples."
    ]
    for name, fpr in (("1 %", FPRS["tpr_at_1pct"]), ("0.1 %", FPRS["tpr_at_0.1pct"])):
        seen = resolution(others, fpr)
        if seen == "undefined":
            lines.append(f"The TPR at {name} FPR is n/a: {others:,} non-members cannot show so low a rate.")
        elif seen == "noisy":
            lines.append(
                f"The TPR at {name} FPR is noisy: with {others:,} non-members it rests on at most "
                f"{_count(int(others * fpr + 1e-9), 'false positive')}."
            )
    if len({(row.suite, row.data, row.model) for row in rows}) == len(targets):
        lines.append(
            "There is one target. Intervals are over examples: they say how well this model’s leakage is known, not "
            "how much another training run of the same recipe would leak."
        )
    else:
        lines.append(
            f"There are {len(targets)} targets, each with its own rows; intervals are over the examples of one target."
        )
    return lines


def _difference(row: Row) -> float:
    return float(row.auc_minus_original) if isinstance(row.auc_minus_original, float) else 0.0


def _variant(row: Row) -> str:
    models = held(row)
    return f"{row.framework} {row.setting}" if len(models) == 1 else f"{len(models)} models together"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
