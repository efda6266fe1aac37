"""Tables as the page takes them: column by column, a text written once however many rows hold it.

A leaderboard of 100,000 rows is then a few megabytes of numbers and codes, and the browser makes a cell only when it
shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from ..records import Cell

Format = Literal[
    "integer", "fraction", "signed", "percent", "kilobytes", "milliseconds", "ratio", "decimal", "change", "plain"
]
Column = dict[str, Any]


def text(title: str, values: Sequence[str], *, filtered: bool = False, help: str = "", show: bool = True) -> Column:
    """A column of text.

    Args:
        title: heading.
        values: one a row.
        filtered: whether the page offers a choice of its values above the table.
        help: what the column means.
        show: whether the column is shown; one that is not can still be searched and filtered.
    """
    codes: dict[str, int] = {}
    coded = [codes.setdefault(value, len(codes)) for value in values]
    return {
        "kind": "text", "title": title, "help": help, "filtered": filtered, "show": show,
        "values": list(codes), "codes": coded,
    }  # fmt: skip


def number(
    title: str,
    values: Sequence[Cell],
    form: Format,
    *,
    low: Sequence[Cell] | None = None,
    high: Sequence[Cell] | None = None,
    marked: Sequence[bool] | None = None,
    help: str = "",
) -> Column:
    """A column of numbers: ``n/a`` where undefined, null where a cell does not apply.

    Args:
        title: heading.
        values: one a row.
        form: how the page writes them.
        low: lower ends of their intervals.
        high: upper ends of their intervals.
        marked: which get a star.
        help: what the column means.
    """
    column: Column = {"kind": "number", "title": title, "help": help, "form": form, "values": _short(values)}
    if low is not None and high is not None:
        column |= {"low": _short(low), "high": _short(high)}
    if marked is not None:
        column["marked"] = [i for i, mark in enumerate(marked) if mark]
    return column


def table(columns: Sequence[Column]) -> dict[str, Any]:
    """A table of columns that are equally long.

    Raises:
        ValueError: they are not.
    """
    lengths = {len(c["codes"] if c["kind"] == "text" else c["values"]) for c in columns}
    if len(lengths) != 1:
        raise ValueError(f"Columns of {sorted(lengths)} rows make no table.")
    return {"rows": lengths.pop(), "columns": list(columns)}


def _short(values: Sequence[Cell]) -> list[Cell]:
    return [float(f"{v:.6g}") if isinstance(v, float) else v for v in values]
