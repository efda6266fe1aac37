"""``compleak report``: finished results as a page that opens anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape


def report_command(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Runs' folders, or published leaderboards' CSV files; on one page."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the page; made where missing.")],
) -> None:
    """Write the results as one HTML page, which opens from a file or any web server and needs no network.

    [bold]Examples[/bold]: compleak report runs/quickstart -o report    compleak report encoders-*.csv -o site
    """
    from ...attacks.registry import ATTACKS
    from ...results.report.site import write_report
    from ...results.store import changed_since_published, open_together
    from ..audit.formulas import FORMULAS

    results = open_together(runs)
    for path in changed_since_published(results):
        typer.echo(f"Warning: {path} is not the file that its provenance names: run compleak verify.", err=True)
    attacks = {name: info.description for name, info in ATTACKS.loadable().items()}
    attacks |= {name: formula.description for name, formula in FORMULAS.items()}
    page = write_report(results, out, attacks=attacks)
    size = page.stat().st_size / 1e6
    Console(highlight=False).print(
        escape(f"{page} shows {len(results.rows)} rows ({size:.1f} MB). Open it in a browser."), soft_wrap=True
    )
