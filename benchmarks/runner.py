"""Runs a plan: every node once, in any order its parents allow, as many at a time as the executor takes.

Killed at any point, it resumes where it was: only whole nodes count.
"""

from __future__ import annotations

import importlib
import os
import platform
import resource
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import cache
from graphlib import TopologicalSorter
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

from .. import __version__
from .fields import Execution
from .nodes import Node
from .stages.job import Job
from .store import Store

RECORDED = ("numpy", "scipy", "scikit-learn", "torch", "tensorflow", "tf_keras", "tensorflow-model-optimization",
            "ai-edge-litert")  # fmt: skip


@dataclass(frozen=True)
class Failure:
    """A node that did not finish, and why."""

    node: Node
    error: str
    trace: str


class Progress(Protocol):
    """Told what happens, to show it."""

    def finished(self, node: Node, seconds: float) -> None:
        """A node was run."""
        ...

    def failed(self, failure: Failure) -> None:
        """A node was tried and failed."""
        ...


@dataclass
class Outcome:
    """What a call of ``run_nodes`` did."""

    run: list[Node] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    skipped: list[Node] = field(default_factory=list)


def run_nodes(
    nodes: Sequence[Node],
    store: Store,
    executor: Executor,
    execution: Execution,
    workers: int,
    progress: Progress,
) -> Outcome:
    """Run every node that is not complete, and that no failed parent holds up.

    Args:
        nodes: parents before children.
        store: where finished nodes lie.
        executor: takes the work.
        execution: threads and device for the stages.
        workers: how many nodes are handed to the executor at a time.
        progress: is told of each end.
    """
    outcome = Outcome()
    done = {n.key for n in nodes if store.is_complete(n)}
    todo = {n.key: n for n in nodes if n.key not in done}
    sorter = TopologicalSorter({n.key: [p.key for p in n.parents.values() if p.key in todo] for n in todo.values()})
    sorter.prepare()
    # First come first served by the plan's order, so that runs look alike.
    order = {key: i for i, key in enumerate(todo)}
    ready: list[Node] = []
    inflight: dict[Future[float], Node] = {}
    while sorter.is_active():
        ready = sorted([*ready, *(todo[key] for key in sorter.get_ready())], key=lambda n: order[n.key])
        while (node := _next(ready, inflight, workers)) is not None:
            ready.remove(node)
            inflight[executor.submit(run_node, node, store, execution)] = node
        if not inflight:
            break
        finished, _ = wait(inflight, return_when=FIRST_COMPLETED)
        for future in sorted(finished, key=lambda f: order[inflight[f].key]):
            node = inflight.pop(future)
            try:
                seconds = future.result()
            except BrokenProcessPool:
                raise
            except Exception as error:  # a failed node holds up its children only; the rest goes on
                failure = Failure(node, f"{type(error).__name__}: {error}", _trace(error))
                outcome.failures.append(failure)
                progress.failed(failure)
                continue
            outcome.run.append(node)
            progress.finished(node, seconds)
            sorter.done(node.key)
    ended = {n.key for n in outcome.run} | {f.node.key for f in outcome.failures}
    outcome.skipped = [n for n in todo.values() if n.key not in ended]
    return outcome


def _next(ready: list[Node], inflight: dict[Future[float], Node], workers: int) -> Node | None:
    if len(inflight) >= workers or any(n.exclusive for n in inflight.values()):
        return None
    shared = next((n for n in ready if not n.exclusive), None)
    if shared is None and ready and not inflight:
        return ready[0]
    return shared


def run_node(node: Node, store: Store, execution: Execution) -> float:
    """Run one node and commit it; returns its seconds. This is what an executor is handed."""
    started = time.perf_counter()
    partial = store.begin(node)
    stage = importlib.import_module(f"{__package__}.stages.{node.stage}")
    parents = {role: store.path(parent) for role, parent in node.parents.items()}
    stage.run(Job(node.config, parents, partial, threads=execution.threads, device=execution.device))
    seconds = time.perf_counter() - started
    facts = {
        "seconds": round(seconds, 3),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "versions": versions() | _provider(node),
        "machine": {"system": platform.system(), "machine": platform.machine(), "cores": os.cpu_count()},
    }
    store.commit(node, partial, facts)
    return seconds


@cache
def versions() -> dict[str, str]:
    """Versions of this package, Python and the libraries whose code decides numbers, as far as installed."""
    found = {"compleak-bench": __version__, "python": platform.python_version()}
    for name in RECORDED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _provider(node: Node) -> dict[str, str]:
    """Package and version of other people's code that the node runs."""
    package, _, number = str(node.config.get("provider", "")).rpartition(" ")
    return {package: number} if package else {}


def _trace(error: BaseException) -> str:
    remote: Any = error.__cause__
    return str(remote) if remote is not None else "".join(traceback.format_exception(error))
