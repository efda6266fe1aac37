"""What the null control says: a model trained on neither group must not be attackable."""

from __future__ import annotations

from collections.abc import Sequence

from scipy.special import ndtri

from .records import Row


def covering(rows: Sequence[Row]) -> list[Row]:
    """Rows whose own 95 % AUC interval covers 0.5."""
    return [row for row in rows if row.auc_low <= 0.5 <= row.auc_high]


def outside_together(rows: Sequence[Row]) -> list[Row]:
    """Rows whose AUC differs from 0.5 even at a level corrected for the number of rows (Bonferroni, 5 % in all).

    One in twenty of many sound 95 % intervals misses by chance; after the correction, a single row is a finding.
    """
    if not rows:
        return []
    widen = float(ndtri(1 - 0.025 / len(rows)) / ndtri(0.975))
    return [
        row
        for row in rows
        if not row.auc - widen * (row.auc - row.auc_low) <= 0.5 <= row.auc + widen * (row.auc_high - row.auc)
    ]


def summarise(rows: Sequence[Row]) -> str:
    """One sentence for people."""
    if not rows:
        return "Null control: none."
    inside, broken = covering(rows), outside_together(rows)
    verdict = (
        "passed"
        if not broken
        else "FAILED, do not trust these rows: "
        + ", ".join(f"{row.attack} on {row.framework} {row.setting} (AUC {row.auc:.3f})" for row in broken[:3])
    )
    return (
        f"Null control (a model trained on neither group): {len(inside)} of {len(rows)} AUC intervals cover 0.5, "
        f"AUC {min(r.auc for r in rows):.3f} to {max(r.auc for r in rows):.3f}; "
        f"corrected for {len(rows)} rows: {verdict}."
    )
