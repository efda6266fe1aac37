"""What verification finds wrong: a file, a row and a cell of it, what is stated and what was found."""

from __future__ import annotations

from dataclasses import dataclass

from ..records import Row


@dataclass(frozen=True)
class Problem:
    """One disagreement.

    Attributes:
        file: in which file, relative to what is verified.
        says: what is wrong, for people.
        row: line of the file, the header being 1; None where it is about the file.
        subject: what the row is about.
        cell: the column; empty where it is about the row.
        stated: what the cell says.
        found: what it should say.
    """

    file: str
    says: str
    row: int | None = None
    subject: str = ""
    cell: str = ""
    stated: str = ""
    found: str = ""

    def __str__(self) -> str:
        """One line: file, row, cell, stated, found, and why."""
        place = self.file if self.row is None else f"{self.file} row {self.row}"
        about = f" ({self.subject})" if self.subject else ""
        if not self.cell:
            return f"{place}{about}: {self.says}"
        return f"{place}{about}: {self.cell} is {self.stated or 'empty'}, {self.says} {self.found or 'empty'}"


@dataclass(frozen=True)
class Placed:
    """A row and where it stands."""

    file: str
    line: int
    row: Row

    def problem(self, says: str, cell: str = "", stated: str = "", found: str = "") -> Problem:
        """Something wrong with this row, or with one cell of it."""
        return Problem(self.file, says, self.line, subject(self.row), cell, stated, found)


def subject(row: Row) -> str:
    """What a row is about, in a few words."""
    held = row.setting.count(";") + 1
    what = f"{held} models together" if row.technique == "multiple" and held > 1 else row.setting
    return f"{row.attack} on {row.framework} {what} of {row.target}"
