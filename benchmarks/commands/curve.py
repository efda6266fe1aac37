"""``compleak curve``: attacks against the number of shadows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table


def curve_command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or a published leaderboard's CSV file.")],
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Write the tables to a Markdown file too.")
    ] = None,
) -> None:
    """Show each attack's power by number of shadows, and what compressed models add to it, in paired tests.

    Meant for suites with [bold]shadow_counts[/bold], such as power-fashion; others give a curve of one point.

    [bold]Examples[/bold]: compleak curve runs/power-fashion    compleak curve runs/power-fashion --markdown power.md
    """
    from ...results.curve import contrasts, points
    from ...results.curve_table import contrast_tables, point_tables
    from ...results.scores import write_atomically
    from ...results.store import open_results

    results = open_results(run)
    tables = [*point_tables(points(results.rows)), *contrast_tables(contrasts(results))]
    console = Console(highlight=False)
    for text in tables:
        table = Table(title=escape(text.title), title_justify="left", box=box.SIMPLE_HEAD)
        for heading in text.headings:
            table.add_column(escape(heading), overflow="fold")
        for line in text.lines:
            table.add_row(*map(escape, line))
        console.print(table)
    console.print("Means over targets. * p < 0.05, two-sided, after Holm's correction over all differences shown.")
    if markdown:
        write_atomically(markdown, "\n".join(t.markdown() for t in tables).encode())
        console.print(f"Markdown: {escape(str(markdown))}", soft_wrap=True)
