"""What a verification is held against, what it finds, and the checks that runs and published files share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..records import Row
from ..scores import Scores
from ..store import Results
from . import checks
from .checks import Facts, RowName
from .problem import Placed, Problem
from .provenance import Run


@dataclass(frozen=True)
class Expectation:
    """What a suite alone says about its rows and its run.

    Attributes:
        rows: for each row that the suite calls for, the cells that it must show.
        run_id: of the run that today's code would make; empty where that cannot be known.
        nodes: of that run, by key: stage, name, config, and the parents' keys by role.
    """

    rows: Mapping[RowName, Facts]
    run_id: str = ""
    nodes: Mapping[str, tuple[str, str, Mapping[str, Any], Mapping[str, str]]] = field(default_factory=dict)


class PlanError(ValueError):
    """A suite that today's program cannot plan; the message says why."""


Planner = Callable[[Mapping[str, Any]], Expectation]


@dataclass(frozen=True)
class Verification:
    """What was found.

    Attributes:
        path: what was verified.
        problems: everything that disagrees.
        notes: what was not checked, and why.
        results: the rows and the suite; None where they cannot be read.
        scores: those that the rows need, by hash.
        runs: what is known of the runs that made the rows.
        files: how many files were hashed.
    """

    path: Path
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()
    results: Results | None = field(default=None, repr=False)
    scores: Mapping[str, Scores] = field(default_factory=dict, repr=False)
    runs: tuple[Run, ...] = field(default=(), repr=False)
    files: int = 0

    @property
    def sound(self) -> bool:
        """Whether nothing disagrees."""
        return not self.problems

    def summary(self) -> str:
        """One line."""
        rows, null = (len(self.results.rows), len(self.results.null_rows)) if self.results else (0, 0)
        found = "problem" if len(self.problems) == 1 else "problems"
        return (
            f"{self.path}: {'verified' if self.sound else f'{len(self.problems):,} {found}'}; {rows:,} rows and "
            f"{null:,} of the null control against {len(self.scores):,} sets of scores, {self.files:,} files hashed"
        )


def common(
    results: Results,
    placed: Sequence[Placed],
    null: Sequence[Placed],
    scores: Mapping[str, Scores],
    agreed: set[bytes] | None,
    files: tuple[str, str],
) -> Iterator[Problem]:
    """How rows are written, their statistics, and the null control: the same for runs and published files."""
    run = results.path.is_dir()
    for rows, file in ((placed, files[0]), (null, files[1])):
        place = results.path / file if run else results.path.with_name(file)
        if place.is_file():
            yield from checks.check_text(place.read_bytes().decode(), rows, file)
        yield from checks.check_statistics(rows, scores, agreed)
    membership = results.suite.get("membership")
    wanted = bool(membership.get("null")) if isinstance(membership, Mapping) else False
    yield from checks.check_null(placed, null, wanted, files[1])


def placed_rows(rows: Sequence[Row], file: str) -> list[Placed]:
    """Rows with the lines of ``file`` that they stand in."""
    return [Placed(file, line, row) for line, row in enumerate(rows, start=2)]


def needed_scores(results: Results) -> set[str]:
    """Hashes of the scores that the rows and their baselines rest on."""
    rows = (*results.rows, *results.null_rows)
    return {sha256 for row in rows for sha256 in (row.scores_sha256, row.baseline_sha256) if sha256}


def planned(suites: Iterable[Mapping[str, Any]], planner: Planner | None, notes: list[str]) -> list[Expectation]:
    """What the suites call for; nothing, and a note, where that cannot be known."""
    if planner is None:
        notes.append("whether the suite calls for other rows")
        return []
    try:
        return [planner(suite) for suite in suites]
    except PlanError as error:
        notes.append(f"whether the suite calls for other rows, for this program cannot plan it: {error}")
        return []


def once(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each cell of each row once, by the first check that found it wrong."""
    seen: dict[tuple[Any, ...], Problem] = {}
    for problem in problems:
        key = (problem.file, problem.row, problem.cell) if problem.cell else (problem.file, problem.row, problem.says)
        seen.setdefault(key, problem)
    return tuple(seen.values())
