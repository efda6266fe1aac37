"""What was attacked, what came out, and how sure one can be, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from ..artifacts import UNKNOWN, sizes
from ..comparison.baselines import other_attack
from ..metrics import resolution
from ..null_control import outside_together, summarise
from ..records import FPRS, ORIGINAL, Row
from ..store import Results, changed_since_published
from .names import MULTIPLE, attack_name, held, signed, target_key


@dataclass(frozen=True)
class Overview:
    """Sentences for the head of the page.

    Attributes:
        doubts: what speaks against believing the page at all: a heading, and what it is, of each.
        attacked: what was attacked, and by what.
        found: what the rows say, counted.
        control: what the null control says, a sentence each; of several suites, of each apart.
        control_passed: whether every suite's held; None where one had no control, and no other failed.
        sure: how far the numbers carry, a sentence each.
    """

    doubts: tuple[tuple[str, str], ...]
    attacked: str
    found: str
    control: tuple[str, ...]
    control_passed: bool | None
    sure: tuple[str, ...]


def overview(results: Results, marked: frozenset[Row]) -> Overview:
    """Say what ``results`` show.

    Args:
        results: with at least one row.
        marked: rows whose difference from the original is significant.
    """
    control, passed = _control(results)
    rows = results.rows
    doubts = [("Changed after publication.", _doubt(path)) for path in changed_since_published(results)]
    for one in results.among or (results,):
        heading = f"Warning of the audit{f' {one.path.name}' if results.among else ''}."
        doubts += [(heading, warning) for warning in one.warnings]
    pool = not any(one.audited for one in results.among or (results,))
    return Overview(tuple(doubts), _attacked(rows, pool), _found(rows, marked), control, passed, tuple(_sure(rows)))


def _doubt(path: Path) -> str:
    return (
        f"{path.name} is not the file that its provenance names: it was changed after it was published. Run compleak "
        "verify, which says what differs."
    )


def _control(results: Results) -> tuple[tuple[str, ...], bool | None]:
    """What the null controls say, each of its own suite only, and whether all held."""
    controls = [
        (suite, one.path.name, [row for row in one.null_rows if row.suite == suite])
        for one in results.among or (results,)
        for suite in dict.fromkeys(row.suite for row in (*one.rows, *one.null_rows))
    ]
    suites = [suite for suite, _, _ in controls]
    named = [(f"{s} ({path})" if suites.count(s) > 1 else s, rows) for s, path, rows in controls]
    several = len(controls) > 1
    passed = [not outside_together(rows) for _, rows in named if rows]
    said = [f"{suite}: {summarise(rows)}" if several else summarise(rows) for suite, rows in named if rows]
    if without := [suite for suite, rows in named if not rows]:
        where, there = (f" for {_and(without)}", " there") if several else ("", "")
        said.append(
            f"No null control was run{where}, so nothing here shows that the attacks{there} find only what training "
            "left behind, and not a difference between the two groups of examples."
        )
    return tuple(said), all(passed) if not without or not all(passed) else None


def _attacked(rows: Sequence[Row], one_pool: bool) -> str:
    targets = set(map(target_key, rows))
    settings = {(r.framework, r.setting) for r in rows if r.technique != MULTIPLE and r.setting != ORIGINAL}
    frameworks = sorted({name for name, _ in settings} - {UNKNOWN})
    attacks = {row.attack for row in rows}
    models, data = (sorted({getattr(row, name) for row in rows}) for name in ("model", "data"))
    members, others = map(_least, sizes(rows))
    halves = {row.attack for row in rows if row.partly_known}
    pool = " of the same pool" if one_pool else ""
    where = f" for {_and(frameworks)}" if frameworks else ""
    compressed = f", compressed in {_count(len(settings), 'way')}{where}" if settings else ""
    return (
        f"{_and(models)}, trained on {_and(data)} ({_count(len(targets), 'target')}){compressed}. "
        f"{_count(len(attacks), 'attack')} had to tell {members} members, which a target was trained on, from "
        f"{others} non-members{pool}: {_count(len(rows), 'row')}.{_told(len(halves))}"
    )


def _told(attacks: int) -> str:
    """What attackers know beforehand."""
    if not attacks:
        return ""
    some = "One of these attacks was" if attacks == 1 else f"{attacks:,} of these attacks were"
    return f" {some} told one half of them beforehand, and had to tell the other."


def _least(numbers: Sequence[int]) -> str:
    return f"{'at least ' if len(numbers) > 1 else ''}{numbers[0]:,}"


def _found(rows: Sequence[Row], marked: frozenset[Row]) -> str:
    differences = [row for row in rows if isinstance(row.auc_minus_original, float)]
    compared = [row for row in differences if not other_attack(row)]
    if not compared:
        return "No row is compared with the original, so nothing can be said of what compression changes."
    more = [row for row in compared if row in marked and _difference(row) > 0]
    less = [row for row in compared if row in marked and _difference(row) < 0]
    undecided = len(compared) - len(more) - len(less)
    words = (
        f"Of {_count(len(compared), 'row')} compared with the same attack on the original alone, "
        f"{len(more):,} leak more and {len(less):,} leak less after Holm’s correction for all differences. "
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
    if others := sorted(
        {f"{attack_name(row.attack)} ({other_attack(row)})" for row in differences if other_attack(row)}
    ):
        words += f"Not counted, for they are compared with another attack: {_and(others)}."
    return words.strip()


def _sure(rows: Sequence[Row]) -> list[str]:
    half = median((row.auc_high - row.auc_low) / 2 for row in rows)
    targets = set(map(target_key, rows))
    others = sizes(rows)[1][0]
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
    if len(targets) == 1:
        lines.append(
            "There is one target. Intervals are over examples: they say how well this model’s leakage is known, not "
            "how much another training run of the same recipe would leak."
        )
    elif len({key[1:] for key in targets}) == len(targets):
        lines.append(
            f"There are {len(targets)} targets, one of each recipe. Intervals are over the examples of one target: "
            "they say how well that model’s leakage is known, not how much another training would leak."
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
    if len(models) > 1:
        return f"{len(models)} models together"
    return row.setting if row.framework == UNKNOWN else f"{row.framework} {row.setting}"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
