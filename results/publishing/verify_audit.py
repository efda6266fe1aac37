"""Verify the folder of an audit: as a run's, but the model was made elsewhere, so no node tells how.

An audit keeps the scores, and beside them, in ``facts.json``, the cells of every row that its scores do not tell.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..metrics import ScoreError
from ..records import Cell, Row
from ..scores import Scores, read_scores
from ..store import LEADERBOARD, NULL_CONTROL, Results
from . import checks
from .problem import Problem
from .run_folder import NodeRecord, check_files, read_nodes
from .verification import Verification, common, once, placed_rows

FACTS = "facts.json"
SUMMARY = "summary.txt"
SUMMARY_SHA256 = "summary_sha256"
_KEY = ("attack", "framework", "setting")
_NOT_CHECKED = "that the scores are the audited model's, for an audit keeps neither the model nor its outputs"


def facts_of(row: Row) -> dict[str, str | Cell]:
    """The cells of a row that are not recomputed from its scores."""
    cells = row.cells()
    computed = {name for name in cells if name.startswith(("auc", "balanced_accuracy", "tpr_at_", "n_"))}
    return {name: value for name, value in cells.items() if name not in computed}


def verify_audit(results: Results, agreed: set[bytes] | None) -> Verification:
    """Verify an audit's folder; see ``verify``."""
    nodes, problems = read_nodes(results.path)
    problems += check_files(results.path, nodes.values())
    problems += _summary(results, nodes.values())
    placed = placed_rows(results.rows, LEADERBOARD)
    if not placed:
        problems.append(Problem(LEADERBOARD, "holds no row"))
    scores: dict[str, Scores] = {}
    for file in sorted((results.path / "nodes" / "attack").glob("*/*.parquet")):
        try:
            found = read_scores(file)
            scores[found.sha256] = found
        except (ScoreError, OSError) as error:
            problems.append(Problem(file.relative_to(results.path).as_posix(), str(error)))
    problems += common(results, placed, [], scores, agreed, (LEADERBOARD, NULL_CONTROL))
    problems += checks.check_cells(placed, lambda row: checks.suite_cells(results.suite, row), "the suite says")
    problems += checks.check_unused(results.rows, scores, "nodes/attack")
    facts, unreadable = _recorded(results)
    problems += unreadable
    known = [one for one in placed if _key(one.row.cells()) in facts]
    problems += checks.check_cells(known, lambda row: facts[_key(row.cells())], f"{FACTS} says")
    problems += [one.problem(f"{FACTS} knows of no such row") for one in placed if facts and one not in known]
    stated = {_key(one.row.cells()) for one in placed}
    problems += [Problem(LEADERBOARD, f"a row is not there: {', '.join(key)}") for key in sorted(facts.keys() - stated)]
    files = sum(len(node.files) for node in nodes.values())
    return Verification(results.path, once(problems), (_NOT_CHECKED,), results, scores, (), files)


def _summary(results: Results, nodes: Iterable[NodeRecord]) -> list[Problem]:
    """Whether the words are those that were written with the rows."""
    configs = [node.manifest.get("config") for node in nodes if node.stage == "collect"]
    stated = [config.get(SUMMARY_SHA256) for config in configs if isinstance(config, dict)]
    try:
        found = hashlib.sha256((results.path / SUMMARY).read_bytes()).hexdigest()
    except OSError as error:
        return [Problem(SUMMARY, f"cannot be read ({type(error).__name__})")]
    return [] if stated == [found] else [Problem(SUMMARY, f"its sha256 is {found[:12]}…, which no manifest states")]


def _recorded(results: Results) -> tuple[dict[tuple[str, ...], dict[str, Any]], list[Problem]]:
    """The cells that were recorded, by row."""
    places = list((results.path / "nodes" / "collect").glob(f"*/{FACTS}"))
    if len(places) != 1:
        return {}, [Problem("nodes/collect", f"holds {len(places)} files {FACTS}, expected one")]
    try:
        recorded = json.loads(places[0].read_text(encoding="utf-8"))
        return {_key(cells): dict(cells) for cells in recorded}, []
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        place = places[0].relative_to(results.path).as_posix()
        return {}, [Problem(place, f"cannot be read ({type(error).__name__}: {error})")]


def _key(cells: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(cells[name]) for name in _KEY)
