"""What a person sees while a suite runs: a bar for each stage with the time left, and a line a finished variant."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from .nodes import Node
from .plan import STAGES, Plan
from .rows import Gathered
from .runner import Failure
from .store import Store
from .variants import several


class StageProgress:
    """Bars where there is a terminal, plain lines where there is none."""

    def __init__(self, plan: Plan, store: Store, complete: Sequence[Node], workers: int, console: Console) -> None:
        """Begin with ``complete`` nodes done."""
        self._plan, self._store, self._workers, self._console = plan, store, workers, console
        self._done = {n.key for n in complete}
        self._told: set[str] = set()
        self._began = time.perf_counter()
        self._seconds: dict[str, list[float]] = {stage: [] for stage in STAGES}
        self._counts = {stage: sum(n.stage == stage for n in plan.nodes) for stage in STAGES}
        self._bars = Bars(
            TextColumn("{task.description:<9}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            disable=not console.is_terminal or console.is_dumb_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        for stage, count in self._counts.items():
            done = sum(n.stage == stage and n.key in self._done for n in plan.nodes)
            if done < count:
                self._tasks[stage] = self._bars.add_task(stage, total=count, completed=done, left="", start=False)
        # Variants that an earlier call finished were told of then.
        self._told.update(v.name for v in plan.variants if self._variant_done(v.name))

    def __enter__(self) -> Self:
        """Show the bars."""
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bars away."""
        self._bars.stop()

    def finished(self, node: Node, seconds: float) -> None:
        """Move the stage's bar; tell of the variant that this node completes."""
        self._done.add(node.key)
        self._seconds[node.stage].append(seconds)
        self._advance(node.stage)
        if self._bars.disable and node.stage in ("data", "train", "compress", "collect"):
            self._print(f"{node.stage:<9} {node.name}  {seconds:.1f} s")
        for variant in self._plan.variants:
            if variant.name not in self._told and self._variant_done(variant.name):
                self._told.add(variant.name)
                self._print(Gathered(self._plan, self._store).variant_line(variant))

    def failed(self, failure: Failure) -> None:
        """Say at once what failed; the rest goes on."""
        self._advance(failure.node.stage)
        self._console.print(
            f"[red]failed[/red]    {failure.node.stage} {failure.node.name}: {escape(failure.error)}", soft_wrap=True
        )

    def _variant_done(self, name: str) -> bool:
        nodes = [t.evaluate_node for t in self._plan.trials if t.variants[-1].name == name and not several(t.variants)]
        return bool(nodes) and all(n.key in self._done for n in nodes)

    def _advance(self, stage: str) -> None:
        if stage not in self._tasks:
            return
        task = self._tasks[stage]
        self._bars.start_task(task)
        seen = self._seconds[stage]
        remaining = self._counts[stage] - int(self._bars.tasks[task].completed) - 1
        left = sum(seen) / len(seen) * remaining / (1 if stage == "latency" else self._workers) if seen else 0.0
        self._bars.update(task, advance=1, left=f"{left:.0f} s left" if remaining > 0 else "done")

    def _print(self, line: str) -> None:
        elapsed = time.perf_counter() - self._began
        self._console.print(f"[dim]{elapsed:6.0f} s[/dim]  {escape(line)}", soft_wrap=True)
