"""Where finished nodes lie: a folder each, complete only once it has been renamed into place with its manifest."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .nodes import Node

MANIFEST = "manifest.json"


class StoreError(RuntimeError):
    """The run's folder cannot be used."""


@dataclass(frozen=True)
class Store:
    """The nodes of one run.

    Attributes:
        root: the run's folder.
    """

    root: Path

    def path(self, node: Node) -> Path:
        """Folder of a finished node."""
        return self.root / "nodes" / node.folder

    def lock(self) -> FileLock:
        """Take the run for this process; released by the system however the process ends.

        Raises:
            StoreError: another process runs it.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.root / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise StoreError(
                f"Another process is running in {self.root}. Wait for it, or choose another folder with --out."
            ) from error
        return lock

    def is_complete(self, node: Node) -> bool:
        """Whether the node has finished, and every file of it still is what its manifest says."""
        try:
            manifest = self.manifest(node)
        except (OSError, ValueError):
            return False
        path = self.path(node)
        return manifest.get("key") == node.key and all(
            (path / name).is_file() and sha256_of(path / name) == digest for name, digest in manifest["files"].items()
        )

    def manifest(self, node: Node) -> dict[str, Any]:
        """The manifest of a finished node."""
        content: dict[str, Any] = json.loads((self.path(node) / MANIFEST).read_text(encoding="utf-8"))
        return content

    def begin(self, node: Node) -> Path:
        """An empty folder for the node's files, beside its final place."""
        partial = self.path(node).with_name(self.path(node).name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        return partial

    def commit(self, node: Node, partial: Path, facts: dict[str, Any]) -> None:
        """Write the manifest, make everything durable, and rename the folder into place."""
        names = sorted(p.relative_to(partial).as_posix() for p in partial.rglob("*") if p.is_file())
        manifest = {
            "stage": node.stage,
            "name": node.name,
            "key": node.key,
            "config": node.config,
            "parents": {role: parent.key for role, parent in node.parents.items()},
            "files": {name: sha256_of(partial / name) for name in names},
            **facts,
        }
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True), encoding="utf-8")
        for name in (*names, MANIFEST):
            _sync(partial / name)
        _sync(partial)
        final = self.path(node)
        shutil.rmtree(final, ignore_errors=True)
        partial.replace(final)
        _sync(final.parent)

    def adopt(self, node: Node, other: Store) -> bool:
        """Take over a node that ``other`` has finished, by copying; False where it has not."""
        if not other.is_complete(node):
            return False
        partial, final = self.begin(node), self.path(node)
        shutil.copytree(other.path(node), partial, dirs_exist_ok=True)
        shutil.rmtree(final, ignore_errors=True)
        partial.replace(final)
        return True

    def sweep(self) -> None:
        """Remove what interrupted runs left half-written."""
        for partial in (self.root / "nodes").glob("*/*.partial"):
            shutil.rmtree(partial, ignore_errors=True)


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
