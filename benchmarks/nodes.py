"""A node: one piece of work, addressed by the hash of all that decides its outcome."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ..plugins import Registry

_ROOT = Path(__file__).resolve().parent.parent
PACKAGE = __package__.split(".")[0] if __package__ else "compleak"


@dataclass(frozen=True)
class Node:
    """One piece of work of a plan.

    Attributes:
        stage: which stage runs it.
        name: for people, unique within the stage, such as ``target-0/tflite/pruning-magnitude-0.6``.
        key: hash of the stage's code, the config and the parents' keys.
        config: all that the stage needs to know, as plain JSON values.
        parents: the nodes whose files it reads, by the role they play.
        exclusive: whether it must run alone (it measures time).
    """

    stage: str
    name: str
    key: str
    config: Mapping[str, Any]
    parents: Mapping[str, Node] = field(default_factory=dict)
    exclusive: bool = False

    @property
    def folder(self) -> str:
        """The node's place below the run, readable and unique."""
        return f"{self.stage}/{self.name.replace('/', '__')}-{self.key[:12]}"


def make_node(
    stage: str,
    name: str,
    config: Mapping[str, Any],
    parents: Mapping[str, Node] | None = None,
    *,
    modules: Sequence[str] = (),
    exclusive: bool = False,
) -> Node:
    """Make a node and its key.

    Args:
        stage: name of a module in ``benchmarks.stages``.
        name: for people.
        config: JSON values.
        parents: nodes by role.
        modules: modules, relative to the package, that the stage loads by name (adapters, networks, attacks).
        exclusive: whether it must run alone.
    """
    parents = dict(parents or {})
    identity = {
        "stage": stage,
        "code": code_version((f"benchmarks.stages.{stage}", *sorted(modules))),
        "config": config,
        "parents": {role: parent.key for role, parent in parents.items()},
    }
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return Node(stage, name, hashlib.sha256(text.encode()).hexdigest(), config, parents, exclusive)


def derived_seed(seed: int, *names: str) -> int:
    """A seed of one's own for each model, compression and attack, from the suite's one seed."""
    digest = hashlib.sha256("/".join((str(seed), *names)).encode()).digest()
    return int.from_bytes(digest[:4], "little") >> 1


def provided_by(registry: Registry[Any], name: str) -> dict[str, str]:
    """Which package offers ``name``, where it is another's: its code cannot be hashed, so its version stands for it."""
    provider = registry.provider(name)
    return {"provider": provider} if provider else {}


@cache
def code_version(modules: tuple[str, ...]) -> str:
    """Hash of the code of ``modules`` and of all modules of this package that they import.

    Comments, formatting and docstrings do not count: they cannot change a result.

    Args:
        modules: dotted names relative to the package, as ``attacks.lira``; a package stands for all its modules.
    """
    seen: set[Path] = set()
    pending = [path for module in modules for path in _files(module)]
    while pending:
        path = pending.pop()
        if path not in seen:
            seen.add(path)
            pending.extend(_imported(path))
    digest = hashlib.sha256()
    for path in sorted(seen):
        digest.update(f"{path.relative_to(_ROOT).as_posix()}\n{_meaning(path)}\n".encode())
    return digest.hexdigest()


def _files(module: str) -> list[Path]:
    place = _ROOT.joinpath(*module.split("."))
    if place.is_dir():
        return sorted(place.rglob("*.py"))
    path = place.with_suffix(".py")
    if not path.is_file():
        raise ValueError(f"No module {module!r} in the package {PACKAGE}.")
    return [path]


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _meaning(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for item in ast.walk(tree):
        body = getattr(item, "body", None)
        documented = isinstance(item, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            item.body = body[1:] or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.dump(tree)


@cache
def _imported(path: Path) -> tuple[Path, ...]:
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[Path]:
    for item in ast.walk(_tree(path)):
        if isinstance(item, ast.ImportFrom) and item.level:
            base = path.parents[item.level - 1]
            place = base.joinpath(*item.module.split(".")) if item.module else base
            yield from _module_files(place)
            for alias in item.names:
                yield from _module_files(place / alias.name)


def _module_files(place: Path) -> Iterator[Path]:
    for candidate in (place.with_suffix(".py"), place / "__init__.py"):
        if candidate.is_file():
            yield candidate
