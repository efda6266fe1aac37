"""``compleak audit``: for people with a model of their own and no suite."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..audit import LEAST_RESAMPLES, AuditError

if TYPE_CHECKING:
    from ..audit.api import Audit

_FILES, _VECTORS = "Model files", "Dumped outputs"
Repeated = list[str] | None


def audit_command(
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=]FILE", help="More compressed models, as --compressed.")
    ] = None,
    outputs: Annotated[
        Repeated,
        typer.Option(metavar="[NAME=]KIND", help="What the models give: logits or probabilities. Needed."),
    ] = None,
    members: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Examples it was trained on: its outputs on them, or with model files the examples themselves.",
        ),
    ] = None,
    nonmembers: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The same of examples that it was not trained on.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="A folder that holds both, as members.npz and nonmembers.npz."),
    ] = None,
    labels: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="MEMBERS NONMEMBERS", help="True classes, if not beside the outputs.", rich_help_panel=_VECTORS
        ),
    ] = None,
    compressed_members: Annotated[
        Repeated,
        typer.Option(metavar="NAME=FILE", help="A compressed model's outputs.", rich_help_panel=_VECTORS),
    ] = None,
    compressed_nonmembers: Annotated[
        Repeated, typer.Option(metavar="NAME=FILE", help="The same.", rich_help_panel=_VECTORS)
    ] = None,
    shadow: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER", help="Outputs of a shadow model, as --data. May be repeated.", rich_help_panel=_VECTORS
        ),
    ] = None,
    original: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The uncompressed model: .pt2, .keras, .tflite, .ptl, .pte or a run's .safetensors.",
            rich_help_panel=_FILES,
        ),
    ] = None,
    compressed: Annotated[
        Repeated,
        typer.Option(metavar="[NAME=]FILE", help="A compressed model. May be repeated.", rich_help_panel=_FILES),
    ] = None,
    layout: Annotated[
        Repeated,
        typer.Option(
            metavar="[NAME=]ORDER", help="Axes of the model's input: NHWC, NCHW or as-is.", rich_help_panel=_FILES
        ),
    ] = None,
    scale: Annotated[
        Repeated,
        typer.Option(metavar="[NAME=]NUMBER", help="Inputs are multiplied by it, as 1/255.", rich_help_panel=_FILES),
    ] = None,
    mean: Annotated[
        Repeated,
        typer.Option(metavar="[NAME=]NUMBERS", help="Subtracted then; one a channel, or one.", rich_help_panel=_FILES),
    ] = None,
    std: Annotated[
        Repeated,
        typer.Option(metavar="[NAME=]NUMBERS", help="Divided by last; one a channel, or one.", rich_help_panel=_FILES),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds that one model file may run.", rich_help_panel=_FILES)
    ] = 600,
    name: Annotated[str, typer.Option(metavar="NAME", help="What to call the model.")] = "own-model",
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to write.", show_default="runs/audit-ID")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that draws.")] = 0,
    resamples: Annotated[int, typer.Option(min=LEAST_RESAMPLES, help="Of the bootstrap.")] = 1000,
) -> None:
    """Audit your own model: what does it give away about who was in its training set, and what does compression add?

    Give its outputs on members and non-members, or the model files and the examples.

    [bold]Examples[/bold]:

    compleak audit --members m.npz --nonmembers n.npz --outputs logits

    compleak audit --original model.pt2 --compressed int8.tflite --data data --outputs logits
    --layout NHWC --layout original=NCHW --scale 1/255 --mean 0 --std 1
    """
    from ..audit.folder import check_place

    if out is not None:
        check_place(out)
    models = [*(compressed or []), *(more or [])]
    common: dict[str, Any] = {"name": name, "seed": seed, "resamples": resamples, "place": out}
    if original is not None or models:
        _refuse(
            "model files", labels=labels, compressed_members=compressed_members,
            compressed_nonmembers=compressed_nonmembers, shadow=shadow,
        )  # fmt: skip
        preparation = {"--layout": layout, "--scale": scale, "--mean": mean, "--std": std}
        result = _of_files(original, models, members, nonmembers, data, outputs, preparation, timeout, common)
    elif members or nonmembers or data or compressed_members or compressed_nonmembers:
        _refuse("dumped outputs", layout=layout, scale=scale, mean=mean, std=std)
        given = (compressed_members or [], compressed_nonmembers or [])
        result = _of_vectors(members, nonmembers, data, given, labels, shadow or [], outputs, common)
    else:
        raise AuditError(
            "Nothing to audit. Give a model's outputs on members and non-members (--members, --nonmembers), or model "
            "files and examples (--original, --compressed, --data). See compleak audit --help."
        )
    typer.echo(result.summary)
    written = result.write(out if out is not None else Path("runs") / f"audit-{result.run_id[:8]}")
    typer.echo(f"Written to {written}: leaderboard.csv, summary.txt and the scores.")
    typer.echo("Read on with:")
    for command in _next(written, result):
        typer.echo(f"  {shlex.join(['compleak', *map(str, command)])}")


def _next(written: Path, result: Audit) -> Iterator[list[str | Path]]:
    yield ["verify", written]
    if any(row.baseline for row in result.rows):
        yield ["compare", written]
    yield ["report", written, "-o", written / "report"]


def _refuse(what: str, **options: object) -> None:
    if given := [f"--{name.replace('_', '-')}" for name, value in options.items() if value]:
        raise AuditError(f"{', '.join(given)} cannot be used with {what}. See compleak audit --help.")


def _kinds(outputs: list[str] | None, names: list[str]) -> Any:
    from ..audit.api import kinds_of
    from ..audit.layout import by_name

    return kinds_of(by_name("--outputs", outputs or [], names), names)  # type: ignore[arg-type]


def _of_vectors(
    members: Path | None,
    nonmembers: Path | None,
    data: Path | None,
    compressed: tuple[list[str], list[str]],
    labels: tuple[Path, Path] | None,
    shadows: list[Path],
    outputs: list[str] | None,
    common: dict[str, Any],
) -> Audit:
    from ...attacks.observations import ORIGINAL
    from ..audit.api import conduct
    from ..audit.names import named_paths
    from ..audit.vectors import paired_files, pairs_in, read_subject

    if data is not None:
        if members or nonmembers or any(compressed) or labels:
            raise AuditError("--data names a folder with everything in it; give it, or the files one by one.")
        pairs = pairs_in(data)
    else:
        sides = []
        for own, option, texts in (
            (members, "--compressed-members", compressed[0]),
            (nonmembers, "--compressed-nonmembers", compressed[1]),
        ):
            if nameless := [text for text in texts if "=" not in text]:
                raise AuditError(f"{option} {nameless[0]}: give NAME=FILE, the same NAME for members and non-members.")
            sides.append({**({ORIGINAL: own} if own is not None else {}), **named_paths(option, texts)})
        pairs = paired_files(*sides)
    kinds = _kinds(outputs, list(pairs))
    of_shadows = [read_subject(pairs_in(folder), _kinds(outputs, list(pairs_in(folder)))) for folder in shadows]
    target = read_subject(pairs, kinds, labels or ())
    return conduct(target, of_shadows, kinds=kinds, source="vectors", **common)


def _of_files(
    original: Path | None,
    compressed: list[str],
    members: Path | None,
    nonmembers: Path | None,
    data: Path | None,
    outputs: list[str] | None,
    preparation: dict[str, list[str] | None],
    timeout: float,
    common: dict[str, Any],
) -> Audit:
    from ...attacks.observations import ORIGINAL
    from ..audit.api import conduct
    from ..audit.files import groups_in, run_files
    from ..audit.layout import by_name, layout_of
    from ..audit.names import named_paths
    from ..audit.readers import SUFFIXES
    from ..executors import default_workers

    models = {**({ORIGINAL: original} if original is not None else {}), **named_paths("--compressed", compressed)}
    if dumped := [path for path in models.values() if path.suffix in SUFFIXES]:
        raise AuditError(
            f"{dumped[0]} is no model file. Dumped outputs are given by --members and --nonmembers, a compressed "
            "model's by --compressed-members NAME=FILE and --compressed-nonmembers NAME=FILE."
        )
    if data is not None:
        if members or nonmembers:
            raise AuditError("--data names a folder with members and nonmembers in it; give it, or the two of them.")
        members, nonmembers = groups_in(data)
    if members is None or nonmembers is None:
        raise AuditError(
            "A model file needs examples to run on: --members and --nonmembers (each an .npz file with images and "
            "labels, or a folder of images, one folder a class), or --data with both in it."
        )
    names = list(models)
    kinds = _kinds(outputs, names)
    stated = {option: by_name(option, values or [], names) for option, values in preparation.items()}
    layouts = {name: layout_of(name, *(stated[option].get(name) for option in stated)) for name in names}
    ran = run_files(models, members, nonmembers, layouts, kinds, timeout=timeout, threads=default_workers())
    return conduct(
        ran.subject, [], kinds=kinds, source="files", inputs=ran.inputs, facts=ran.facts,
        layouts={name: layout.text for name, layout in layouts.items()}, notes=ran.notes, **common,
    )  # fmt: skip
