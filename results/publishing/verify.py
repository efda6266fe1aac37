"""Recompute what a leaderboard states, from its kept scores and whatever else came with it, and name what disagrees.

*Files.* In a run every file of every node has the sha256 of its manifest, and manifests fit their folders and parents.
Beside a published leaderboard every file has the sha256 of the provenance.

*Text.* Rows are written as this program writes them: order, digits, no cell that a spreadsheet would execute, no row
twice.

*Scores.* Each row's scores are there, by the hash of their content, and are of the row's attack, variant and target; so
are those of its baseline. Every statistical cell is recomputed from them and compared in the digits of the file.

*Facts.* Every other cell is compared with the suite, and with what the nodes (a run) or the provenance (a published
leaderboard) recorded of data, seeds, artifacts and versions.

*Whole.* The suite hashes to ``recipe_sha256``; every row that it calls for is there, and no other; every row has a null
control, and the controls hold; no scores are kept that no row states; the summary over targets is recomputed.

What this cannot prove: that the scores came from the model and the data that are claimed. Whoever makes up scores, and
computes every row, hash and sidecar from them, passes. Nor does it see a false machine, duration, version or command:
these are only stated. Running the suite again settles that; the provenance says how.
"""

from __future__ import annotations

from pathlib import Path

from ..store import LEADERBOARD, ResultsError, open_results, run_of
from .problem import Problem
from .verification import Expectation, PlanError, Planner, Verification
from .verify_audit import verify_audit
from .verify_published import verify_published
from .verify_run import verify_run

__all__ = ["Expectation", "PlanError", "Planner", "Verification", "verify"]


def verify(
    path: Path,
    *,
    planner: Planner | None = None,
    pack: Path | None = None,
    agreed: set[bytes] | None = None,
) -> Verification:
    """Verify a run's folder, or a published leaderboard; see the module for what that means.

    Args:
        path: a run's folder (or the leaderboard in it), or a published leaderboard's CSV file.
        planner: says what a suite calls for; without it, missing rows are seen only where other files tell.
        pack: the scores of a published leaderboard whose provenance gives their address.
        agreed: rows that were recomputed before, see ``checks.check_statistics``.

    Raises:
        ResultsError: there is neither at ``path``; or the scores lie elsewhere and ``pack`` is not given or not there.
    """
    path = run_of(path)
    if not (path / LEADERBOARD).is_file() and not (path.is_file() and path.suffix == ".csv"):
        open_results(path)
    try:
        results = open_results(path)
    except ResultsError as error:
        return Verification(path, (Problem(path.name, str(error)),))
    if path.is_dir() and results.audited:
        return verify_audit(results, agreed)
    if path.is_dir():
        return verify_run(results, planner, agreed)
    return verify_published(results, planner, pack, agreed)
