"""``leaderboard.csv``: rows in one order, with fixed columns and one way to write a number, so that files diff well.

Floats have six significant digits, but for thresholds, which are written in full: rounded, they would call other
examples members. Text that a spreadsheet would execute is written behind an apostrophe, and read back without it.
Rows are joined with nothing: two rows of the same attack on the same model are an error, whatever they say.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from .records import SCHEMA_VERSION, Cell, Row, columns
from .scores import write_atomically

_IDENTITY = (
    "suite", "data", "data_sha256", "model", "framework", "technique", "setting", "attack",
    "target", "target_seed", "shadows", "recipe_sha256",
)  # fmt: skip
_EXECUTED = re.compile(r"'*[=+\-@＝＋－＠]")
_FIELDS = set(Row.model_fields)
_TEXT = frozenset(f.alias or name for name, f in Row.model_fields.items() if f.annotation is str)


class LeaderboardError(ValueError):
    """Rows that do not make a leaderboard, or a file that is none."""


def sort_rows(rows: Sequence[Row]) -> list[Row]:
    """Rows in the order of the file: by suite, data, model, framework, technique, setting, attack, target.

    Numbers within names are compared as numbers, so ``clustering-k8`` comes before ``clustering-k16``.
    """
    return sorted(rows, key=lambda row: [_natural(str(getattr(row, name))) for name in _IDENTITY])


def identity(row: Row) -> tuple[str | int, ...]:
    """What must not appear twice: the same attack on the same variant of the same target, by the same recipe."""
    return tuple(getattr(row, name) for name in _IDENTITY)


def leaderboard_csv(rows: Sequence[Row]) -> str:
    """The file's text; the same rows in any order give the same text.

    Raises:
        LeaderboardError: two rows of the same attack on the same model, or a row of another schema version.
    """
    seen = Counter(map(identity, rows))
    if repeats := [key for key, count in seen.items() if count > 1]:
        raise LeaderboardError(
            f"{len(repeats)} rows appear more than once; the first is "
            f"{dict(zip(_IDENTITY, repeats[0], strict=True))}. Rows are never merged: drop one of them."
        )
    if others := {row.schema_version for row in rows} - {SCHEMA_VERSION}:
        raise LeaderboardError(f"Rows of schema versions {sorted(others)} cannot be written as {SCHEMA_VERSION}.")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns())
    for row in sort_rows(rows):
        writer.writerow([cell_text(name, value) for name, value in row.cells().items()])
    return text.getvalue()


def write_leaderboard(rows: Sequence[Row], path: Path) -> None:
    """Write the file, whole or not at all.

    Raises:
        LeaderboardError: see ``leaderboard_csv``.
    """
    write_atomically(path, leaderboard_csv(rows).encode())


def read_leaderboard(path: Path) -> list[Row]:
    """Read what ``write_leaderboard`` wrote.

    Raises:
        LeaderboardError: cut short, other columns, another schema version, or a cell that its column does not allow;
            with the line.
        FileNotFoundError: nothing there.
    """
    names = list(columns())
    try:
        text = path.read_bytes().decode()
        lines = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = next(lines, None)
        if header is None or not text.endswith("\n"):
            raise LeaderboardError(f"{path} is empty or cut short. Write it again from the run it came from.")
        if header != names:
            if header[:1] == ["schema_version"] and (first := next(lines, None)) is not None:
                _check_version(first[0] if first else "", path)
            odd = [n for n in header if n not in names] + [n for n in names if n not in header]
            raise LeaderboardError(
                f"{path} has other columns than schema version {SCHEMA_VERSION}: {odd or 'their order'}."
            )
        return [_read_row(line, number, path) for number, line in enumerate(lines, start=2)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise LeaderboardError(f"{path} is no CSV file in UTF-8: {error}.") from error


def format_cell(value: str | Cell) -> str:
    """A number as the file has it: six significant digits, integers whole, empty for None."""
    if value is None:
        return ""
    return f"{value + 0.0:.6g}" if isinstance(value, float) else str(value)


def neutral(text: str) -> str:
    """Text as a spreadsheet may have it: behind an apostrophe, if it would be executed otherwise."""
    return f"'{text}" if _EXECUTED.match(text) else text


def cell_text(name: str, value: str | Cell) -> str:
    """The cell of column ``name`` as the file has it."""
    if name in _TEXT:
        return neutral(str(value))
    if name.endswith("_threshold") and isinstance(value, float):
        return repr(value + 0.0)
    return format_cell(value)


def _read_row(line: Sequence[str], number: int, path: Path) -> Row:
    names = list(columns())
    if len(line) != len(names):
        raise LeaderboardError(f"{path}, row {number}: {len(line)} cells, expected {len(names)}.")
    _check_version(line[0], path)
    cells: dict[str, str | None] = {}
    for name, cell in zip(names, line, strict=True):
        if name in _TEXT:
            cells[name] = sys.intern(cell[1:] if cell.startswith("'") and _EXECUTED.match(cell) else cell)
        else:
            cells[name] = cell or None
    try:
        row = Row.model_validate(cells)
        # Every row has every field: one set for all of them saves a third of the memory of a large file.
        object.__setattr__(row, "__pydantic_fields_set__", _FIELDS)
        return row
    except ValidationError as error:
        first = error.errors()[0]
        raise LeaderboardError(
            f"{path}, row {number}, column {first['loc'][0]!r}: {first['msg']}; got {first['input']!r}."
        ) from error


def _check_version(cell: str, path: Path) -> None:
    if cell != str(SCHEMA_VERSION):
        raise LeaderboardError(
            f"{path} has schema version {cell!r}, this program reads {SCHEMA_VERSION}. "
            "A newer file needs a newer compleak-bench."
        )


def _natural(text: str) -> tuple[tuple[str, float], ...]:
    parts = re.split(r"(\d+(?:\.\d+)?)", text)
    numbers = [float(n) for n in parts[1::2]] + [0.0]
    return tuple(zip(parts[::2], numbers, strict=True))
