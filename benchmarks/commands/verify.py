"""``compleak verify``: recompute every number of a run or a leaderboard from its kept scores."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ...results.publishing.verify import Verification

DISAGREES = 1


def verify_command(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="CSV|RUN...",
            help="A published leaderboard's CSV, a folder of them, or a run's folder.",
            show_default=False,
        ),
    ],
    scores: Annotated[
        Path | None,
        typer.Option("--scores", metavar="FILE", help="Scores of a leaderboard that keeps them at an address."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
) -> None:
    """Recompute every number from the kept scores, check every hash, and name each row and cell that disagrees.

    Exit code 0: everything agrees. 1: something does not. 2: there is nothing to verify at the path.

    What it cannot prove: that the scores came from the model and the data that are claimed. Whoever makes up scores,
    and computes rows, hashes and provenance from them, passes; so does a false machine, duration or command, on which
    nothing depends. Only running the suite again settles that: the provenance says how.

    [bold]Examples[/bold]: compleak verify runs/quickstart    compleak verify results/leaderboards
    """
    import json

    from rich.console import Console

    from ...results.publishing.verify import verify
    from ...results.store import run_of
    from ..planned import expectation

    paths = [run_of(path) for path in paths]
    differ = [f"{path / name} holds other rows than its parts" for path in paths for name in _merged(path)]
    found = [verify(path, planner=expectation, pack=scores) for path in _leaderboards(paths)]
    if as_json:
        sound = all(v.sound for v in found) and not differ
        told = {"sound": sound, "verified": [_plain(v) for v in found], "parts": differ}
        typer.echo(json.dumps(told, indent=1))
    else:
        console = Console(highlight=False, markup=False, soft_wrap=True)
        for verification in found:
            for problem in verification.problems:
                console.print(str(problem))
            for note in verification.notes:
                console.print(f"Not checked: {note}.")
            console.print(verification.summary())
        for line in differ:
            console.print(line)
    if differ or not all(v.sound for v in found):
        raise typer.Exit(DISAGREES)


def _merged(path: Path) -> list[str]:
    from ...results.store import parts_that_differ

    return parts_that_differ(path) if path.is_dir() else []


def _leaderboards(paths: list[Path]) -> list[Path]:
    """What is to be verified: a folder's leaderboards, a run's parts, for a null control or a summary the rows."""
    from ...results.store import runs_in

    found: dict[Path, None] = {}
    for path in (run for given in paths for run in (runs_in(given) if given.is_dir() else (given,))):
        inside = sorted(path.glob("*.csv")) if path.is_dir() and not (path / "leaderboard.csv").is_file() else []
        for file in inside or [path]:
            stem = file.name.removesuffix(".csv").removesuffix(".null").removesuffix(".summary")
            found[file.with_name(f"{stem}.csv") if file.suffix == ".csv" else file] = None
    return list(found)


def _plain(verification: Verification) -> dict[str, Any]:
    results = verification.results
    return {
        "path": str(verification.path),
        "sound": verification.sound,
        "rows": len(results.rows) if results else 0,
        "null_rows": len(results.null_rows) if results else 0,
        "scores": len(verification.scores),
        "files": verification.files,
        "problems": [asdict(problem) for problem in verification.problems],
        "not_checked": list(verification.notes),
    }
