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
class Ran:
    """One suite, and how to run it again.

    Attributes:
        name: its own, else of its rows.
        suite: as YAML; empty where it was not kept.
        file: name of the file that ``commands`` take it from.
        commands: to be typed in order.
    """

    name: str
    suite: str
    file: str
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Configuration:
    """What a reader needs to repeat or to cite the results.

    Attributes:
        suites: each that was run.
        facts: what the rows state of their origin: meaning, column, and every value it takes.
        versions: library and version, sorted.
    """

    suites: tuple[Ran, ...]
    facts: tuple[tuple[str, str, tuple[str, ...]], ...]
    versions: tuple[tuple[str, str], ...]


def configuration(results: Results) -> Configuration:
    """Gather the configuration of ``results``."""
    rows = results.rows
    facts = (("definition of the columns", "schema_version", (str(SCHEMA_VERSION),)), *_facts(rows))
    numbered = enumerate(results.among, start=1) if results.among else [(None, results)]
    return Configuration(tuple(_ran(one, number) for number, one in numbered), facts, _versions(rows))


def _ran(results: Results, number: int | None) -> Ran:
    """How to run one of several suites again, or (without a number) the only one."""
    name = str(results.suite.get("name") or ", ".join(dict.fromkeys(row.suite for row in results.rows)))
    suite = yaml.safe_dump(dict(results.suite), sort_keys=False, allow_unicode=True) if results.suite else ""
    suffix = "" if number is None else f"-{number}"
    file, again = f"suite{suffix}.yaml", f"runs/again{suffix}"
    own = [version for library, version in _versions(results.rows) if library == "compleak-bench"]
    exact = len(own) == 1 and "|" not in own[0]
    commands = [f"pip install compleak-bench=={own[0]}" if exact else "pip install compleak-bench"]
    if results.audited:
        commands.append("compleak audit ...    # the same outputs or files once more: an audit keeps neither")
    elif suite:
        commands += [
            f"compleak run {file} --out {again}    # {file}: the text below",
            f"compleak verify {again}",
            f"compleak report {again} -o report{suffix}",
        ]
    return Ran(name, suite, file, tuple(commands))


def _facts(rows: Sequence[Row]) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    return tuple(
        (meaning, name, tuple(dict.fromkeys(str(getattr(row, name)) for row in rows)))
        for name, meaning in _HASHES.items()
    )


def _versions(rows: Sequence[Row]) -> tuple[tuple[str, str], ...]:
    """Every library and version that a row names, sorted."""
    pairs = (part.partition("=") for versions in {row.versions for row in rows} for part in versions.split())
    return tuple(sorted({(name, version) for name, _, version in pairs}))
