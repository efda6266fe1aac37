"""A suite file with parts: each is a run of its own in a folder below, and their rows stand together above them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml
from rich.console import Console

from ..results.leaderboard import read_leaderboard, write_leaderboard
from ..results.scores import write_atomically
from ..results.store import LEADERBOARD, NULL_CONTROL, SUITE
from .run import INTERRUPTED, OK, run_suite
from .schema import Suite


def run_suites(
    suites: Mapping[str, Suite], out: Path, workers: int, console: Console, errors: Console, command: str
) -> int:
    """Run or resume the suites of one file; a single one in ``out`` itself.

    A part that fails does not keep the next ones from being run.

    Args:
        suites: by the name of their part.
        out: the folder of all.
        workers: as in ``run_suite``.
        console: as in ``run_suite``.
        errors: as in ``run_suite``.
        command: as in ``run_suite``.

    Returns:
        Exit code: the highest of the parts', or 130 after Ctrl-C.
    """
    if len(suites) == 1:
        return run_suite(next(iter(suites.values())), out, workers, console, errors, command)
    code = OK
    for part, suite in suites.items():
        code = max(code, run_suite(suite, out / part, workers, console, errors, command))
        if code == INTERRUPTED:
            return code
    if code == OK or all((out / part / LEADERBOARD).is_file() for part in suites):
        _together(suites, out)
        console.print(f"All parts:   {out / LEADERBOARD}", soft_wrap=True)
    return code


def _together(suites: Mapping[str, Suite], out: Path) -> None:
    """The parts' rows in one file each, and the suites, which are a suite file themselves."""
    for name in (LEADERBOARD, NULL_CONTROL):
        files = [file for part in suites if (file := out / part / name).is_file()]
        if files:
            write_leaderboard([row for file in files for row in read_leaderboard(file)], out / name)
    stated = {part: suite.model_dump(mode="json") for part, suite in suites.items()}
    text = yaml.safe_dump({"name": out.name, "parts": stated}, sort_keys=False)
    write_atomically(out / SUITE, text.encode())
