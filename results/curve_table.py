"""The curve over shadows as tables, each a list of lines of text; the same for a terminal and for Markdown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .curve import QUESTIONS, Contrast, Point
from .records import UNDEFINED, Cell

ALPHA = 0.05
_PLAIN: dict[str, Any] = {"title_justify": "left", "box": box.SIMPLE_HEAD, "padding": (0, 1, 0, 0), "show_edge": False}


@dataclass(frozen=True)
class TextTable:
    """Lines of names and figures.

    Attributes:
        title: what the figures are.
        headings: of the columns.
        lines: cells: names first, then a figure for each number of shadows, with its interval if it has one.
        brief: the same lines without the intervals.
        counts: numbers of shadows.
    """

    title: str
    headings: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    brief: tuple[tuple[str, ...], ...]
    counts: tuple[int, ...]

    @property
    def empty(self) -> bool:
        """Whether no figure is defined."""
        figures = {cell for line in self.lines for cell in line[-len(self.counts) :]}
        return figures <= {UNDEFINED, ""}

    def short(self) -> TextTable:
        """The table without intervals."""
        return replace(self, title=self.title.replace(" (95 %)", ""), lines=self.brief)

    def markdown(self) -> str:
        """As a Markdown table under a heading; pipes in names are escaped."""
        rows = [self.headings, ("---",) * len(self.headings), *self.lines]
        return "\n".join([f"### {self.title}", "", *(_markdown_row(row) for row in rows), ""])


def point_tables(points: Sequence[Point]) -> list[TextTable]:
    """AUC and both TPRs of each part, attacks down and shadows across."""
    tables = []
    for name, own in _by_part(points).items():
        counts = tuple(sorted({p.shadows for p in own}))
        headings = ("attack", "holds", *_counted(counts))
        for title, cell, brief in (
            ("AUC (95 %)", _auc, lambda p: f"{p.auc:.3f}"),
            ("TPR at FPR 1 %", _tpr_1, _tpr_1),
            ("TPR at FPR 0.1 %", _tpr_01, _tpr_01),
        ):
            groups: dict[tuple[str, ...], dict[int, Point]] = defaultdict(dict)
            for p in own:
                groups[p.attack, p.holds][p.shadows] = p
            lines, short = _lines(groups, cell, counts), _lines(groups, brief, counts)
            tables.append(TextTable(_title(title, name), headings, lines, short, counts))
    return tables


def contrast_tables(contrasts: Sequence[Contrast]) -> list[TextTable]:
    """A table for each part and question: differences of the AUC, pairs down and shadows across; a star: p < 0.05."""
    tables = []
    for name, of_part in _by_part(contrasts).items():
        counts = tuple(sorted({c.shadows for c in of_part}))
        headings = ("attack", "holds", "less", *_counted(counts))
        for question in QUESTIONS:
            groups: dict[tuple[str, ...], dict[int, Contrast]] = defaultdict(dict)
            for c in of_part:
                if c.question == question:
                    groups[c.attack, c.holds, _less(c)][c.shadows] = c
            if groups:
                lines = _lines(groups, _difference, counts)
                short = _lines(groups, lambda c: f"{c.difference:+.3f}{_star(c)}", counts)
                tables.append(TextTable(_title(question, name), headings, lines, short, counts))
    return tables


def narrow_table(table: TextTable) -> Table:
    """A table for narrow terminals: what an attacker holds stands below the attack, and may take two lines."""
    shown = Table(title=Text(f"{table.title}, by number of shadows"), **_PLAIN)
    longest = max((len(word) for line in table.lines for name in line[:2] for word in name.split()), default=0)
    shown.add_column("attack, and what it holds", min_width=longest + 1)
    names = len(table.headings) - len(table.counts)
    for place, count in enumerate(table.counts, start=names):
        shown.add_column(str(count), justify="right", min_width=max(len(line[place]) for line in table.lines))
    titles: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for line in table.lines:
        titles[" less ".join((line[0], *line[2:names]))].append((line[1], *line[names:]))
    for title, lines in titles.items():
        shown.add_row(Text(title, style="bold"))
        for held, *cells in lines:
            shown.add_row(Padding(Text(held), (0, 0, 0, 1)), *cells)
    return shown


def wide_table(table: TextTable) -> Table:
    """A table with everything, for a terminal that is wide enough."""
    shown = Table(title=Text(table.title), **_PLAIN)
    for place, heading in enumerate(table.headings):
        shown.add_column(heading, min_width=max(map(len, (heading, *(line[place] for line in table.lines)))))
    for line in table.lines:
        shown.add_row(*map(Text, line))
    return shown


_OfPart = TypeVar("_OfPart", Point, Contrast)
_Figure = TypeVar("_Figure")


def _lines(
    groups: Mapping[tuple[str, ...], Mapping[int, _Figure]], cell: Callable[[_Figure], str], counts: Sequence[int]
) -> tuple[tuple[str, ...], ...]:
    return tuple((*names, *(cell(own[k]) if k in own else "" for k in counts)) for names, own in groups.items())


def _by_part(items: Sequence[_OfPart]) -> dict[str, list[_OfPart]]:
    return {part: [item for item in items if item.part == part] for part in dict.fromkeys(i.part for i in items)}


def _title(title: str, part: str) -> str:
    return f"{title}: {part}" if part else title


def _counted(counts: Sequence[int]) -> tuple[str, ...]:
    return tuple(f"{k} shadow{'s' * (k != 1)}" for k in counts)


def _less(contrast: Contrast) -> str:
    return contrast.baseline + (" on the original" if contrast.baseline_holds != contrast.holds else "")


def _difference(c: Contrast) -> str:
    return f"{c.difference:+.3f} ({c.low:+.3f} to {c.high:+.3f}){_star(c)}"


def _star(c: Contrast) -> str:
    return "*" if c.p_holm < ALPHA else ""


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
