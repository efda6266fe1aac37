"""Time ours against a baseline, and keep a row.

Times are processor seconds of this process, all threads together, so that other work on the machine does not count;
but where ours works on several cores, which is its merit, they are seconds by the wall's clock, and the row says so.
"""

from __future__ import annotations

import csv
import platform
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

Clock = Callable[[], float]


@dataclass(frozen=True)
class Comparison:
    """One row.

    Attributes:
        benchmark: what is computed, and its size.
        baseline: what ours is compared with.
        ours_seconds: best of several runs.
        baseline_seconds: of the whole work, scaled up where only a share of it was run.
        baseline_share: share of the work that the baseline really did.
        ratio: baseline_seconds / ours_seconds.
        goal: the ratio aimed at.
        peak_mib: most memory that numpy and Python held for ours at once, beyond the inputs.
        machine: processor architecture and cores, system.
        python: version.
        numpy: version.
    """

    benchmark: str
    baseline: str
    ours_seconds: float
    baseline_seconds: float
    baseline_share: float
    ratio: float
    goal: float
    peak_mib: float
    machine: str
    python: str
    numpy: str

    def __str__(self) -> str:
        scaled = "" if self.baseline_share == 1 else f" (scaled up from {self.baseline_share:.1%} of the work)"
        verdict = "reached" if self.ratio >= self.goal else "MISSED"
        return (
            f"{self.benchmark}\n  ours {self.ours_seconds:.4g} s, peak {self.peak_mib:.1f} MiB; "
            f"{self.baseline}: {self.baseline_seconds:.4g} s{scaled}\n"
            f"  {self.ratio:.0f} times faster; goal {self.goal:.0f}: {verdict}"
        )


def compare(
    benchmark: str,
    ours: Callable[[], object],
    baseline: tuple[str, Callable[[], object]],
    *,
    share: float,
    goal: float,
    repeats: int = 10,
    clock: Clock = time.process_time,
) -> Comparison:
    """Time both, on one process with the threads that numpy was given.

    Args:
        benchmark: what is computed.
        ours: does all the work; the best of ``repeats`` counts.
        baseline: its name, and a function that does ``share`` of the work; the better of two runs counts.
        share: in (0, 1]; the baseline's time is scaled up in proportion.
        goal: the ratio aimed at.
        repeats: how often ours is run.
        clock: what tells the seconds, of both.
    """
    seconds = min(_seconds(ours, clock) for _ in range(repeats))
    name, function = baseline
    slow = min(_seconds(function, clock) for _ in range(2)) / share
    if clock is time.perf_counter:
        name += "; by the wall's clock"
    return Comparison(
        benchmark,
        name,
        seconds,
        slow,
        share,
        slow / seconds,
        goal,
        _peak_mib(ours),
        f"{platform.machine()} {platform.system()}",
        platform.python_version(),
        np.__version__,
    )


def append(rows: list[Comparison], path: Path) -> None:
    """Append to a CSV, with its header where it is new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(Comparison)], lineterminator="\n")
        if new:
            writer.writeheader()
        for row in rows:
            values = asdict(row)
            writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in values.items()})


def _seconds(function: Callable[[], object], clock: Clock) -> float:
    start = clock()
    function()
    return clock() - start


def _peak_mib(function: Callable[[], object]) -> float:
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()
