"""Dumped outputs, file by file or folder by folder, made into what is audited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...attacks.observations import ORIGINAL
from . import AuditError
from .groups import check_files
from .names import checked_name
from .readers import SUFFIXES
from .subject import Subject, make_subject
from .tables import Kind, read_table

Pairs = Mapping[str, tuple[Path, Path]]
LAYOUT = (
    "A folder of outputs holds members.npz and nonmembers.npz of the original (or .npy, .parquet, .csv), and the same "
    "in a folder of its own for each compressed model, as int8/members.npz and int8/nonmembers.npz"
)


def pairs_in(folder: Path) -> Pairs:
    """The files of members and non-members in a folder, by variant.

    Raises:
        AuditError: there are none, or one of a pair is missing.
    """
    if not folder.is_dir():
        raise AuditError(f"There is no folder {folder}. {LAYOUT}.")
    below = {p.name: p for p in sorted(folder.iterdir()) if p.is_dir() and not p.name.startswith(".")}
    if ORIGINAL in below and any((folder / f"members{suffix}").exists() for suffix in SUFFIXES):
        raise AuditError(f"{folder} holds the original twice: in itself, and in {ORIGINAL}/. {LAYOUT}.")
    found = {name: _pair(place) for name, place in {ORIGINAL: folder, **below}.items()}
    pairs = {checked_name(name): pair for name, pair in found.items() if pair is not None}
    if not pairs:
        raise AuditError(f"{folder} holds no outputs. {LAYOUT}.")
    return pairs


def paired_files(members: Mapping[str, Path], nonmembers: Mapping[str, Path]) -> Pairs:
    """Two files for each variant.

    Raises:
        AuditError: a variant has only one.
    """
    for name in (*members, *nonmembers):
        if name not in members or name not in nonmembers:
            given, lacking = ("members", "nonmembers") if name in members else ("nonmembers", "members")
            option = f"--{lacking} FILE" if name == ORIGINAL else f"--compressed-{lacking} {name}=FILE"
            raise AuditError(f"Only the {given} of {name} are given, and both groups are needed: add {option}.")
    return {name: (members[name], nonmembers[name]) for name in members}


def read_subject(pairs: Pairs, kinds: Mapping[str, Kind], labels: Sequence[Path] = ()) -> Subject:
    """Read every file.

    Args:
        pairs: outputs on the members and on the non-members, by variant.
        kinds: what they are.
        labels: files of the labels of both, if they are not in the files of outputs.

    Raises:
        AuditError: see ``tables.read_table`` and ``subject.make_subject``.
    """
    for pair in pairs.values():
        check_files(*pair)
    own: tuple[Path | None, ...] = tuple(labels) or (None, None)
    first = next(iter(sorted(pairs, key=lambda name: name != ORIGINAL)))
    tables = {
        name: tuple(
            read_table(path, kinds[name], of if name == first else None) for path, of in zip(pair, own, strict=True)
        )
        for name, pair in pairs.items()
    }
    return make_subject(tables, kinds)  # type: ignore[arg-type]


def _pair(folder: Path) -> tuple[Path, Path] | None:
    found = []
    for stem in ("members", "nonmembers"):
        files = [folder / f"{stem}{suffix}" for suffix in SUFFIXES if (folder / f"{stem}{suffix}").is_file()]
        if len(files) > 1:
            raise AuditError(f"{folder} holds {' and '.join(f.name for f in files)}. Leave one.")
        found += files
    if len(found) == 1:
        raise AuditError(f"{folder} holds {found[0].name} only. {LAYOUT}.")
    return (found[0], found[1]) if found else None
