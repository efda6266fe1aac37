"""One published leaderboard in the making: whose rows it takes, and what that changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..leaderboard import cell_text
from ..records import Row
from ..scores import Scores
from .checks import RowName, row_name
from .problem import subject
from .provenance import Code, Run, recipe_differences
from .verification import Verification

Describe = Callable[[Mapping[str, Any], str], tuple[str, Code]]


class PublishError(ValueError):
    """Runs that cannot be published as asked; the message is for the user."""


@dataclass(frozen=True)
class Changes:
    """What publishing does to one leaderboard.

    Attributes:
        path: its CSV file.
        rows: how many it has now.
        null_rows: how many of the null control.
        targets: how many targets.
        pack_bytes: size of the kept scores.
        added: what the new rows are about.
        removed: what the rows that are gone were about.
        changed: row, column, old cell and new cell.
        other: what else changed: the null control, the scores, the provenance, the summary.
        notes: what verification could not look at.
    """

    path: Path
    rows: int
    null_rows: int
    targets: int
    pack_bytes: int
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[tuple[str, str, str, str], ...] = ()
    other: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether the files stay as they are."""
        return not (self.added or self.removed or self.changed or self.other)

    def lines(self, most: int = 10) -> list[str]:
        """For people: the counts by column, and the first changes."""
        if self.nothing:
            return ["nothing changed"]
        rows = len({row for row, *_ in self.changed})
        lines = [f"{len(self.added)} rows added, {len(self.removed)} removed, {rows} changed"]
        if self.changed:
            by_column = Counter(column for _, column, _, _ in self.changed)
            lines.append("changed cells: " + ", ".join(f"{name} {count}" for name, count in by_column.most_common()))
            lines += [f"  {row}: {column} {old or 'empty'} -> {new or 'empty'}"
                      for row, column, old, new in self.changed[:most]]  # fmt: skip
        lines += [f"  removed: {row}" for row in self.removed[:most]]
        if self.other:
            lines.append(f"also changed: {', '.join(self.other)}")
        return lines


@dataclass
class Board:
    """What one leaderboard will hold."""

    path: Path
    rows: dict[RowName, Row] = field(default_factory=dict)
    null_rows: dict[RowName, Row] = field(default_factory=dict)
    scores: dict[str, Scores] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    sources: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    before: Verification | None = None

    def add(self, part: Verification, describe: Describe) -> None:
        """Take the rows of ``part``, in the place of earlier ones of the same recipe or about the same thing."""
        if part.results is None or not part.runs:
            raise PublishError(f"{part.path} tells nothing of the run it came from, so it cannot be published.")
        self._refuse_other_recipes(part)
        recipes = {run.recipe_sha256 for run in part.runs}
        for mine, theirs in ((self.rows, part.results.rows), (self.null_rows, part.results.null_rows)):
            for name in [name for name, row in mine.items() if row.recipe_sha256 in recipes]:
                del mine[name]
            mine.update({row_name(row): row for row in theirs})
        self.scores |= part.scores
        for run in part.runs:
            told, known = _told(run, part, part.path == self.path, describe), self.runs.get(run.run_id)
            if known is None or _news(known, told):
                self.runs[run.run_id] = told
        self.sources.append(part.path)
        self.notes += [note for note in part.notes if note not in self.notes]

    def _refuse_other_recipes(self, part: Verification) -> None:
        for mine in self.runs.values():
            for run in part.runs:
                differs = recipe_differences(mine.suite, run.suite)
                if mine.data != run.data:
                    differs["content of the data"] = (mine.data, run.data)
                if differs:
                    lines = [f"  {path}: {one!r} in {self.sources[0]}, {other!r} in {part.path}"
                             for path, (one, other) in differs.items()]  # fmt: skip
                    raise PublishError(
                        f"Rows of different recipes are never mixed, and the suites {run.suite.get('name')!r} differ "
                        "in\n" + "\n".join(lines) + "\nOnly membership.targets and membership.shadows may differ. "
                        "Give one of the suites another name, or publish it to another folder with --to."
                    )

    def prune(self) -> None:
        """Forget scores and runs that no row needs any more."""
        rows = [*self.rows.values(), *self.null_rows.values()]
        needed = {sha256 for row in rows for sha256 in (row.scores_sha256, row.baseline_sha256) if sha256}
        self.scores = {sha256: self.scores[sha256] for sha256 in needed}
        ids = {row.run_id for row in rows}
        self.runs = {run_id: self.runs[run_id] for run_id in sorted(ids)}


def _told(run: Run, part: Verification, ours: bool, describe: Describe) -> Run:
    """What is published of a run that was verified: from its folder, from what we published, or from a submission."""
    if ours:
        return run
    if part.path.is_dir():
        reproduce, code = describe(run.suite, run.run_id)
        said = {"verified_from": "run folder", "reproduce": reproduce, "code": code, "not_checked": part.notes}
        return run.model_copy(update=said)
    return run.model_copy(update={"verified_from": "published files"})


def _news(known: Run, told: Run) -> bool:
    """Whether ``told`` says more of the same run than ``known``: a later program, or less evidence, is no news."""
    if known.verified_from != "run folder" and told.verified_from == "run folder":
        return True
    ignored = {name: getattr(known, name) for name in ("code", "not_checked", "verified_from")}
    return told.model_copy(update=ignored) != known


def file_names(path: Path) -> dict[str, str]:
    """File names by role, in the order they are moved into place: the provenance, which hashes the others, last."""
    suffixes = {
        "scores": ".scores.parquet", "null": ".null.csv", "summary": ".summary.csv", "rows": ".csv",
        "provenance": ".provenance.json",
    }  # fmt: skip
    return {role: path.with_suffix(suffix).name for role, suffix in suffixes.items()}


def changes_of(board: Board, content: Mapping[str, bytes], address: str) -> Changes:
    """What the files of ``content``, by role, change beside those that are there."""
    names = file_names(board.path)
    results = board.before.results if board.before else None
    old = {row_name(row): row for row in results.rows} if results else {}
    changed = [
        (subject(row), column, before, after)
        for name, row in board.rows.items()
        if name in old and old[name] != row
        for column, before, after in _cells(old[name], row)
    ]
    other = []
    for role, name in names.items():
        file = board.path.with_name(name)
        wanted = None if role == "scores" and address else content.get(role)
        if role != "rows" and board.before and (file.read_bytes() if file.is_file() else None) != wanted:
            other.append({"scores": "the kept scores", "null": "the null control"}.get(role, f"the {role}"))
    return Changes(
        board.path,
        rows=len(board.rows),
        null_rows=len(board.null_rows),
        targets=len({row.target for row in board.rows.values()}),
        pack_bytes=len(content["scores"]),
        added=tuple(subject(row) for name, row in board.rows.items() if name not in old),
        removed=tuple(subject(row) for name, row in old.items() if name not in board.rows),
        changed=tuple(changed),
        other=tuple(other),
        notes=tuple(board.notes),
    )


def _cells(old: Row, new: Row) -> Iterator[tuple[str, str, str]]:
    after = new.cells()
    for name, value in old.cells().items():
        texts = cell_text(name, value), cell_text(name, after[name])
        if texts[0] != texts[1]:
            yield name, *texts
