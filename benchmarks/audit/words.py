"""How an audit's summary is laid out, and what every audit says of its own precision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

from ...results.records import Row

WIDTH = 100
HALF_WIDTH = 0.02
"""Half of an AUC's interval that is narrow enough to say nothing more of it."""


def laid_out(title: Sequence[str], parts: Iterable[tuple[str, Iterable[str]]]) -> str:
    """A page of plain text: the title's lines, then each part that says anything under its heading."""
    lines = list(title)
    for heading, body in parts:
        if said := [line for text in body for line in _folded(text)]:
            lines += ["", heading, *said]
    return "\n".join(lines) + "\n"


def precision(row: Row, members: int, nonmembers: int) -> Iterator[str]:
    """How well the AUC of ``row`` is known, and how many examples would do better than ``members`` and others."""
    half = (row.auc_high - row.auc_low) / 2
    if half > HALF_WIDTH:
        factor = (half / HALF_WIDTH) ** 2
        yield (
            f"AUC is known to ±{half:.3f}; ±{HALF_WIDTH:g} takes about {_rounded(factor * members):,} members and "
            f"{_rounded(factor * nonmembers):,} non-members."
        )


def _folded(text: str) -> list[str]:
    """A paragraph as an indented item; lines of the table, which begin with spaces, stay as they are."""
    if not text or text.startswith("  "):
        return [text]
    tied = text.replace(" %", "\N{NO-BREAK SPACE}%")
    lines = wrap(tied, WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def _rounded(count: float) -> int:
    """Two significant digits, upwards."""
    digits = max(0, len(str(int(count))) - 2)
    unit: int = 10**digits
    return -(-int(count) // unit) * unit
