"""``compleak run``: the plan is run, the rows are gathered, the leaderboard is written and shown."""

from __future__ import annotations

import json
import signal
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..results.leaderboard import LeaderboardError, read_leaderboard, write_leaderboard
from ..results.null_control import outside_together, summarise
from ..results.scores import write_atomically
from ..results.store import LEADERBOARD, NULL_CONTROL, SUITE
from ..results.table import leaderboard_table
from .executors import make_executor, terminate
from .extras import lacking
from .plan import STAGES, Plan, make_plan
from .progress import StageProgress
from .rows import Gathered
from .runner import Failure, Outcome, run_nodes
from .schema import Suite, SuiteError
from .store import Store

SHOWN_FAILURES = 3
OK, FAILED, USER_ERROR, INTERRUPTED = 0, 1, 2, 130


def run_suite(
    suite: Suite,
    out: Path,
    workers: int,
    console: Console,
    errors: Console,
    command: str,
    beside: Sequence[Path] = (),
) -> int:
    """Run or resume ``suite`` in the folder ``out``.

    Args:
        suite: what to run.
        out: the run's folder.
        workers: nodes at a time; 0 runs them in this process.
        console: for what a person wants to see.
        errors: for what went wrong.
        command: how this was called, to say how to resume.
        beside: folders of other runs, whose finished nodes are taken over where they are the same.

    Returns:
        Exit code: 0, 1 where nodes or the null control failed, 2 for the user's mistakes, 130 after Ctrl-C.
    """
    if (wanted := next(lacking(suite), None)) is not None:
        raise SuiteError(wanted)
    store = Store(out)
    with store.lock():
        plan = make_plan(suite)
        store.sweep()
        others = [Store(path) for path in beside]
        complete = [n for n in plan.nodes if store.is_complete(n) or any(store.adopt(n, other) for other in others)]
        left = len(plan.nodes) - len(complete)
        console.print(
            f"{suite.name}: {len(plan.nodes)} nodes, {len(complete)} done, {left} to do; {workers} workers; {out}"
        )
        executor = make_executor(workers, suite.execution.threads)
        try:
            with StageProgress(plan, store, complete, max(workers, 1), console) as progress, _terminable():
                outcome = run_nodes(plan.nodes[:1], store, executor, suite.execution, 1, progress)
                if not outcome.failures:
                    _check_size(suite, store, plan)
                    outcome = run_nodes(plan.nodes, store, executor, suite.execution, max(workers, 1), progress)
        except KeyboardInterrupt:
            terminate(executor)
            errors.print(f"Stopped. What is finished is kept; resume with: {escape(command)}", soft_wrap=True)
            return INTERRUPTED
        except BrokenProcessPool:
            terminate(executor)
            errors.print(
                "[red]Error:[/red] a worker process died, most likely for want of memory. What is finished is kept; "
                f"resume with fewer workers: {escape(command)} --workers 1",
                soft_wrap=True,
            )
            return FAILED
        executor.shutdown()
        return _conclude(plan, store, outcome, console, errors, command)


def _conclude(plan: Plan, store: Store, outcome: Outcome, console: Console, errors: Console, command: str) -> int:
    if outcome.failures:
        return _explain(outcome, store, errors, command)
    gathered = Gathered(plan, store)
    rows = gathered.rows()
    path = store.root / LEADERBOARD
    _keep_other_run(path, plan.run_id, console)
    write_leaderboard(rows, path)
    config = yaml.safe_dump(plan.suite.model_dump(mode="json"), sort_keys=False)
    write_atomically(store.root / SUITE, config.encode())
    console.print(leaderboard_table(rows))
    sound = True
    if plan.suite.membership.null:
        null = gathered.rows(null=True)
        _keep_other_run(store.root / NULL_CONTROL, plan.run_id, console)
        write_leaderboard(null, store.root / NULL_CONTROL)
        console.print(escape(summarise(null)), soft_wrap=True)
        sound = not outside_together(null)
    else:
        (store.root / NULL_CONTROL).unlink(missing_ok=True)
    if outcome.run:
        console.print(_costs(plan, store))
    console.print(f"Leaderboard: {path} ({len(rows)} rows)", soft_wrap=True)
    console.print(f"Run:         {store.root} (scores, artifacts and logits below nodes/)", soft_wrap=True)
    return OK if sound else FAILED


def _check_size(suite: Suite, store: Store, plan: Plan) -> None:
    data = json.loads((store.path(plan.nodes[0]) / "data.json").read_text(encoding="utf-8"))
    if data["examples"] < suite.membership.needed:
        raise SuiteError(
            f"The suite needs {suite.membership.needed:,} examples, {data['name']} has {data['examples']:,}. "
            "Lower membership.train, membership.evaluate or membership.dev, or take a larger data set."
        )


def _explain(outcome: Outcome, store: Store, errors: Console, command: str) -> int:
    for failure in outcome.failures:
        write_atomically(_log(store, failure), f"{failure.node.name}\n{failure.trace}".encode())
    for failure in outcome.failures[:SHOWN_FAILURES]:
        what = escape(f"{failure.node.stage} {failure.node.name}: {failure.error}")
        errors.print(f"[red]Error:[/red] {what}\n  traceback: {_log(store, failure)}", soft_wrap=True)
    if (more := len(outcome.failures) - SHOWN_FAILURES) > 0:
        errors.print(f"... and {more} more, their tracebacks in {store.root / 'failures'}", soft_wrap=True)
    if any(f.node.stage == "data" for f in outcome.failures):
        return USER_ERROR
    errors.print(
        f"{len(outcome.failures)} nodes failed and {len(outcome.skipped)} that need them were not run; the rest is "
        f"kept and no leaderboard was written. Try them again with: {escape(command)}",
        soft_wrap=True,
    )
    return FAILED


def _log(store: Store, failure: Failure) -> Path:
    return store.root / "failures" / f"{failure.node.stage}-{failure.node.key[:12]}.log"


def _keep_other_run(path: Path, run_id: str, console: Console) -> None:
    """A file of another recipe's rows in the same folder is set aside, never overwritten."""
    if not path.is_file():
        return
    try:
        earlier = {row.run_id for row in read_leaderboard(path)} or {"empty"}
    except LeaderboardError:
        earlier = {"unreadable"}
    if earlier != {run_id}:
        kept = path.with_name(f"{path.stem}-{min(earlier)}.csv")
        path.replace(kept)
        console.print(f"The folder held another run's rows; they are kept as {kept}", soft_wrap=True)


def _costs(plan: Plan, store: Store) -> Table:
    seconds: dict[str, list[float]] = defaultdict(list)
    memory: dict[str, int] = defaultdict(int)
    for node in plan.nodes:
        manifest: dict[str, Any] = store.manifest(node)
        seconds[node.stage].append(manifest["seconds"])
        memory[node.stage] = max(memory[node.stage], manifest["peak_rss_mb"])
    table = Table(title="What it took (worker seconds; memory of the largest process so far)", title_justify="left")
    for heading in ("stage", "nodes", "seconds", "slowest", "peak MB"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    for stage in STAGES:
        if times := seconds[stage]:
            row = (str(len(times)), f"{sum(times):.1f}", f"{max(times):.1f}", str(memory[stage]))
            table.add_row(stage, *row)
    return table


@contextmanager
def _terminable() -> Iterator[None]:
    """A polite kill ends like Ctrl-C."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
