"""``compleak compare``: settings side by side, or two runs."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

if TYPE_CHECKING:
    from ...results.comparison.changes import Changes
    from ...results.store import Results

REGRESSION = 1


def compare_command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or a published leaderboard's CSV file.")],
    other: Annotated[
        Path | None, typer.Argument(metavar="[RUN_B]", help="A later run, to hold against the first.")
    ] = None,
    by: Annotated[
        Literal["setting", "technique", "framework"] | None,
        typer.Option(help="What makes a line.", show_default="setting"),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(help="Compare with this: a setting, or FRAMEWORK/SETTING.", show_default="original"),
    ] = None,
    attack: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Look at this attack. May be repeated.", show_default="a fixed few"),
    ] = None,
    margin: Annotated[
        float, typer.Option(help="How much more leakage (or, between runs, less accuracy) counts as none.")
    ] = 0.01,
    accuracy_loss: Annotated[
        float | None, typer.Option(help="Accuracy that may be lost, a fraction.", show_default="0.01")
    ] = None,
    size: Annotated[
        Literal["gzip", "bytes"] | None, typer.Option(help="What `smallest` means.", show_default="gzip")
    ] = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write every line to a CSV file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    fail_on_regression: Annotated[
        bool,
        typer.Option("--fail-on-regression", help="Exit with 1 where RUN_B is worse than RUN by more than the margin."),
    ] = False,
) -> None:
    """Compare the settings of a run with the original, and say which is the smallest that leaks no more. Or two runs.

    [bold]Examples[/bold]: compleak compare runs/quickstart    compleak compare runs/quickstart --by technique

    compleak compare yesterday today --fail-on-regression
    """
    from ...results.comparison.baselines import CompareError
    from ...results.store import changed_since_published, open_results

    first = open_results(run)
    second = None if other is None else open_results(other)
    for results in (first, second):
        if results is None:
            continue
        for path in changed_since_published(results):
            typer.echo(f"Warning: {path} is not the file that its provenance names: run compleak verify.", err=True)
        for warning in results.warnings:
            typer.echo(f"Warning of the audit {results.path}: {warning}", err=True)
    if second is None:
        if fail_on_regression:
            raise CompareError("--fail-on-regression needs two runs: compleak compare YESTERDAY TODAY.")
        loss = 0.01 if accuracy_loss is None else accuracy_loss
        if not 0 < loss < 1:
            raise CompareError(f"--accuracy-loss must be a fraction between 0 and 1, for example 0.01; got {loss:g}.")
        _one(
            first,
            by or "setting",
            baseline or "original",
            attack or [],
            margin,
            loss,
            size or "gzip",
            csv_file,
            as_json,
        )
        return
    given = {"--by": by, "--baseline": baseline, "--accuracy-loss": accuracy_loss, "--size": size}
    if strange := [name for name, value in given.items() if value is not None]:
        raise CompareError(f"{', '.join(strange)} says how to compare settings of one run; two runs were given.")
    raise typer.Exit(_two(first, second, attack or [], margin, csv_file, as_json, fail_on_regression))


def _one(
    results: Results,
    by: Literal["setting", "technique", "framework"],
    baseline: str,
    attacks: list[str],
    margin: float,
    loss: float,
    size: Literal["gzip", "bytes"],
    csv_file: Path | None,
    as_json: bool,
) -> None:
    from ...results.comparison.advice import answers
    from ...results.comparison.compare import compare
    from ...results.comparison.compare_table import comparison_table

    found = compare(results, by=by, baseline=baseline, attacks=attacks, margin=margin)
    advice = [answers(c, accuracy_loss=loss, size=size) if by == "setting" else [] for c in found]
    if csv_file:
        lines = []
        for comparison in found:
            front = comparison.front(size)
            costs = {cost.group: cost for cost in comparison.costs}
            for effect in comparison.effects:
                cost = asdict(costs[effect.group]) if effect.group in costs else {}
                facts = {k: v for k, v in cost.items() if k != "group"} | {"on_front": effect.group in front}
                lines.append({"title": comparison.title, "baseline": baseline, **asdict(effect), **facts})
        _write_csv(lines, csv_file)
    if as_json:
        _print_json(
            [
                {**asdict(c), "front": sorted(c.front(size)), "answers": [asdict(a) for a in told]}
                for c, told in zip(found, advice, strict=True)
            ]
        )
        return
    console = Console(highlight=False)
    for comparison, told in zip(found, advice, strict=True):
        console.print(comparison_table(comparison, told, size))


def _two(
    first: Results,
    second: Results,
    attacks: list[str],
    margin: float,
    csv_file: Path | None,
    as_json: bool,
    fail: bool,
) -> int:
    from ...results.comparison.changes import changes
    from ...results.comparison.changes_table import changes_table

    found = changes(first, second, attacks=attacks, margin=margin)
    if csv_file:
        _write_csv(list(_change_lines(found)), csv_file)
    if as_json:
        _print_json(
            {
                "changes": list(_change_lines(found)),
                "notes": found.notes,
                "regressions": [
                    {**_identity(r.row), "metric": r.metric, **asdict(r.delta), "p_holm": r.p_holm}
                    for r in found.regressions
                ],
            }
        )
    else:
        Console(highlight=False).print(changes_table(found))
    return REGRESSION if fail and found.regressions else 0


def _change_lines(found: Changes) -> list[dict[str, Any]]:
    """A line for each row of either run."""
    artifacts = {artifact.key: artifact for artifact in found.artifacts}
    lines: list[dict[str, Any]] = []
    for change in found.changes:
        was, now = change.was, change.now
        line: dict[str, Any] = {"state": "same scores" if change.same_scores else "changed", **_identity(now)}
        line |= {"paired": change.paired, "auc_was": was.auc, "auc_now": now.auc, **_ends("auc", change.auc)}
        line |= {"tpr_at_1pct_was": was.tpr_at_1pct, "tpr_at_1pct_now": now.tpr_at_1pct}
        line |= _ends("tpr_at_1pct", change.tpr_at_1pct)
        artifact = artifacts.get(change.artifact)
        line |= {"accuracy_was": was.accuracy, "accuracy_now": now.accuracy}
        line |= _ends("accuracy", artifact.accuracy if artifact else None)
        lines.append(line | {"bytes_was": was.bytes, "bytes_now": now.bytes})
    empty = dict.fromkeys(lines[0])
    lines += [{**empty, "state": "new", **_identity(row), "auc_now": row.auc} for row in found.new]
    return lines + [{**empty, "state": "gone", **_identity(row), "auc_was": row.auc} for row in found.gone]


def _identity(row: Any) -> dict[str, Any]:
    from ...results.comparison.changes import MATCHED_BY

    return {name: getattr(row, name) for name in MATCHED_BY}


def _ends(name: str, delta: Any) -> dict[str, float | None]:
    ends = ("difference", "low", "high")
    return {f"{name}_{end}": None if delta is None else getattr(delta, end) for end in ends}


def _print_json(content: Any) -> None:
    typer.echo(json.dumps(content, indent=1))


def _write_csv(lines: list[dict[str, Any]], path: Path) -> None:
    from ...results.leaderboard import format_cell, neutral
    from ...results.scores import write_atomically

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(lines[0])
    for line in lines:
        writer.writerow([neutral(v) if isinstance(v, str) else format_cell(v) for v in line.values()])
    write_atomically(path, text.getvalue().encode())
