"""The examples' classes, from the observations that a run's folder keeps; a published file has none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..store import LEADERBOARD, Results, rows_together, runs_in

Labels = Mapping[str, Mapping[int, int]]


def labels(results: Results) -> Labels:
    """Class of each example by its pool's hash (``Row.data_sha256``) and the example's id.

    A pool whose classes are not kept, or contradict each other, has none.

    Args:
        results: of one run's folder or published CSV file, or of several together, of which each is asked.

    Raises:
        ResultsError, LeaderboardError: a run's suite or rows cannot be read.
    """
    found: dict[str, dict[int, int]] = {}
    contradicted = set()
    for one in results.among or (results,):
        for run in runs_in(one.path) if one.path.is_dir() else ():
            rows = one.rows if run == one.path else rows_together([run], LEADERBOARD)
            for pool in {row.data_sha256 for row in rows}:
                known = found.setdefault(pool, {})
                for path in sorted(run.glob("nodes/collect/*/observations.zarr")):
                    if any(known.setdefault(example, label) != label for example, label in _read(path).items()):
                        contradicted.add(pool)
    return {pool: known for pool, known in found.items() if known and pool not in contradicted}


def _read(path: Path) -> dict[int, int]:
    import zarr

    try:
        group = zarr.open_group(path, mode="r")
        example, label = (np.asarray(group[name]) for name in ("example", "label"))
    except (OSError, KeyError, ValueError):
        return {}
    return dict(zip(example.tolist(), label.tolist(), strict=False))
