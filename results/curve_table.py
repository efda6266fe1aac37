"""The curve over shadows as tables, each a list of lines of text; the same for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

from .curve import QUESTIONS, Contrast, Point
from .records import Cell

ALPHA = 0.05


@dataclass(frozen=True)
class TextTable:
    """A title, headings, and lines of cells."""

    title: str
    headings: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """As a Markdown table under a heading; pipes in names are escaped."""
        rows = [self.headings, ("---",) * len(self.headings), *self.lines]
        return "\n".join([f"### {self.title}", "", *(_markdown_row(row) for row in rows), ""])


def point_tables(points: Sequence[Point]) -> list[TextTable]:
    """AUC and both TPRs of each part, attacks down and shadows across."""
    tables = []
    for name, own in _by_part(points).items():
        counts = sorted({p.shadows for p in own})
        headings = ("attack", "holds", *_counted(counts))
        rows = dict.fromkeys((p.attack, p.holds) for p in own)
        for title, cell in (("AUC (95 %)", _auc), ("TPR at FPR 1 %", _tpr_1), ("TPR at FPR 0.1 %", _tpr_01)):
            places = {(p.attack, p.holds, p.shadows): cell(p) for p in own}
            lines = tuple((a, h, *(places.get((a, h, k), "") for k in counts)) for a, h in rows)
            tables.append(TextTable(_title(title, name), headings, lines))
    return tables


def contrast_tables(contrasts: Sequence[Contrast]) -> list[TextTable]:
    """A table for each part and question: differences of the AUC, pairs down and shadows across; a star: p < 0.05."""
    tables = []
    for name, of_part in _by_part(contrasts).items():
        counts = sorted({c.shadows for c in of_part})
        headings = ("attack", "holds", "less", *_counted(counts))
        for question in QUESTIONS:
            own = [c for c in of_part if c.question == question]
            lines = []
            for names, group in groupby(own, key=lambda c: (c.attack, c.holds, _less(c))):
                cells = {c.shadows: _difference(c) for c in group}
                lines.append((*names, *(cells.get(k, "") for k in counts)))
            if lines:
                tables.append(TextTable(_title(question, name), headings, tuple(lines)))
    return tables


_OfPart = TypeVar("_OfPart", Point, Contrast)


def _by_part(items: Sequence[_OfPart]) -> dict[str, list[_OfPart]]:
    return {part: [item for item in items if item.part == part] for part in dict.fromkeys(i.part for i in items)}


def _title(title: str, part: str) -> str:
    return f"{title}: {part}" if part else title


def _counted(counts: Sequence[int]) -> tuple[str, ...]:
    return tuple(f"{k} shadow{'s' * (k > 1)}" for k in counts)


def _less(contrast: Contrast) -> str:
    return contrast.baseline + (" on the original" if contrast.baseline_holds != contrast.holds else "")


def _difference(c: Contrast) -> str:
    return f"{c.difference:+.3f} ({c.low:+.3f} to {c.high:+.3f})" + "*" * (c.p_holm < ALPHA)


def _auc(p: Point) -> str:
    return f"{p.auc:.3f} ({p.low:.3f} to {p.high:.3f})"


def _tpr_1(p: Point) -> str:
    return _percent(p.tpr_at_1pct)


def _tpr_01(p: Point) -> str:
    return _percent(p.tpr_at_01pct)


def _percent(cell: Cell) -> str:
    return f"{cell:.1%}" if isinstance(cell, float) else str(cell)


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
