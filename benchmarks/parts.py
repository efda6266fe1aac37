"""A suite file with parts: each is a run of its own in a folder below, and their rows stand together above them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml
from rich.console import Console
from rich.markup import escape

from ..models.data import DataError
from ..results.leaderboard import write_leaderboard
from ..results.scores import write_atomically
from ..results.store import LEADERBOARD, NULL_CONTROL, SUITE, rows_together
from .run import INTERRUPTED, OK, USER_ERROR, run_suite
from .schema import Suite, SuiteError
from .store import StoreError


def run_suites(
    suites: Mapping[str, Suite], out: Path, workers: int, console: Console, errors: Console, command: str
) -> int:
    """Run or resume the suites of one file; a single one in ``out`` itself.

    A part that fails does not keep the next ones from being run. What parts have in common (the data, a pre-training)
    is done once.

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
    codes = {}
    for part, suite in suites.items():
        try:
            others = [out / other for other in suites if other != part]
            codes[part] = run_suite(suite, out / part, workers, console, errors, command, others)
        except (SuiteError, StoreError, DataError) as error:
            errors.print(f"[red]Error:[/red] part {part}: {escape(str(error))}", soft_wrap=True)
            codes[part] = USER_ERROR
        if codes[part] == INTERRUPTED:
            return INTERRUPTED
    if failed := [part for part, code in codes.items() if code != OK]:
        errors.print(
            f"Not all parts ended well ({', '.join(failed)}): their rows were not put together.", soft_wrap=True
        )
        for name in (LEADERBOARD, NULL_CONTROL):
            (out / name).unlink(missing_ok=True)
        return max(codes.values())
    _together(suites, out)
    console.print(f"All parts:   {out / LEADERBOARD}", soft_wrap=True)
    return OK


def _together(suites: Mapping[str, Suite], out: Path) -> None:
    """The parts' rows in one file each, and the suites, which are a suite file themselves."""
    for name in (LEADERBOARD, NULL_CONTROL):
        if rows := rows_together([out / part for part in suites], name):
            write_leaderboard(rows, out / name)
        else:
            (out / name).unlink(missing_ok=True)
    stated = {part: suite.model_dump(mode="json") for part, suite in suites.items()}
    text = yaml.safe_dump({"name": out.name, "parts": stated}, sort_keys=False)
    write_atomically(out / SUITE, text.encode())
