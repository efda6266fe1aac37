"""The leaderboard as a terminal shows it: an excerpt, with the same attacks for every variant.

The attacks are fixed beforehand, one of each family. Showing each variant's strongest attack instead would make a
variant look leakier merely for having been attacked more often.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from statistics import fmean
from textwrap import fill

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from .comparison.baselines import other_attack
from .intervals import holm
from .leaderboard import sort_rows
from .records import ORIGINAL, UNDEFINED, Cell, Row

ATTACKS = (
    *("compleak-nr-train2-rf", "compleak-nr-modified-entropy-global", "compleak-sr2-rf", "compleak-mr"),
    *("lm-loss", "lm-nr-rf", "lm-reference-compressed", "lm-sr-rf", "lm-mr-lr"),
    *(
        "encodermi-v",
        "encodermi-t",
        "lpla-linf-gaussian-standardised",
        "partcrop-v2",
        "encodermi-v-sr",
        "encodermi-v-mr",
    ),
)
ALPHA = 0.05
_NULL = "null"
_WIDTHS = {"AUC (95 %)": 17, "vs orig.": 8, "TPR@1%": 6, "acc.": 5, "kB gzip": 7, "ms": 6}


def leaderboard_table(rows: Sequence[Row], attacks: Sequence[str] = ATTACKS) -> Group:
    """An excerpt of ``rows``: a table for each framework and technique. ASCII, and fit for 80 characters a line.

    Over several targets a cell is their mean, and the interval runs from the least lower to the greatest upper end.
    The control (target ``null``) is left out, and so are attacks that used fewer shadows than others. A star marks a
    difference from the original that is significant, for every target, after Holm's correction for all the differences
    in ``rows``, shown or not.

    Args:
        rows: of one or more suites.
        attacks: which attacks to show; all of them, where the rows are of none of these.
    """
    real = [row for row in sort_rows(rows) if row.target != _NULL]
    most = max((row.shadows for row in real), default=0)
    if not any(row.attack in attacks and row.shadows == most for row in real):
        attacks = tuple(dict.fromkeys(row.attack for row in real if row.shadows == most))
    shown = [row for row in real if row.attack in attacks and row.shadows == most]
    marked = significant(real)
    tables: list[Table | Text] = []
    for _, section in groupby(shown, key=lambda r: (r.suite, r.data, r.model, r.framework, r.technique)):
        same = list(section)
        first = same[0]
        table = Table(
            title=Text(f"{first.suite}: {first.data}, {first.model}, {first.framework}, {first.technique}"),
            title_justify="left",
            box=box.SIMPLE_HEAD,
            padding=0,
            show_edge=False,
        )
        table.add_column("setting, attack", min_width=24, max_width=60, overflow="fold")
        for heading, width in _WIDTHS.items():
            table.add_column(heading, width=width, justify="right", no_wrap=True)
        for _, group in groupby(same, key=lambda r: r.setting):
            for cells in _variant_lines(list(group), attacks, marked):
                table.add_row(*(Text(cell) for cell in cells))
        tables += [table, Text()]
    made = {row.attack for row in shown}
    names = ", ".join(_short(a) for a in attacks if a in made)
    others = dict.fromkeys(f"{row.attack} is compared with {other}" for row in shown if (other := other_attack(row)))
    note = (
        f"{len(shown)} of {len(rows)} rows: the attacks {names}, fixed beforehand, not the strongest of all.",
        f"* differs from the same attack on the original alone (p < {ALPHA:g} after Holm's correction over all rows; "
        "paired, on this target; the fit of the attack is allowed for).",
        *(f"{other}." for other in others),
    )
    return Group(*tables, Text("\n".join(fill(line, 79, break_on_hyphens=False) for line in note)))


def significant(rows: Sequence[Row]) -> frozenset[Row]:
    """The rows whose difference from the original is significant after Holm's correction over all of ``rows``.

    One of the two must leak, by its AUC interval: of two attacks at chance none says which model leaks more.
    """
    tested = [(row, p) for row in rows if isinstance(p := row.auc_minus_original_p, float)]
    leaking = {row.scores_sha256 for row in rows if row.auc_low > 0.5}
    adjusted = holm([p for _, p in tested])
    return frozenset(
        row
        for (row, _), p in zip(tested, adjusted, strict=True)
        if p < ALPHA and not leaking.isdisjoint((row.scores_sha256, row.baseline_sha256))
    )


def _variant_lines(rows: Sequence[Row], attacks: Sequence[str], marked: frozenset[Row]) -> Iterator[list[str]]:
    """What the variant is worth and costs, then a line for each attack on it."""
    accuracy, size, latency = (
        _mean([r.accuracy for r in rows], ".3f"),
        _mean([r.bytes_gzip for r in rows], ",.0f", 1 / 1000),
        _mean([r.latency_ms for r in rows], ".2f"),
    )
    held = rows[0].setting.split(";")
    name = held[0] if len(held) == 1 else _together(held)
    yield [name, "", "", "", accuracy, size, latency]
    for attack in attacks:
        own = [row for row in rows if row.attack == attack]
        if not own:
            continue
        auc = f"{fmean(r.auc for r in own):.3f} {min(r.auc_low for r in own):.3f}-{max(r.auc_high for r in own):.3f}"
        difference = _mean([r.auc_minus_original for r in own], "+.3f")
        star = "*" if marked.issuperset(own) else " "
        tpr = _mean([r.tpr_at_1pct for r in own], ".1%")
        yield [f"  {_short(attack)}", auc, difference and difference + star, tpr, "", "", ""]


def _together(held: Sequence[str]) -> str:
    compressed = sum(name != ORIGINAL for name in held)
    return f"original and {compressed} others" if ORIGINAL in held else f"{compressed} compressed models"


def _short(attack: str) -> str:
    return attack.removeprefix("compleak-").replace("modified-", "mod-")


def _mean(cells: Sequence[Cell], form: str, scale: float = 1.0) -> str:
    """Mean as text; ``n/a`` if any cell is, empty if any is empty."""
    if UNDEFINED in cells:
        return UNDEFINED
    numbers = [cell for cell in cells if isinstance(cell, int | float)]
    return format(scale * fmean(numbers), form) if len(numbers) == len(cells) else ""
