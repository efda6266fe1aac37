"""Model files run on examples, made into what is audited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...attacks.observations import ORIGINAL
from . import AuditError
from .examples import Examples, read_groups
from .groups import check_files, check_inputs
from .layout import Layout
from .models import run_file
from .runners import runner_info
from .subject import Subject, make_subject
from .tables import Kind, Table, table_of

GROUPS = ("members", "non-members")


@dataclass(frozen=True, eq=False)
class FromFiles:
    """What running the files gave.

    Attributes:
        subject: the target.
        inputs: of the members and of the non-members, as they were stored.
        facts: by variant, cells that are known of its file.
        notes: for the summary.
    """

    subject: Subject
    inputs: tuple[NDArray[np.generic], NDArray[np.generic]]
    facts: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def groups_in(folder: Path) -> tuple[Path, Path]:
    """Members and non-members in one folder: ``members`` and ``nonmembers``, each a folder or an .npz file.

    Raises:
        AuditError: one is missing, or there twice.
    """
    found = []
    for name in ("members", "nonmembers"):
        places = [p for p in (folder / name, folder / f"{name}.npz") if p.exists()]
        if len(places) != 1:
            raise AuditError(f"{folder} must hold one of {name}/ and {name}.npz, and holds {len(places)} of them.")
        found += places
    return found[0], found[1]


def run_files(
    models: Mapping[str, Path],
    members: Path,
    nonmembers: Path,
    layouts: Mapping[str, Layout],
    kinds: Mapping[str, Kind],
    *,
    timeout: float,
    threads: int = 1,
) -> FromFiles:
    """Run every file on both groups, each in a process of its own.

    Args:
        models: files by variant.
        members: examples that the model was trained on.
        nonmembers: examples that it was not trained on.
        layouts: how examples become each model's input.
        kinds: what each model gives.
        timeout: seconds for each file.
        threads: of the interpreters.

    Raises:
        AuditError: a file or the examples cannot be used; says which.
    """
    for path in models.values():
        runner_info(path)
    check_files(members, nonmembers)
    groups = read_groups(members, nonmembers)
    check_inputs((groups[0].inputs, groups[1].inputs))
    inputs = np.concatenate([group.inputs for group in groups])
    for layout in layouts.values():
        layout.prepare(inputs[:1])
    ran = {
        name: run_file(path, inputs, layouts[name], timeout=timeout, threads=threads) for name, path in models.items()
    }
    tables = {
        name: _split(table_of(one.outputs, str(models[name])), groups, str(models[name])) for name, one in ran.items()
    }
    facts = {name: dict(one.facts) for name, one in ran.items()}
    if ORIGINAL in facts:
        facts[ORIGINAL].pop("framework")
    subject = make_subject(tables, kinds)
    notes = [
        f"{name} was fed {layouts[name].text} and is right for {subject.accuracy(name, member=False):.1%} of the "
        "non-members. If you know it to be better, its input was prepared wrongly, and nothing above holds."
        for name in models
    ]
    notes += [f"{name}: {note}" for name, one in ran.items() for note in one.notes]
    if groups[0].classes:
        numbered = ", ".join(f"{i} {name}" for i, name in enumerate(groups[0].classes))
        notes.append(f"Classes are numbered in the alphabetical order of their folders: {numbered}.")
    return FromFiles(subject, (groups[0].inputs, groups[1].inputs), facts, tuple(notes))


def _split(outputs: NDArray[np.floating], groups: tuple[Examples, Examples], where: str) -> tuple[Table, Table]:
    inside = len(groups[0].labels)
    return (
        Table(outputs[:inside], groups[0].labels, f"{where} on the {GROUPS[0]}"),
        Table(outputs[inside:], groups[1].labels, f"{where} on the {GROUPS[1]}"),
    )
