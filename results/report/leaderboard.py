"""The leaderboard as the page shows it, and what all of its rows have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..comparison.baselines import other_attack
from ..records import Row, columns
from .columns import number, table, text
from .names import attack_name, held, variant_names

_SHARED = ("suite", "data", "model", "target", "shadows")


def shared(rows: Sequence[Row]) -> dict[str, str]:
    """Columns that are the same in all rows, said once above the table instead of in each row."""
    found = {name: {str(getattr(row, name)) for row in rows} for name in _SHARED}
    return {name: values.pop() for name, values in found.items() if len(values) == 1}


def leaderboard(rows: Sequence[Row], marked: frozenset[Row]) -> dict[str, Any]:
    """All rows, in the file's order, with the columns that a reader compares.

    Args:
        rows: of one or more suites.
        marked: those whose difference from the original is significant.
    """
    meaning, same, names = columns(), shared(rows), variant_names(rows)
    variants = [names[row.framework, row.setting] for row in rows]
    several = [f"{row.framework} {' '.join(held(row))}" for row in rows]
    starred = [row in marked for row in rows]
    return table(
        [
            text("Held model", variants, filtered=len(set(variants)) <= _CHOICES, help=meaning["setting"]),
            text("models held, in full", several, show=False),
            *(
                text(name.capitalize(), [str(getattr(row, name)) for row in rows], filtered=True, help=meaning[name])
                for name in _SHARED
                if name not in same
            ),
            text("Framework", [row.framework for row in rows], filtered=True, show=False, help=meaning["framework"]),
            text("Technique", [row.technique for row in rows], filtered=True, show=False, help=meaning["technique"]),
            text("Attack", [attack_name(row.attack) for row in rows], filtered=True, help=meaning["attack"]),
            text("Attacker holds", [_access(row) for row in rows], filtered=True, show=False, help=meaning["access"]),
            number(
                "AUC", [row.auc for row in rows], "fraction",
                low=[row.auc_low for row in rows], high=[row.auc_high for row in rows], help=meaning["auc"],
            ),
            number(
                "AUC less original’s", [row.auc_minus_original for row in rows], "signed",
                low=[row.auc_minus_original_low for row in rows], high=[row.auc_minus_original_high for row in rows],
                marked=starred, help=f"{meaning['auc_minus_original']}; * significant after Holm’s correction",
            ),
            text("Than the original", [_verdict(row, row in marked) for row in rows], filtered=True, show=False),
            number(
                "TPR at 1\u00a0% FPR", [row.tpr_at_1pct for row in rows], "percent",
                low=[row.tpr_at_1pct_low for row in rows], high=[row.tpr_at_1pct_high for row in rows],
                help=meaning["tpr_at_1pct"],
            ),
            number(
                "TPR at 0.1\u00a0% FPR", [row.tpr_at_01pct for row in rows], "percent",
                low=[row.tpr_at_01pct_low for row in rows], high=[row.tpr_at_01pct_high for row in rows],
                help=meaning["tpr_at_0.1pct"],
            ),
            number(
                "Balanced accuracy", [row.balanced_accuracy for row in rows], "fraction",
                low=[row.balanced_accuracy_low for row in rows], high=[row.balanced_accuracy_high for row in rows],
                help=meaning["balanced_accuracy"],
            ),
            number("Accuracy", [row.accuracy for row in rows], "fraction", help=meaning["accuracy"]),
            number("kB gzip", [row.bytes_gzip for row in rows], "kilobytes", help=meaning["bytes_gzip"]),
            number("Latency, ms", [row.latency_ms for row in rows], "milliseconds", help=meaning["latency_ms"]),
        ]
    )  # fmt: skip


_CHOICES = 200  # more than that many entries, and a choice is slower than the search box


def _access(row: Row) -> str:
    return row.access.replace("-", " ").replace("+", " + ")


def _verdict(row: Row, significant: bool) -> str:
    if not isinstance(row.auc_minus_original, float):
        return "not compared"
    if not significant:
        return "no difference shown"
    if row.auc_minus_original > 0:
        return "leaks more"
    return "below another attack" if other_attack(row) else "leaks less"
