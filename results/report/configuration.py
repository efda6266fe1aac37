"""Exactly what was run, and how to run it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from ..records import SCHEMA_VERSION, Row
from ..store import Results

_HASHES = {
    "data_sha256": "pool of examples",
    "recipe_sha256": "whole recipe",
    "run_id": "run",
    "target_seed": "seed of a target’s training",
    "data_source": "where the data came from",
    "data_version": "revision of the data",
}


@dataclass(frozen=True)
class Configuration:
    """What a reader needs to repeat or to cite the results.

    Attributes:
        suite: as YAML; empty where it was not kept.
        facts: what the rows state of their origin: meaning, column, and every value it takes.
        versions: library and version, sorted.
        commands: to be typed in order.
    """

    suite: str
    facts: tuple[tuple[str, str, tuple[str, ...]], ...]
    versions: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]


def configuration(results: Results) -> Configuration:
    """Gather the configuration of ``results``."""
    rows = results.rows
    versions = sorted({pair for row in rows for pair in _versions(row)})
    facts = (("definition of the columns", "schema_version", (str(SCHEMA_VERSION),)), *_facts(rows))
    suite = yaml.safe_dump(dict(results.suite), sort_keys=False, allow_unicode=True) if results.suite else ""
    return Configuration(suite, facts, tuple(versions), _commands(results, dict(versions)))


def _facts(rows: Sequence[Row]) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    return tuple(
        (meaning, name, tuple(dict.fromkeys(str(getattr(row, name)) for row in rows)))
        for name, meaning in _HASHES.items()
    )


def _versions(row: Row) -> list[tuple[str, str]]:
    return [(name, version) for part in row.versions.split() for name, _, version in [part.partition("=")]]


def _commands(results: Results, versions: dict[str, str]) -> tuple[str, ...]:
    own = versions.get("compleak-bench")
    install = f"pip install compleak-bench=={own}" if own and "|" not in own else "pip install compleak-bench"
    if not results.suite:
        return (install,)
    return (
        install,
        "compleak run suite.yaml --out runs/again    # suite.yaml: the text below",
        "compleak verify runs/again",
        "compleak report runs/again -o report",
    )
