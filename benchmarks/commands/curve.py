"""``compleak curve``: attacks against the number of shadows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
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
    from ...results.curve_table import contrast_tables, narrow_table, point_tables, wide_table
    from ...results.scores import write_atomically
    from ...results.store import changed_since_published, open_results

    results = open_results(run)
    for path in changed_since_published(results):
        typer.echo(f"Warning: {path} is not the file that its provenance names: run compleak verify.", err=True)
    figures = points(results.rows)
    pairs = contrasts(results)
    tables = [*point_tables(figures), *contrast_tables(pairs)]
    console = Console(highlight=False)
    unbounded = console.options.update(max_width=10_000)

    def needs(layout: list[Table]) -> int:
        return max((console.measure(table, options=unbounded).minimum for table in layout), default=0)

    filled = [table for table in tables if not table.empty]
    shown, narrow = [wide_table(table) for table in filled], [narrow_table(table) for table in filled]
    if needs(shown) > console.width:
        shown = narrow if needs(narrow) <= console.width else [narrow_table(table.short()) for table in filled]
    for table in shown:
        console.print(table)
        console.print()
    for title in (table.title for table in tables if table.empty):
        console.print(f"{escape(title)}: n/a, too few non-members for so low a rate.")
    if needs(narrow) > console.width:
        console.print(f"Intervals are left out: they need {needs(narrow)} characters a line, or --markdown FILE.")
    if any(point.targets > 1 for point in figures):
        console.print("Means over targets.")
    if pairs:
        console.print("* p < 0.05, two-sided, after Holm's correction over all differences shown.")
    if markdown:
        write_atomically(markdown, "\n".join(t.markdown() for t in tables).encode())
        console.print(f"Markdown: {escape(str(markdown))}", soft_wrap=True)
