"""Where published rows come from: the sidecar ``NAME.provenance.json``, and when two recipes are the same.

Everything that a row states and that its scores cannot tell is here: the suite as it was run, data, seeds, what each
artifact weighed and could still do, machines, versions, and the command to reproduce it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from ..records import SCHEMA_VERSION, Cell

FORMAT = 1
NOT_IN_RECIPE = ("name", "description")
MAY_DIFFER = ("membership.targets", "membership.shadows")


class ProvenanceError(ValueError):
    """A sidecar that cannot be read; the message is for the user."""


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(_Value):
    """Which data: the cells ``data``, ``data_source``, ``data_version`` and ``data_sha256``."""

    name: str
    source: str
    version: str
    sha256: str


class Machine(_Value):
    """A kind of machine, as the nodes' manifests have it, and how many nodes ran on it."""

    system: str
    machine: str
    cores: int | None
    nodes: int


class AttackFacts(_Value):
    """What an attack needs: the cells ``access`` and ``queries``."""

    access: str
    queries: int


class Variant(_Value):
    """One deployed model: what a row says of it, and the artifact's hash."""

    target: str
    framework: str
    setting: str
    technique: str
    artifact_sha256: str
    facts: dict[str, str | Cell]


class Code(_Value):
    """The program that published a run.

    Attributes:
        version: of compleak-bench.
        revision: of its git checkout; empty where it was installed without one.
        modified: whether that checkout had changes of its own, the published leaderboards not counted.
        made_the_run: whether this same code made the run: it gives every node the key that the run has.
    """

    version: str
    revision: str = ""
    modified: bool | None = None
    made_the_run: bool = False


class Run(_Value):
    """One run whose rows are published.

    Attributes:
        run_id: hash of its nodes' keys.
        recipe_sha256: hash of ``suite`` without its name and description.
        suite: as it was run.
        reproduce: the command that does it again.
        code: what published it.
        verified_from: whether its own folder was verified, artifacts and all, or only what somebody published of it.
        not_checked: what its verification could not look at.
        versions: of libraries, as in the rows.
        data: which data.
        seeds: of each target's training.
        attacks: what each attack needs.
        attack_notes: what an attack had to say of itself, by the hash of its scores; only where it said something.
        shadows: how many shadows each attack was fitted on, by the hash of its scores.
        machines: what the nodes ran on.
        nodes: how many the rows rest on.
        seconds: what they took, added up.
        manifests_sha256: hash of the hashes of their manifests, in the order of their keys.
        variants: the deployed models.
    """

    run_id: str
    recipe_sha256: str
    suite: dict[str, Any]
    reproduce: str = ""
    code: Code | None = None
    verified_from: Literal["", "run folder", "published files"] = ""
    not_checked: tuple[str, ...] = ()
    versions: str
    data: Data
    seeds: dict[str, int]
    attacks: dict[str, AttackFacts]
    attack_notes: dict[str, tuple[str, ...]] = {}
    shadows: dict[str, tuple[int, ...]] = {}
    machines: tuple[Machine, ...]
    nodes: int
    seconds: float
    manifests_sha256: str
    variants: tuple[Variant, ...]


class File(_Value):
    """A file beside the sidecar."""

    name: str
    sha256: str
    bytes: int


class Pack(_Value):
    """The kept scores: a file beside the sidecar, or the address that a larger one has.

    Attributes:
        name: of the file; empty where there is an address.
        address: where the file is; empty where it lies beside the sidecar.
        sha256: of the file.
        bytes: of the file.
        contents: how many sets of scores it holds.
    """

    name: str = ""
    address: str = ""
    sha256: str
    bytes: int
    contents: int


class Provenance(_Value):
    """The sidecar.

    Attributes:
        format: version of these keys.
        schema_version: of the rows.
        suite: as it was run; of several runs, the one with most targets, then most shadows.
        rows: how many.
        null_rows: how many.
        files: by role: ``rows``, ``null``, ``summary``.
        scores: where they are kept.
        runs: in the order of their run ids.
        verified: what ``compleak verify`` looked at before this was written; of runs' folders, their files too.
    """

    format: int = FORMAT
    schema_version: int
    suite: dict[str, Any]
    rows: int
    null_rows: int
    files: dict[str, File]
    scores: Pack
    runs: tuple[Run, ...] = Field(min_length=1)
    verified: tuple[str, ...] = ()


def read_provenance(path: Path) -> Provenance:
    """Read the sidecar ``path``.

    Raises:
        ProvenanceError: not there, no JSON, another format or schema, or keys or values that do not belong.
    """
    try:
        found = Provenance.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ProvenanceError(f"{path} is missing: nothing says where the rows come from.") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ProvenanceError(f"{path}: {place}: {first['msg']}.") from error
    for name, given, known in (
        ("format", found.format, FORMAT),
        ("schema_version", found.schema_version, SCHEMA_VERSION),
    ):
        if given != known:
            raise ProvenanceError(f"{path}: {name} is {given}; this version of compleak-bench reads {known}.")
    return found


def recipe_sha256(suite: Mapping[str, Any]) -> str:
    """Hash of everything in a suite that decides a number: of its compact JSON without name and description.

    Args:
        suite: as ``suite.yaml`` has it, with every field and in the order of the file.
    """
    return hashlib.sha256(to_json({k: v for k, v in suite.items() if k not in NOT_IN_RECIPE})).hexdigest()


def recipe_differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Fields, by their dotted paths, in which two suites differ so that their rows may not stand in one leaderboard.

    The number of targets and of shadows may differ, for neither changes what is done to a model; rows state both.
    """
    first, second = dict(_leaves(one)), dict(_leaves(other))
    paths = [*first, *(path for path in second if path not in first)]
    return {
        path: (first.get(path), second.get(path))
        for path in paths
        if path not in (*NOT_IN_RECIPE, *MAY_DIFFER) and first.get(path) != second.get(path)
    }


def leading_suite(runs: Sequence[Run]) -> dict[str, Any]:
    """The suite that stands for several runs: the one with most targets, then most shadows, then the first run id."""

    def size(run: Run) -> tuple[int, int]:
        membership = run.suite.get("membership")
        found = [membership.get(name) if isinstance(membership, Mapping) else 0 for name in ("targets", "shadows")]
        targets, shadows = (count if isinstance(count, int) else 0 for count in found)
        return targets, shadows

    return max(sorted(runs, key=lambda run: run.run_id), key=size).suite


def _leaves(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        place = f"{path}.{key}" if path else str(key)
        if isinstance(inner, Mapping):
            yield from _leaves(inner, place)
        else:
            yield place, list(inner) if isinstance(inner, tuple) else inner
