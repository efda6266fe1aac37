"""A run's folder as its own manifests describe it, and whether its files are what they say.

It is read without the code that made it, so a run of another version, or of somebody else, can be read too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .problem import Problem

MANIFEST = "manifest.json"


class RunFolderError(ValueError):
    """A run's folder that lacks a node or a file which its rows rest on."""


@dataclass(frozen=True)
class NodeRecord:
    """One finished node, as its manifest has it.

    Attributes:
        folder: where it lies.
        stage: which stage made it.
        name: for people, unique within the stage of one run.
        key: hash of code, config and parents' keys.
        parents: keys of the nodes it read, by role.
        files: sha256 by path within the folder.
        manifest: all of it.
    """

    folder: Path
    stage: str
    name: str
    key: str
    parents: Mapping[str, str]
    files: Mapping[str, str]
    manifest: Mapping[str, Any]

    def read(self, file: str) -> Any:
        """The JSON file ``file`` of this node.

        Raises:
            RunFolderError: it cannot be read.
        """
        try:
            return json.loads((self.folder / file).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunFolderError(f"{self.folder / file} cannot be read: {error}") from error


def read_nodes(run: Path) -> tuple[dict[str, NodeRecord], list[Problem]]:
    """Every finished node by its key, and what is wrong with manifests; files are not looked into."""
    nodes: dict[str, NodeRecord] = {}
    problems: list[Problem] = []
    for folder in sorted(p for p in (run / "nodes").glob("*/*") if p.is_dir() and not p.name.endswith(".partial")):
        place = (folder / MANIFEST).relative_to(run).as_posix()
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            node = NodeRecord(
                folder,
                stage=str(manifest["stage"]),
                name=str(manifest["name"]),
                key=str(manifest["key"]),
                parents={str(role): str(key) for role, key in manifest["parents"].items()},
                files={str(name): str(sha256) for name, sha256 in manifest["files"].items()},
                manifest=manifest,
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            problems.append(Problem(place, f"is missing, or no manifest ({type(error).__name__}: {error})"))
            continue
        named = f"{node.stage}/{node.name.replace('/', '__')}-{node.key[:12]}"
        if named != f"{folder.parent.name}/{folder.name}":
            problems.append(Problem(place, f"stage, name and key say {named}, which is not its folder"))
        nodes[node.key] = node
    for node in nodes.values():
        for role, key in node.parents.items():
            if key not in nodes:
                place = (node.folder / MANIFEST).relative_to(run).as_posix()
                problems.append(Problem(place, f"no node has the key {key[:12]}… that stands for its parent {role!r}"))
    return nodes, problems


def check_files(run: Path, nodes: Iterable[NodeRecord]) -> list[Problem]:
    """Every file of every node against its manifest's sha256, and files that no manifest names."""
    problems = []
    for node in nodes:
        place = node.folder.relative_to(run).as_posix()
        present = {p.relative_to(node.folder).as_posix() for p in node.folder.rglob("*") if p.is_file()} - {MANIFEST}
        for name, stated in sorted(node.files.items()):
            if name not in present:
                problems.append(Problem(f"{place}/{name}", "is missing; the manifest names it"))
                continue
            with (node.folder / name).open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
            if found != stated:
                says = f"its sha256 is {found[:12]}…, the manifest says {stated[:12]}…"
                problems.append(Problem(f"{place}/{name}", says))
        problems += [
            Problem(f"{place}/{name}", "no manifest names this file") for name in sorted(present - set(node.files))
        ]
    return problems
