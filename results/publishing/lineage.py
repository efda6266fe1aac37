"""The nodes that a run's rows rest on, and what those nodes measured.

A run's folder may also hold nodes of earlier recipes or code; only the ancestors of the rows' scores count.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..records import ORIGINAL, Cell, Row
from .provenance import AttackFacts, Data, Machine, Run, Variant, recipe_sha256
from .run_folder import MANIFEST, NodeRecord, RunFolderError

NOTES = "notes.json"
_LATENCY = ("latency_ms", "latency_best_ms", "latency_best_batch")


@dataclass(frozen=True)
class Lineage:
    """The nodes that one set of rows rests on.

    Attributes:
        collect: the node that all attacks of the rows read.
        holders: the attack's node that holds each set of scores, by the scores' hash.
        nodes: all nodes of the folder by key.
        shadows: how many shadows the attack was fitted on, by the scores' hash; an attack that learns nothing from them
            may give the same scores with several numbers.
    """

    collect: NodeRecord
    holders: Mapping[str, NodeRecord]
    nodes: Mapping[str, NodeRecord]
    shadows: Mapping[str, frozenset[int]]

    @cached_property
    def attacks(self) -> tuple[NodeRecord, ...]:
        """The attacks' nodes, each once."""
        return tuple({node.key: node for node in self.holders.values()}.values())

    @cached_property
    def ancestors(self) -> dict[tuple[str, str], NodeRecord]:
        """Everything that the attacks read, by stage and name."""
        found: dict[str, NodeRecord] = {}
        pending = [self.collect]
        while pending:
            node = pending.pop()
            if node.key not in found:
                found[node.key] = node
                pending += [self.nodes[key] for key in node.parents.values() if key in self.nodes]
        return {(node.stage, node.name): node for node in found.values()}

    @cached_property
    def latencies(self) -> dict[str, list[NodeRecord]]:
        """Nodes that timed these artifacts, by model and variant; more than one after a change of the code."""
        known = {node.key for node in self.ancestors.values()}
        found: dict[str, list[NodeRecord]] = {}
        for node in self.nodes.values():
            if node.stage == "latency" and known.issuperset(node.parents.values()):
                found.setdefault(node.name, []).append(node)
        return found

    def node(self, stage: str, name: str) -> NodeRecord:
        """The node of this stage and name.

        Raises:
            RunFolderError: there is none.
        """
        if (stage, name) not in self.ancestors:
            raise RunFolderError(f"The rows rest on a node {stage} {name}, which is not in the folder.")
        return self.ancestors[stage, name]

    def data(self) -> Data:
        """Which data.

        Raises:
            RunFolderError: its node is not there, or not one.
        """
        facts = self._of_data()
        return Data(**{name: facts[name] for name in ("name", "source", "version", "sha256")})

    def _of_data(self) -> dict[str, Any]:
        found = [node for (stage, _), node in self.ancestors.items() if stage == "data"]
        if len(found) != 1:
            raise RunFolderError(f"The rows rest on {len(found)} nodes of the stage data, expected one.")
        facts: dict[str, Any] = found[0].read("data.json")
        return facts

    def seed(self, target: str) -> int:
        """Seed of a target's training."""
        return int(self.node("train", target).manifest["config"]["seed"])

    def artifact(self, target: str, framework: str, setting: str) -> NodeRecord:
        """The node that made a deployed model."""
        return self.node("train", target) if framework == "none" else self.node(
            "compress", f"{target}/{framework}/{setting}"
        )  # fmt: skip

    def facts(self, row: Row) -> dict[str, str | Cell]:
        """The cells of ``row`` that describe its artifact; those that it should not have are None.

        The notes are the artifact's; what the attack has to say is in ``attack_notes``.

        Raises:
            RunFolderError: something that they rest on cannot be read.
        """
        variant = ORIGINAL if row.framework == "none" else f"{row.framework}/{row.setting}"
        maker = self.artifact(row.target, row.framework, row.setting)
        original = self.node("train", row.target).read("measured.json")
        try:
            utility = self.collect.read("utility.json")[row.target]
            worth = dict(utility[variant])
            said = [*self._of_data().get("notes", []), *worth.pop("notes", [])]
            facts: dict[str, str | Cell] = {**worth, "accuracy_original": utility[ORIGINAL]["accuracy"]}
            if row.framework == "none":
                facts |= {**original, "weight_dtypes": "float32", "compression_ratio": 1.0}
                facts |= {"sparsity": None, "distinct_values": None, "notes": "; ".join(said)}
            else:
                measured = maker.read("measured.json")
                facts |= {name: measured[name] for name in ("bytes", "bytes_gzip", "sparsity", "distinct_values")}
                facts |= {
                    "weight_dtypes": "+".join(measured["weight_dtypes"]),
                    "compression_ratio": original["bytes_gzip"] / measured["bytes_gzip"],
                    "notes": "; ".join([*measured["notes"], *said]),
                }
        except (KeyError, TypeError) as error:
            raise RunFolderError(f"The nodes of {row.target} {variant} lack {error}.") from error
        return facts | self._latency(f"{row.target}/{variant}", row)

    def _latency(self, name: str, row: Row) -> dict[str, Cell]:
        """The timing that the row states, or else the last one."""
        timed: dict[str, Cell] = dict.fromkeys(_LATENCY)
        for node in self.latencies.get(name, []):
            by_batch = {int(batch): float(ms) for batch, ms in node.read("latency.json").items()}
            best = min(by_batch, key=lambda batch: by_batch[batch])
            timed = dict(zip(_LATENCY, (by_batch[1], by_batch[best], best), strict=True))
            if row.latency_ms is not None and f"{by_batch[1]:.6g}" == f"{row.latency_ms:.6g}":
                break
        return timed

    def attack_notes(self, row: Row) -> tuple[str, ...]:
        """What the attack had to say of itself."""
        holder = self.holders[row.scores_sha256]
        return tuple(map(str, holder.read(NOTES))) if NOTES in holder.files else ()

    def versions_seen(self) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
        """Versions of each library: those the rows surely rest on, and all that any node of the folder ran with."""
        sure = [*self.ancestors.values(), *self.attacks]
        return _versions(sure), _versions(self.nodes.values())

    def record(self, suite: Mapping[str, Any], rows: Sequence[Row]) -> Run:
        """What is published of the run that made ``rows``, the null control's among them.

        Raises:
            RunFolderError: something that they rest on cannot be read.
        """
        timed = [node for nodes in self.latencies.values() for node in nodes]
        used = {node.key: node for node in (*self.ancestors.values(), *self.attacks, *timed)}
        kinds = Counter(
            tuple(node.manifest.get("machine", {}).get(part) for part in ("system", "machine", "cores"))
            for node in used.values()
        )
        manifests = hashlib.sha256()
        for key in sorted(used):
            manifests.update(hashlib.sha256((used[key].folder / MANIFEST).read_bytes()).digest())
        single = {(row.target, row.framework, row.setting): row for row in rows if row.technique != "multiple"}
        return Run(
            run_id=rows[0].run_id,
            recipe_sha256=recipe_sha256(suite),
            suite=dict(suite),
            versions=rows[0].versions,
            data=self.data(),
            seeds={target: self.seed(target) for target in sorted({row.target for row in rows})},
            shadows={row.scores_sha256: tuple(sorted(self.shadows[row.scores_sha256])) for row in rows},
            attack_notes={row.scores_sha256: notes for row in rows if (notes := self.attack_notes(row))},
            attacks={row.attack: AttackFacts(access=row.access, queries=row.queries) for row in rows},
            machines=tuple(
                Machine(system=str(system), machine=str(kind), cores=cores, nodes=count)
                for (system, kind, cores), count in sorted(kinds.items(), key=str)
            ),
            nodes=len(used),
            seconds=round(sum(float(node.manifest.get("seconds", 0)) for node in used.values()), 1),
            manifests_sha256=manifests.hexdigest(),
            variants=tuple(
                Variant(
                    target=row.target,
                    framework=row.framework,
                    setting=row.setting,
                    technique=row.technique,
                    artifact_sha256=_artifact_sha256(self.artifact(*place)),
                    facts=self.facts(row),
                )
                for place, row in sorted(single.items())
            ),
        )


def lineages(nodes: Mapping[str, NodeRecord], places: Mapping[str, Sequence[NodeRecord]]) -> list[Lineage]:
    """Every set of nodes that all scores may have come from, by the ``collect`` node they read.

    Args:
        nodes: all of the folder, by key.
        places: by the hash of each set of scores, the attack nodes that hold it.

    Raises:
        RunFolderError: no one node collected what all of them read.
    """
    candidates = [{node.parents.get("collect", "") for node in holders} for holders in places.values()]
    common = set.intersection(*candidates) & set(nodes) if candidates else set()
    if not common:
        raise RunFolderError(
            "The rows' scores were not all made from the same collected observations; take them from one finished run."
        )
    shadows = {
        sha256: frozenset(len(node.manifest.get("config", {}).get("shadows", ())) for node in holders)
        for sha256, holders in places.items()
    }
    return [
        # Where code that decides nothing has changed, the same scores were made twice: one of them will do.
        Lineage(nodes[key], {sha256: _first(holders, key) for sha256, holders in places.items()}, nodes, shadows)
        for key in sorted(common)
    ]


def _first(holders: Sequence[NodeRecord], collect: str) -> NodeRecord:
    return next(node for node in holders if node.parents.get("collect") == collect)


def _versions(nodes: Iterable[NodeRecord]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for node in nodes:
        for name, version in node.manifest.get("versions", {}).items():
            found.setdefault(name, set()).add(str(version))
    return found


def _artifact_sha256(node: NodeRecord) -> str:
    """Hash of the model's file; of its files' hashes, where it has several."""
    models = sorted((name, digest) for name, digest in node.files.items() if name.startswith("model"))
    if len(models) == 1:
        return models[0][1]
    return hashlib.sha256(json.dumps(models).encode()).hexdigest()
