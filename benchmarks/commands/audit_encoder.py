"""``compleak audit-encoder``: for people with a pre-trained encoder, who know what it was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_QUESTIONS = "What is asked"


def audit_encoder_command(
    encoder: Annotated[
        str, typer.Argument(metavar="ENCODER", help="Id on the Hugging Face hub, as facebook/dino-vits16, or a folder.")
    ],
    members: Annotated[
        Path,
        typer.Option(metavar="PATH", help="Images it was trained on: an .npz file with images, or a folder of images."),
    ],
    nonmembers: Annotated[
        Path, typer.Option(metavar="PATH", help="Images that it was not trained on, prepared alike.")
    ],
    attack: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="An attack, as encodermi-t-known. May be repeated.", show_default="all"),
    ] = None,
    views: Annotated[
        int, typer.Option(help="Augmented views of an image, of EncoderMI.", rich_help_panel=_QUESTIONS)
    ] = 10,
    view_scale: Annotated[
        tuple[float, float],
        typer.Option(help="Least and largest share of an image that a view shows.", rich_help_panel=_QUESTIONS),
    ] = (0.2, 1.0),
    jitter: Annotated[
        float, typer.Option(help="Strength of a view's colour jitter, 0 for none.", rich_help_panel=_QUESTIONS)
    ] = 1.0,
    crops: Annotated[int, typer.Option(help="Crops of an image, of PartCrop.", rich_help_panel=_QUESTIONS)] = 128,
    crop_scale: Annotated[
        tuple[float, float],
        typer.Option(help="Least and largest share of an image that a crop shows.", rich_help_panel=_QUESTIONS),
    ] = (0.08, 0.2),
    device: Annotated[str, typer.Option(help="Where the encoder runs: cpu or cuda.")] = "cpu",
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What to call the encoder.", show_default="its own name")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to write.", show_default="runs/audit-ID")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that draws.")] = 0,
    resamples: Annotated[int, typer.Option(min=1, help="Of the bootstrap.")] = 1000,
) -> None:
    """Audit a pre-trained encoder: what does it give away about the images that it was trained on?

    The attacker knows who is a member in one half of your images, and the other half is attacked.

    [bold]Examples[/bold]:

    compleak audit-encoder facebook/dino-vits16 --members seen.npz --nonmembers unseen.npz

    compleak audit-encoder my-vit --members seen --nonmembers unseen --attack encodermi-t-known --jitter 0
    """
    from ..audit.encoder.attacked import check_attacks
    from ..audit.encoder.audit import audit_encoder, load_encoder
    from ..audit.encoder.images import check_paths, read_images
    from ..audit.encoder.questions import Questions
    from ..audit.folder import check_place

    check_attacks(attack or [])
    questions = Questions(views, view_scale, jitter, crops, crop_scale, seed)
    check_paths(members, nonmembers)
    if out is not None:
        check_place(out)
    with _Steps() as steps:
        steps.say(f"Loading {encoder}")
        loaded = load_encoder(encoder, device)
        steps.say("Reading images")
        groups = [read_images(path, loaded.image) for path in (members, nonmembers)]
        result = audit_encoder(
            loaded, *groups, attacks=attack or [], questions=questions, name=name or _name_of(encoder), seed=seed,
            resamples=resamples, place=out, tell=steps.tell,
        )  # fmt: skip
    typer.echo(result.summary)
    written = result.write(out if out is not None else Path("runs") / f"audit-{result.run_id[:8]}")
    typer.echo(f"Written to {written}: leaderboard.csv, summary.txt and the scores.")
    typer.echo(f"Read on with: compleak verify {written}, compleak report {written} -o DIR")


def _name_of(encoder: str) -> str:
    """The last part of a hub id or path, less what no name may hold."""
    last = Path(encoder).resolve().name if Path(encoder).exists() else encoder.rpartition("/")[2]
    return (
        "".join(c if c.isascii() and (c.isalnum() or c in "._+-") else "-" for c in last)[:80].lstrip("._+-") or "own"
    )


class _Steps:
    """A bar for each step where there is a terminal, a line for each finished one where there is none."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bars = Progress(
            TextColumn("{task.description:<20}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def say(self, what: str) -> None:
        """Print a line."""
        self._console.print(what, markup=False)

    def tell(self, step: str, done: int, total: int) -> None:
        """Move a step's bar."""
        if step not in self._tasks:
            self._tasks[step] = self._bars.add_task(step, total=total)
        self._bars.update(self._tasks[step], completed=done)
        if done == total and self._bars.disable:
            self.say(f"{step}: {done:,} of {total:,}")
