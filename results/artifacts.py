"""Which rows are about the same artifact, or the same target, and how many examples that has.

A row says how many examples its *attack* scored. An attacker who knows half of them (``Row.partly_known``) scores the
other half; the target has, and its artifacts' accuracies are those of, as many as the row with the most scored.
"""

from __future__ import annotations

from collections.abc import Iterable

from .records import Row

Artifact = tuple[str | int, ...]
UNKNOWN = "unknown"  # the framework of artifacts of which only outputs were seen
_TARGET = ("suite", "data", "data_sha256", "model", "target", "target_seed", "recipe_sha256")
_ARTIFACT = (*_TARGET, "framework", "setting")


def artifact_of(row: Row) -> Artifact:
    """What the rows of one artifact agree in, whatever attack they are of."""
    return tuple(getattr(row, name) for name in _ARTIFACT)


def judged_on(rows: Iterable[Row]) -> dict[Artifact, int]:
    """How many non-members the accuracy of each artifact was measured on."""
    most: dict[Artifact, int] = {}
    for row in rows:
        key = artifact_of(row)
        most[key] = max(most.get(key, 0), row.n_nonmembers)
    return most


def sizes(rows: Iterable[Row]) -> tuple[list[int], list[int]]:
    """How many members the targets have, and how many non-members; each number once, ascending."""
    most: dict[tuple[str | int, ...], tuple[int, int]] = {}
    for row in rows:
        key = tuple(getattr(row, name) for name in _TARGET)
        members, others = most.get(key, (0, 0))
        most[key] = max(members, row.n_members), max(others, row.n_nonmembers)
    return sorted({members for members, _ in most.values()}), sorted({others for _, others in most.values()})
