"""Verify a run's folder: every file against its manifest, every row against its scores and its nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ..metrics import ScoreError
from ..records import Row
from ..scores import Scores, read_scores
from ..store import LEADERBOARD, NULL_CONTROL, SUITE, Results
from . import checks
from .checks import Facts
from .lineage import Lineage, lineages
from .problem import Placed, Problem
from .provenance import Run
from .run_folder import NodeRecord, RunFolderError, check_files, read_nodes
from .verification import Expectation, Planner, Verification, common, needed_scores, once, placed_rows, planned


def verify_run(results: Results, planner: Planner | None, agreed: set[bytes] | None) -> Verification:
    """Verify a run's folder; see ``verify``."""
    run = results.path
    problems: list[Problem] = []
    notes: list[str] = []
    nodes, found = read_nodes(run)
    problems += found + check_files(run, nodes.values())
    placed, null = placed_rows(results.rows, LEADERBOARD), placed_rows(results.null_rows, NULL_CONTROL)
    if not placed:
        problems.append(Problem(LEADERBOARD, "holds no row"))
    scores, places, found = _scores_of_run(results, nodes)
    problems += found
    problems += common(results, placed, null, scores, agreed, (LEADERBOARD, NULL_CONTROL))
    runs: tuple[Run, ...] = ()
    if not results.suite:
        problems.append(Problem(SUITE, "is missing or empty: nothing says what was run"))
    else:
        problems += checks.check_cells(
            (*placed, *null), lambda row: checks.suite_cells(results.suite, row), "the suite says"
        )
    if placed and results.suite and not any(p.cell.endswith("_sha256") for p in problems):
        try:
            lineage, found = _lineage(nodes, places, (*placed, *null))
            problems += found
            runs = (lineage.record(results.suite, [*results.rows, *results.null_rows]),)
            notes += _other_versions(nodes.values(), results.rows[0])
        except RunFolderError as error:
            problems.append(Problem("nodes", str(error)))
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            # Somebody else's JSON may hold anything.
            says = f"what they recorded cannot be followed ({type(error).__name__}: {error})"
            problems.append(Problem("nodes", says))
    expected = planned([results.suite] if results.suite else [], planner, notes)
    if expected:
        problems += checks.check_whole(placed, null, expected[0].rows, (LEADERBOARD, NULL_CONTROL))
        if {row.run_id for row in results.rows} == {expected[0].run_id}:
            problems += _check_configs(run, nodes, expected[0])
        else:
            notes.append("the configs in the manifests, for the run was made by other code or data than are here")
    files = sum(len(node.files) for node in nodes.values())
    return Verification(run, once(problems), tuple(notes), results, scores, runs, files)


def _scores_of_run(
    results: Results, nodes: Mapping[str, NodeRecord]
) -> tuple[dict[str, Scores], dict[str, list[NodeRecord]], list[Problem]]:
    """The scores that the rows need by hash, the nodes that hold each, and files that cannot be read."""
    needed, scores, problems = needed_scores(results), {}, []
    by_folder = {node.folder: node for node in nodes.values()}
    places: dict[str, list[NodeRecord]] = {}
    for file in sorted((results.path / "nodes" / "attack").glob("*/*.parquet")):
        try:
            found = read_scores(file)
        except (ScoreError, OSError) as error:
            problems.append(Problem(file.relative_to(results.path).as_posix(), str(error)))
            continue
        sha256 = found.sha256
        if sha256 in needed:
            scores[sha256] = found
            if file.parent in by_folder:
                places.setdefault(sha256, []).append(by_folder[file.parent])
    return scores, places, problems


def _lineage(
    nodes: Mapping[str, NodeRecord], places: Mapping[str, Sequence[NodeRecord]], placed: Sequence[Placed]
) -> tuple[Lineage, list[Problem]]:
    """The nodes that the rows rest on, and where rows disagree with them; of several, those that agree best."""
    found = [(lineage, list(_check_lineage(lineage, placed))) for lineage in lineages(nodes, places)]
    return min(found, key=lambda pair: len(pair[1]))


def _check_lineage(lineage: Lineage, placed: Sequence[Placed]) -> Iterator[Problem]:
    data = lineage.data()
    of_data = {"data": data.name, "data_source": data.source, "data_version": data.version, "data_sha256": data.sha256}
    first = placed[0].row
    known: dict[tuple[str, str, str], Facts] = {}

    def expected(row: Row) -> Facts:
        place = (row.target, row.framework, row.setting)
        if place not in known:
            known[place] = checks.without_artifact() if row.technique == "multiple" else lineage.facts(row)
        facts = checks.with_notes(known[place], lineage.attack_notes(row))
        return {**of_data, "target_seed": lineage.seed(row.target), "run_id": first.run_id, **facts}

    yield from checks.check_cells(placed, expected, "the run's nodes say")
    yield from checks.check_shadows(placed, lambda row: lineage.shadows[row.scores_sha256], "the attacks' nodes say")
    sure, possible = lineage.versions_seen()
    for one in placed:
        stated = _stated_versions(one.row)
        if any(not stated.get(n, set()) >= v for n, v in sure.items()) or any(
            not v <= possible.get(n, set()) for n, v in stated.items()
        ):
            text = " ".join(f"{name}={'|'.join(sorted(sure[name]))}" for name in sorted(sure))
            yield one.problem("the run's manifests say", "versions", one.row.versions, text)


def _stated_versions(row: Row) -> dict[str, set[str]]:
    return {name: set(v.split("|")) for name, _, v in (part.partition("=") for part in row.versions.split())}


def _other_versions(nodes: Iterable[NodeRecord], row: Row) -> list[str]:
    """A note on nodes whose versions no row states: left from an earlier run, or changed."""
    stated = _stated_versions(row)
    odd = [
        node.folder.name
        for node in nodes
        if any(version not in stated.get(name, ()) for name, version in node.manifest.get("versions", {}).items())
    ]
    what = f"{len(odd)} {'node' if len(odd) == 1 else 'nodes'} of other versions than the rows state"
    return [f"{what}, on which they need not rest, as {odd[0]}"] if odd else []


def _check_configs(run: Path, nodes: Mapping[str, NodeRecord], expected: Expectation) -> Iterator[Problem]:
    for key, planned_node in expected.nodes.items():
        if key not in nodes:
            stage, name, *_ = planned_node
            yield Problem(f"nodes/{stage}", f"the suite calls for a node {name} with the key {key[:12]}…, not there")
        elif (nodes[key].stage, nodes[key].name, nodes[key].manifest["config"], nodes[key].parents) != planned_node:
            place = nodes[key].folder.relative_to(run).as_posix()
            yield Problem(f"{place}/manifest.json", "stage, name, config or parents are not what the suite says")
