"""Two runs, as a terminal shows them: plain text, fit for 80 characters a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..records import Row
from .changes import ArtifactChange, Change, Changes
from .compare_table import interval, number, plain_table
from .effects import LEVEL

_NAMED = 5
_LINES = 20


def changes_table(changes: Changes) -> Group:
    """What changed between two runs, the rows that changed least left out."""
    parts: list[RenderableType] = []
    moved, common = [c for c in changes.changes if not c.same_scores], len(changes.changes)
    parts.append(
        Text(
            f"{common} row{'' if common == 1 else 's'} in common, {common - len(moved)} of them with the very same "
            f"scores; {len(changes.new)} new, {len(changes.gone)} gone."
        )
    )
    parts += [
        Padding(Text(line), (0, 0, 0, 2)) for line in (*_named("new", changes.new), *_named("gone", changes.gone))
    ]
    parts += [Text(note) for note in changes.notes]
    if moved:
        parts += [Text(), _moved(moved)]
    if artifacts := [a for a in changes.artifacts if a.bytes or (a.accuracy and a.accuracy.difference)]:
        parts += [Text(), _artifacts(artifacts)]
    parts.append(Text())
    if not changes.regressions:
        parts.append(
            Text(
                f"No regression: nothing leaks more, no accuracy fell, by significantly more than {changes.margin:g}.",
                style="bold",
            )
        )
    for r in changes.regressions:
        what = {"auc": "AUC", "tpr_at_1pct": "TPR at 1 % FPR", "accuracy": "accuracy"}[r.metric]
        under = "" if r.metric == "accuracy" else f" under {r.row.attack}"
        parts.append(
            Text(
                f"Regression: {what} of {_artifact(r.row)}, {r.row.target}{under}: {interval(r.delta)}, beyond the "
                f"margin of {changes.margin:g} (Holm's p {r.p_holm:.2g}).",
                style="bold red",
            )
        )
    return Group(*parts)


def _moved(moved: Sequence[Change]) -> Table:
    shown = sorted(moved, key=lambda c: -abs(c.auc.difference))[:_LINES]
    more = f", the {len(shown)} largest of {len(moved)}" if len(moved) > len(shown) else ""
    table = plain_table(f"Changed leakage, second less first{more}")
    table.add_column("setting, target, attack", min_width=20, overflow="fold")
    for heading in ("AUC", f"change ({LEVEL:.0%})", "TPR@1% change"):
        table.add_column(heading, justify="right", no_wrap=True)
    for change in shown:
        table.add_row(
            Text(f"{_artifact(change.now)}, {change.now.target}, {change.now.attack}"),
            f"{change.now.auc:.3f}",
            interval(change.auc) + ("" if change.paired else "~"),
            "n/a" if change.tpr_at_1pct is None else interval(change.tpr_at_1pct),
        )
    if not all(change.paired for change in shown):
        table.caption = "~ not paired"
    return table


def _artifacts(artifacts: Sequence[ArtifactChange]) -> Table:
    shown = sorted(artifacts, key=lambda a: -abs(a.accuracy.difference if a.accuracy else 0.0))[:_LINES]
    more = f", the {len(shown)} largest of {len(artifacts)}" if len(artifacts) > len(shown) else ""
    table = plain_table(f"Changed artifacts, second less first{more}")
    table.add_column("setting, target", min_width=20, overflow="fold")
    for heading in ("accuracy", f"change ({LEVEL:.0%})", "bytes"):
        table.add_column(heading, justify="right", no_wrap=True)
    for a in shown:
        table.add_row(
            Text(f"{_artifact(a.now)}, {a.now.target}"),
            number(a.now.accuracy if isinstance(a.now.accuracy, float) else None, ".3f"),
            interval(a.accuracy) if a.accuracy else "",
            number(a.bytes, "+,d"),
        )
    return table


def _named(what: str, rows: Sequence[Row]) -> Iterable[str]:
    for row in rows[:_NAMED]:
        yield f"{what}: {_artifact(row)}, {row.target}, {row.attack}"
    if len(rows) > _NAMED:
        yield f"... and {len(rows) - _NAMED} more"


def _artifact(row: Row) -> str:
    if row.framework == "none":
        return row.setting
    held = row.setting.split(";")
    return f"{row.framework} {row.setting}" if len(held) == 1 else f"{row.framework}, {len(held)} models together"
