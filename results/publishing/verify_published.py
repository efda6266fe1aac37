"""Verify a published leaderboard: every row against the scores beside it, every other cell against the provenance."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..metrics import ScoreError
from ..records import Row
from ..scores import Scores, read_pack
from ..store import Results, ResultsError
from . import checks
from .checks import OF_ARTIFACT, Facts
from .problem import Placed, Problem
from .provenance import Provenance, ProvenanceError, Run, leading_suite, read_provenance, recipe_sha256
from .summary import summary_columns, summary_csv
from .verification import Planner, Verification, common, once, placed_rows, planned


def verify_published(
    results: Results, planner: Planner | None, pack: Path | None, agreed: set[bytes] | None
) -> Verification:
    """Verify a published leaderboard; see ``verify``.

    Raises:
        ResultsError: its scores lie elsewhere, and ``pack`` is not given or not there.
    """
    path = results.path
    problems: list[Problem] = []
    notes: list[str] = []
    files = (path.name, path.with_suffix(".null.csv").name)
    placed, null = placed_rows(results.rows, files[0]), placed_rows(results.null_rows, files[1])
    if not placed:
        problems.append(Problem(path.name, "holds no row"))
    try:
        provenance: Provenance | None = read_provenance(path.with_suffix(".provenance.json"))
    except ProvenanceError as error:
        provenance = None
        problems.append(Problem(path.with_suffix(".provenance.json").name, str(error)))
    kept = _pack_of(path, provenance, pack)
    scores, found = _scores_of_pack(kept)
    problems += found
    if not found:
        problems += common(results, placed, null, scores, agreed, files)
        problems += checks.check_unused([*results.rows, *results.null_rows], scores, kept.name)
        problems += _check_summary(results, scores)
    runs = provenance.runs if provenance else ()
    if provenance:
        problems += _check_facts(path, provenance, placed, null)
        expected = planned([run.suite for run in runs], planner, notes)
        if expected:
            together = {name: facts for one in expected for name, facts in one.rows.items()}
            problems += checks.check_whole(placed, null, together, files)
        # Last, and only where nothing above says which cell it is.
        hashed = list(_check_hashes(path, provenance, kept))
        problems += [p for p in hashed if not any(q.file == p.file for q in problems)]
    return Verification(path, once(problems), tuple(notes), results, scores, runs, 4 if provenance else 0)


def _pack_of(path: Path, provenance: Provenance | None, pack: Path | None) -> Path:
    beside = path.with_suffix(".scores.parquet")
    if provenance is None or not provenance.scores.address:
        return beside
    if pack is None or not pack.is_file():
        given = "" if pack is None else f" There is no file {pack}."
        raise ResultsError(
            f"The scores of {path} ({provenance.scores.bytes / 1e6:.1f} MB, sha256 {provenance.scores.sha256[:12]}…) "
            f"lie at {provenance.scores.address}.{given} Download them and say where they are with --scores FILE."
        )
    return pack


def _scores_of_pack(pack: Path) -> tuple[dict[str, Scores], list[Problem]]:
    try:
        return {scores.sha256: scores for scores in read_pack(pack)}, []
    except FileNotFoundError:
        return {}, [Problem(pack.name, "is missing: nothing can be recomputed without the scores")]
    except ScoreError as error:
        return {}, [Problem(pack.name, str(error))]


def _check_facts(
    path: Path, provenance: Provenance, placed: Sequence[Placed], null: Sequence[Placed]
) -> Iterator[Problem]:
    file = path.with_suffix(".provenance.json").name
    runs = {run.run_id: run for run in provenance.runs}
    leading = leading_suite(provenance.runs)
    if provenance.suite != leading:
        fields = sorted(key for key in {*leading, *provenance.suite} if leading.get(key) != provenance.suite.get(key))
        yield Problem(file, f"the suite is not that of the run with most targets and shadows, in: {', '.join(fields)}")
    for run in provenance.runs:
        if recipe_sha256(run.suite) != run.recipe_sha256:
            says = f"the suite of run {run.run_id} hashes to {recipe_sha256(run.suite)[:12]}…, not to its recipe_sha256"
            yield Problem(file, says)
    for run in provenance.runs:
        if (counted := sum(machine.nodes for machine in run.machines)) != run.nodes:
            yield Problem(file, f"nodes of run {run.run_id} is {run.nodes}, those of its machines are {counted}")
    for what, count, rows in (("rows", provenance.rows, placed), ("null_rows", provenance.null_rows, null)):
        if count != len(rows):
            yield Problem(file, f"{what} is {count}, there are {len(rows)}")
    known = [one for one in (*placed, *null) if one.row.run_id in runs]
    yield from (
        one.problem("the provenance knows", "run_id", one.row.run_id, ", ".join(sorted(runs)))
        for one in (*placed, *null)
        if one.row.run_id not in runs
    )
    facts = {run.run_id: _Recorded(run) for run in provenance.runs}
    yield from checks.check_cells(known, lambda row: facts[row.run_id].cells(row), "the provenance says")
    yield from checks.check_shadows(known, lambda row: facts[row.run_id].shadows(row), "the provenance says")


class _Recorded:
    """What the provenance says of one run's rows."""

    def __init__(self, run: Run) -> None:
        data = run.data
        self._run = run
        self._variants = {(v.target, v.framework, v.setting): v for v in run.variants}
        self._same: dict[str, Any] = {
            **{"data": data.name, "data_source": data.source, "data_version": data.version, "data_sha256": data.sha256},
            "versions": run.versions,
        }

    def shadows(self, row: Row) -> tuple[int, ...]:
        """How many shadows the row's scores were made with, if anything is said of them."""
        return self._run.shadows.get(row.scores_sha256, ())

    def cells(self, row: Row) -> Facts:
        attack, seed = self._run.attacks.get(row.attack), self._run.seeds.get(row.target)
        variant = self._variants.get((row.target, row.framework, row.setting))
        facts = {name: variant.facts.get(name) for name in OF_ARTIFACT} if variant else checks.without_artifact()
        return {
            **checks.suite_cells(self._run.suite, row),
            **self._same,
            "target_seed": seed,
            "access": attack.access if attack else "",
            "queries": attack.queries if attack else None,
            "technique": variant.technique if variant else "multiple",
            **checks.with_notes(facts, self._run.attack_notes.get(row.scores_sha256, ())),
        }


def _check_summary(results: Results, scores: Mapping[str, Scores]) -> Iterator[Problem]:
    path = results.path.with_suffix(".summary.csv")
    if not path.is_file():
        yield Problem(path.name, "is missing")
        return
    try:
        wanted = summary_csv(results.rows, scores).splitlines()
    except (KeyError, ScoreError):
        return  # its rows' scores are missing, which has been said
    stated = path.read_bytes().decode("utf-8", "replace").splitlines()
    if stated == wanted:
        return
    if len(stated) != len(wanted) or stated[0] != wanted[0]:
        yield Problem(path.name, f"has {len(stated)} lines, or other columns; recomputed there are {len(wanted)} lines")
        return
    for line, (have, want) in enumerate(zip(csv.reader(stated), csv.reader(wanted), strict=True), start=1):
        for name, one, other in zip(summary_columns(), have, want, strict=False):
            if one != other:
                yield Problem(path.name, "recomputed", line, " ".join(want[5:8]), name, one, other)


def _check_hashes(path: Path, provenance: Provenance, pack: Path) -> Iterator[Problem]:
    names = {"rows": path, "null": path.with_suffix(".null.csv"), "summary": path.with_suffix(".summary.csv")}
    expected = {"rows", "summary"} | ({"null"} if provenance.null_rows else set())
    if set(provenance.files) != expected:
        yield Problem(path.with_suffix(".provenance.json").name, f"files must be {', '.join(sorted(expected))}")
    stated = [(names[role], file.sha256) for role, file in provenance.files.items() if role in names]
    for file, sha256 in (*stated, (pack, provenance.scores.sha256)):
        if not file.is_file():
            yield Problem(file.name, "is missing; the provenance names it")
        elif (found := hashlib.sha256(file.read_bytes()).hexdigest()) != sha256:
            yield Problem(file.name, f"its sha256 is {found[:12]}…, the provenance says {sha256[:12]}…")
