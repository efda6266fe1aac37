"""What each deployed artifact is: read back from the file, run by its own interpreter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..artifacts import Artifact, artifact_of
from ..records import Row, columns
from .columns import number, table, text
from .leaderboard import shared
from .names import MULTIPLE, variant_names


def compression(rows: Sequence[Row]) -> dict[str, Any] | None:
    """A row for each artifact of each target; None where no row is of a single artifact."""
    artifacts: dict[Artifact, Row] = {}
    for row in rows:
        if row.technique != MULTIPLE:
            artifacts.setdefault(artifact_of(row), row)
    found = list(artifacts.values())
    if not found:
        return None
    names, meaning, same = variant_names(found), columns(), shared(rows)
    return table(
        [
            text("Artifact", [names[row.framework, row.setting] for row in found]),
            *(
                text(name.capitalize(), [getattr(row, name) for row in found], filtered=True)
                for name in ("suite", "data", "model", "target")
                if name not in same
            ),
            text("Framework", [row.framework for row in found], filtered=True, show=False),
            text("Technique", [row.technique for row in found], filtered=True, show=False),
            number("Sparsity", [row.sparsity for row in found], "fraction", help=meaning["sparsity"]),
            number(
                "Distinct values", [row.distinct_values for row in found], "integer", help=meaning["distinct_values"]
            ),
            text("Weights stored as", [row.weight_dtypes for row in found], help=meaning["weight_dtypes"]),
            number("kB", [row.bytes for row in found], "kilobytes", help=meaning["bytes"]),
            number("kB gzip", [row.bytes_gzip for row in found], "kilobytes", help=meaning["bytes_gzip"]),
            number(
                "Times smaller", [row.compression_ratio for row in found], "ratio", help=meaning["compression_ratio"]
            ),
            number("Accuracy", [row.accuracy for row in found], "fraction", help=meaning["accuracy"]),
            number("On members", [row.accuracy_members for row in found], "fraction", help=meaning["accuracy_members"]),
            number("Agreement", [row.agreement for row in found], "fraction", help=meaning["agreement"]),
            number("Latency, ms", [row.latency_ms for row in found], "milliseconds", help=meaning["latency_ms"]),
            number(
                "Best, ms", [row.latency_best_ms for row in found], "milliseconds", help=meaning["latency_best_ms"]
            ),
        ]
    )  # fmt: skip


def remarks(rows: Sequence[Row]) -> list[tuple[str, list[str]]]:
    """Each note that rows carry, and the artifacts that it is about."""
    names = variant_names(rows)
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        for note in filter(None, re.split(r"(?<=\.); ", row.notes)):
            found.setdefault(note, {})[names[row.framework, row.setting]] = None
    return [(note, list(about)) for note, about in found.items()]
