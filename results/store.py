"""Finished results, wherever they lie: a run's folder, or a published leaderboard with its scores beside it.

Whoever reads results (``verify``, ``publish``, ``compare``, ``report``) reads them through ``open_results``.

=====================  =======================================  =====================================
what                   in a run's folder                        beside a published ``NAME.csv``
=====================  =======================================  =====================================
rows                   ``leaderboard.csv``                      ``NAME.csv``
null control           ``null_control.csv``, if there is one    ``NAME.null.csv``, if there is one
suite                  ``suite.yaml``                           ``NAME.provenance.json``, key ``suite``
scores                 ``nodes/attack/*/TARGET.parquet``        ``NAME.scores.parquet``, or at the
                                                                address that the provenance has
provenance             ``nodes/*/*/manifest.json``              ``NAME.provenance.json``
means over targets     none                                     ``NAME.summary.csv``
warnings of an audit   ``nodes/collect/*/warnings.json``        none: an audit is not published
=====================  =======================================  =====================================
"""

from __future__ import annotations

import hashlib
import json
import os.path
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from .leaderboard import LeaderboardError, identity, read_leaderboard, sort_rows
from .metrics import ScoreError
from .records import Row
from .scores import Scores, read_pack, read_scores

LEADERBOARD = "leaderboard.csv"
NULL_CONTROL = "null_control.csv"
SUITE = "suite.yaml"
AUDIT = "audit"  # the key of a suite that says that the model was made elsewhere
WARNINGS = "warnings.json"
_BESIDE = {".null": "the null control", ".summary": "the means over targets"}


class ResultsError(ValueError):
    """Results that cannot be read; the message is for the user."""


@dataclass(frozen=True, eq=False)
class Results:
    """The rows of one run or of one published leaderboard, and the scores behind them.

    Attributes:
        path: what was opened: a run's folder, or a CSV file; of several, the folder above all.
        rows: of the targets, in the file's order.
        null_rows: of the null control; none where there was no control.
        suite: the suite as it was run, as YAML has it.
        among: of several that stand together, each.
        warnings: of an audit, what speaks against believing it.
    """

    path: Path
    rows: tuple[Row, ...]
    null_rows: tuple[Row, ...] = ()
    suite: Mapping[str, Any] = field(default_factory=dict)
    among: tuple[Results, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def audited(self) -> bool:
        """Whether these are of a model that was made elsewhere."""
        return AUDIT in self.suite

    @cached_property
    def scores(self) -> Mapping[str, Scores]:
        """All kept scores, by the hash of their content, which is computed here and never believed.

        Raises:
            ScoreError: a file of scores cannot be read.
        """
        if self.among:
            return {sha256: scores for results in self.among for sha256, scores in results.scores.items()}
        if self.path.is_dir():
            files = (file for run in runs_in(self.path) for file in (run / "nodes" / "attack").glob("*/*.parquet"))
            found = [read_scores(file) for file in sorted(files)]
        else:
            pack = self.path.with_suffix(".scores.parquet")
            found = read_pack(pack) if pack.is_file() else []
        return {scores.sha256: scores for scores in found}

    def scores_of(self, row: Row) -> Scores:
        """The scores that ``row`` was computed from.

        Raises:
            ScoreError: they are not kept, or are not what they were when the row was written.
        """
        return self._kept(row.scores_sha256, row)

    def baseline_of(self, row: Row) -> Scores | None:
        """The scores that ``row`` was compared with; None where it was compared with none.

        Raises:
            ScoreError: see ``scores_of``.
        """
        return self._kept(row.baseline_sha256, row) if row.baseline_sha256 else None

    def _kept(self, sha256: str, row: Row) -> Scores:
        if sha256 not in self.scores:
            raise ScoreError(
                f"{self.path} keeps no scores with the hash {sha256[:12]}… that {row.attack} on {row.framework} "
                f"{row.setting} of {row.target} needs: they were changed, or were not kept."
            )
        return self.scores[sha256]


def runs_in(path: Path) -> tuple[Path, ...]:
    """The runs in a run's folder: itself, or its parts where the suite had some.

    Raises:
        ResultsError: its suite cannot be read.
    """
    try:
        suite = yaml.safe_load((path / SUITE).read_text(encoding="utf-8")) if (path / SUITE).is_file() else {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ResultsError(str(error)) from error
    parts = suite.get("parts") if isinstance(suite, dict) else None
    return tuple(path / str(part) for part in parts) if isinstance(parts, dict) else (path,)


def rows_together(runs: Sequence[Path], name: str) -> list[Row]:
    """The rows of a file that several runs have, ``leaderboard.csv`` or ``null_control.csv``; of those that have it."""
    return [row for run in runs if (run / name).is_file() for row in read_leaderboard(run / name)]


def parts_that_differ(path: Path) -> list[str]:
    """Files of a run's folder whose rows are not those of its parts together; none where it has no parts.

    Raises:
        ResultsError: its suite cannot be read.
    """
    runs = runs_in(path)
    if runs == (path,):
        return []
    together = {name: sort_rows(rows_together(runs, name)) for name in (LEADERBOARD, NULL_CONTROL)}
    return [name for name, rows in together.items() if sort_rows(_rows(path / name)) != rows]


def run_of(path: Path) -> Path:
    """The run's folder, where ``path`` is the leaderboard or the null control in it; else ``path`` itself."""
    own = path.name in (LEADERBOARD, NULL_CONTROL) and (path.parent / SUITE).is_file()
    return path.parent if own and not path.with_suffix(".provenance.json").is_file() else path


def open_results(path: Path) -> Results:
    """Open a run's folder, for which the ``leaderboard.csv`` in it may stand, or a published leaderboard's CSV file.

    Raises:
        ResultsError: there is neither at ``path``, or a file of it cannot be read.
    """
    _refuse_companions(path)
    path = run_of(path)
    try:
        if path.is_dir():
            if not (path / LEADERBOARD).is_file():
                raise ResultsError(
                    f"{path} holds no {LEADERBOARD}. Give the folder of a finished run, as runs/quickstart."
                )
            suite = yaml.safe_load((path / SUITE).read_text(encoding="utf-8")) if (path / SUITE).is_file() else {}
            if not isinstance(suite or {}, dict):
                raise ResultsError(f"{path / SUITE} is no suite: it must hold a mapping.")
            rows, null = _rows(path / LEADERBOARD), _rows(path / NULL_CONTROL)
            return Results(path, rows, null, suite or {}, warnings=_warnings(path))
        if path.suffix == ".csv" and path.is_file():
            notes = path.with_suffix(".provenance.json")
            content = json.loads(notes.read_text(encoding="utf-8")) if notes.is_file() else {}
            if not isinstance(content, dict) or not isinstance(content.get("suite", {}), dict):
                raise ResultsError(f"{notes} is no provenance: it must hold an object with the key 'suite'.")
            return Results(path, _rows(path), _rows(path.with_suffix(".null.csv")), content.get("suite", {}))
    except (LeaderboardError, OSError, UnicodeDecodeError, yaml.YAMLError, json.JSONDecodeError) as error:
        raise ResultsError(str(error)) from error
    raise ResultsError(
        f"There is no run and no leaderboard at {path}. Give a run's folder or a leaderboard's CSV file."
    )


def _refuse_companions(path: Path) -> None:
    """Say which file to give where ``path`` only stands beside a leaderboard.

    Raises:
        ResultsError: it does.
    """
    if path.name == NULL_CONTROL and run_of(path) != path:
        raise ResultsError(f"{path} is the null control of a run. Give the run's folder: {path.parent}")
    role = Path(path.stem).suffix
    rows = path.with_name(f"{path.stem.removesuffix(role)}.csv")
    if path.suffix == ".csv" and role in _BESIDE and path.is_file() and rows.is_file():
        raise ResultsError(f"{path} is {_BESIDE[role]} of a published leaderboard. Give the leaderboard: {rows}")


def changed_since_published(results: Results) -> list[Path]:
    """Files of rows that are not those whose hashes stand in the provenance beside them; where none lies, none."""
    changed = []
    for one in results.among or (results,):
        notes = one.path.with_suffix(".provenance.json")
        if one.path.is_dir() or not notes.is_file():
            continue
        for role, file in (("rows", one.path), ("null", one.path.with_suffix(".null.csv"))):
            found = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
            if _named(notes, role) not in (None, found):
                changed.append(file)
    return changed


def _named(notes: Path, role: str) -> str | None:
    """The hash that a provenance has for a file; None where it has none, empty where it cannot be read."""
    try:
        files = json.loads(notes.read_text(encoding="utf-8")).get("files", {})
        return str(files[role]["sha256"]) if role in files else None
    except (OSError, ValueError, TypeError, AttributeError, LookupError):  # somebody else's JSON may hold anything
        return ""


def open_together(paths: Sequence[Path]) -> Results:
    """Open several results as one: all rows, and the scores behind them; of one path, that.

    Raises:
        ResultsError: see ``open_results``; or a row stands in them twice, be it from another run of the same recipe.
    """
    among = tuple(open_results(path) for path in paths)
    if len(among) == 1:
        return among[0]
    holders: dict[tuple[str | int, ...], list[Path]] = defaultdict(list)
    for results in among:
        for row in results.rows:
            holders[identity(row)].append(results.path)
    if twice := [path for found in holders.values() if len(found) > 1 for path in found]:
        raise ResultsError(
            f"{' and '.join(map(str, dict.fromkeys(twice)))} hold the same rows more than once: the same attacks on "
            "the same targets, by the same recipe. Give only one of them."
        )
    rows, null = ([row for results in among for row in getattr(results, name)] for name in ("rows", "null_rows"))
    above = Path(os.path.commonpath([path.absolute() for path in paths]))
    return Results(above, tuple(sort_rows(rows)), tuple(sort_rows(null)), among=among)


def _warnings(path: Path) -> tuple[str, ...]:
    found: list[str] = []
    for file in sorted((path / "nodes" / "collect").glob(f"*/{WARNINGS}")):
        lines = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(lines, list):
            raise ResultsError(f"{file} holds no list of warnings: it was changed.")
        found += map(str, lines)
    return tuple(found)


def _rows(path: Path) -> tuple[Row, ...]:
    return tuple(read_leaderboard(path)) if path.is_file() else ()
