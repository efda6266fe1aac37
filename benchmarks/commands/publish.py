"""``compleak publish``: put verified rows, their scores and where they come from into a leaderboard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NOT_VERIFIED = 1
PUBLISHED = Path("results/leaderboards")


def publish_command(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...", help="Finished runs, or leaderboards that somebody submits.", show_default=False
        ),
    ],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder of the leaderboards.")] = PUBLISHED,
    scores_address: Annotated[
        str,
        typer.Option(
            "--scores-address",
            metavar="URL",
            help="Where the scores will be, if they are too large to lie beside the rows.",
            show_default=False,
        ),
    ] = "",
    scores: Annotated[
        Path | None,
        typer.Option("--scores", metavar="FILE", help="With an address: the scores' local copy, read and written."),
    ] = None,
) -> None:
    """Verify runs, merge them into one leaderboard a suite, and say what changed. All of it, or nothing.

    Writes SUITE-v1.csv (rows), .null.csv (null control), .summary.csv (aggregated over targets), .scores.parquet (from
    which anyone can recompute) and .provenance.json. Rows of different recipes are never mixed; only the number of
    targets and shadows may differ. Publishing the same again changes no byte.

    Exit code 0: published, or nothing changed. 1: something does not verify, and nothing was written. 2: recipes
    differ, the scores are too large, or there is no run.

    [bold]Examples[/bold]: compleak publish runs/quickstart    compleak publish runs/a runs/b --to results/leaderboards
    """
    from rich.console import Console

    from ...results.publishing.publish import UnverifiedError, publish
    from ...results.store import run_of, runs_in
    from ..planned import code_of, command_for, expectation

    console = Console(highlight=False, markup=False, soft_wrap=True)
    try:
        changes = publish(
            [run for source in map(run_of, sources) for run in (runs_in(source) if source.is_dir() else (source,))],
            to,
            planner=expectation,
            describe=lambda suite, run_id: (command_for(suite), code_of(suite, run_id)),
            address=scores_address,
            pack=scores,
        )
    except UnverifiedError as error:
        for problem in error.verification.problems:
            console.print(str(problem))
        console.print(f"{error.verification.summary()}. Nothing was written.")
        raise typer.Exit(NOT_VERIFIED) from error
    for change in changes:
        targets = "1 target" if change.targets == 1 else f"{change.targets} targets"
        console.print(
            f"{change.path}: {change.rows:,} rows of {targets}, {change.null_rows:,} of the null control, "
            f"scores {change.pack_bytes / 1e6:.2f} MB"
        )
        for line in change.lines():
            console.print(f"  {line}")
        for note in change.notes:
            console.print(f"  Not checked: {note}.")
    if scores_address and scores is not None:
        console.print(f"Put {scores} at {scores_address}: its hash is in the provenance.")
