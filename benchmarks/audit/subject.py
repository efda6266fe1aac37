"""One model and its compressed versions, seen on its members and its non-members: logits in float64, all checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...attacks.observations import ORIGINAL
from . import AuditError
from .tables import Kind, Table

LEAST = 10
TIED = 0.02
SUM_TOLERANCE = 0.02
"""How far probabilities may sum from 1: int8 outputs in steps of 1/256 stray by about so much."""


@dataclass(frozen=True, eq=False)
class Subject:
    """What is audited, or a shadow of it.

    Attributes:
        logits: float64 [examples, classes] by variant, ``original`` first where it is held.
        labels: int64 [examples].
        member: bool [examples], members first.
        notes: what a reader must know of how the outputs were read.
    """

    logits: Mapping[str, NDArray[np.float64]]
    labels: NDArray[np.int64]
    member: NDArray[np.bool_]
    notes: tuple[str, ...] = ()

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of the original and the compressed models."""
        return tuple(self.logits)

    @property
    def compressed(self) -> tuple[str, ...]:
        """Names of the compressed models."""
        return tuple(v for v in self.logits if v != ORIGINAL)

    @property
    def classes(self) -> int:
        """How many."""
        return int(next(iter(self.logits.values())).shape[1])

    @property
    def members(self) -> int:
        """How many."""
        return int(np.count_nonzero(self.member))

    @property
    def nonmembers(self) -> int:
        """How many."""
        return len(self.member) - self.members

    def accuracy(self, variant: str, *, member: bool) -> float:
        """Fraction of the members, or of the non-members, that a variant classifies rightly."""
        of = self.member == member
        return float(np.mean(self.logits[variant][of].argmax(axis=1) == self.labels[of]))

    def agreement(self, variant: str, *, member: bool = False) -> float | None:
        """Fraction of one group that a variant classifies as the original does; None without the original."""
        if ORIGINAL not in self.logits:
            return None
        of = self.member == member
        tops = (self.logits[v][of].argmax(axis=1) for v in (ORIGINAL, variant))
        return float(np.mean(np.equal(*tops)))


def make_subject(tables: Mapping[str, tuple[Table, Table]], kinds: Mapping[str, Kind]) -> Subject:
    """Put the outputs of all variants side by side.

    Args:
        tables: outputs on the members and on the non-members, by variant, the same examples in the same order.
        kinds: what each variant's outputs are.

    Raises:
        AuditError: outputs are not of the kind they were said to be; variants disagree on the examples or classes;
            labels are missing or out of range; or there are too few examples to say anything.
    """
    if not tables:
        raise AuditError("There is no model to audit: give the original's outputs, a compressed model's, or both.")
    ordered = sorted(tables, key=lambda name: name != ORIGINAL)
    notes: list[str] = []
    logits: dict[str, NDArray[np.float64]] = {}
    for name in ordered:
        pair = tables[name]
        for table in pair:
            _check_kind(table, kinds[name])
        if pair[0].outputs.shape[1] != pair[1].outputs.shape[1]:
            raise AuditError(
                f"{pair[0].where} has {pair[0].outputs.shape[1]} outputs an example, {pair[1].where} has "
                f"{pair[1].outputs.shape[1]}. Both must come from the same model."
            )
        logits[name] = _as_logits(np.concatenate([table.outputs for table in pair]), kinds[name])
        if pair[0].outputs.shape[1] == 1:
            notes.append(f"{name}: one output an example, read as that of class 1 of two.")
        if (certain := _certain(pair, kinds[name])) > TIED:
            notes.append(
                f"{name}: {certain:.0%} of the probabilities are rounded to exactly 1 and tie. Dump logits, or more "
                "digits: ties hide what happens at a low FPR."
            )
    labels = [_agreed_labels([tables[name][i] for name in ordered], ("members", "non-members")[i]) for i in (0, 1)]
    subject = Subject(
        logits,
        np.concatenate(labels),
        np.repeat([True, False], [len(part) for part in labels]),
        tuple(notes),
    )
    _check_classes(subject, [pair[0].where for pair in tables.values() if pair[0].outputs.shape[1] == 1])
    return subject


def _check_classes(subject: Subject, alone: Sequence[str]) -> None:
    """See that the classes fit; ``alone`` are those with one output an example, taken for that of class 1 of two."""
    widths = {name: values.shape[1] for name, values in subject.logits.items()}
    if len(set(widths.values())) > 1:
        raise AuditError(f"The models have different numbers of classes: {widths}.")
    if (top := int(subject.labels.max())) >= subject.classes:
        if alone:
            raise AuditError(
                f"{alone[0]} holds one number an example, which was taken for a binary model's output of class 1; but "
                f"labels go up to {top}. Dump the outputs of all classes, [examples, classes]."
            )
        raise AuditError(
            f"Labels go up to {top}, but there are outputs for {subject.classes} classes, 0 to {subject.classes - 1}. "
            "Was the model built for other data, or do the labels count from 1?"
        )


def _agreed_labels(tables: list[Table], group: str) -> NDArray[np.int64]:
    first = tables[0]
    for table in tables[1:]:
        if len(table.outputs) != len(first.outputs):
            raise AuditError(
                f"{first.where} has {len(first.outputs):,} rows and {table.where} has {len(table.outputs):,}: all "
                f"models must be run on the same {group} in the same order."
            )
    known = [table for table in tables if table.labels is not None]
    if not known:
        raise AuditError(
            f"{first.where}: no labels. Put the true classes into the file as 'label' or 'labels', or give them by "
            "--labels MEMBERS NONMEMBERS."
        )
    labels = known[0].labels
    for table in known[1:]:
        if not np.array_equal(table.labels, labels):  # type: ignore[arg-type]
            raise AuditError(
                f"{known[0].where} and {table.where} have different labels: all models must be run on the same "
                f"{group} in the same order."
            )
    if len(first.outputs) < LEAST:
        raise AuditError(f"Only {len(first.outputs)} {group} in {first.where}; give at least {LEAST}, better 1,000.")
    return np.asarray(labels)


def _check_kind(table: Table, kind: Kind) -> None:
    values = table.outputs.astype(np.float64)
    alone = values.shape[1] == 1
    within = ((values >= 0) & (values <= 1)).all(axis=1)
    off = np.zeros(len(values)) if alone else np.abs(values.sum(axis=1) - 1)
    if kind == "probabilities":
        wrong = ~within | (off > SUM_TOLERANCE)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            shown = f"{values[row, 0]:.4g}" if alone else f"row {row} (from 0) sums to {values[row].sum():.4g}"
            raise AuditError(
                f"{table.where}: said to be probabilities, but {int(wrong.sum()):,} of {len(values):,} rows are not "
                f"within 0 to 1 or do not sum to 1; {shown}, its range is {values[row].min():.4g} to "
                f"{values[row].max():.4g}. If these are logits, say --outputs logits."
            )
    elif not alone and within.all() and (off < 1e-3).all():
        raise AuditError(
            f"{table.where}: said to be logits, but every row is within 0 to 1 and sums to 1. If these are "
            "probabilities (after a softmax), say --outputs probabilities."
        )
    elif alone and within.all() and len(values) >= LEAST:
        raise AuditError(
            f"{table.where}: said to be logits, but every one lies within 0 to 1. If these are probabilities (after "
            "a sigmoid), say --outputs probabilities."
        )


def _certain(pair: tuple[Table, Table], kind: Kind) -> float:
    """Fraction of the examples with a probability of exactly 1."""
    if kind == "logits":
        return 0.0
    return float(np.mean(np.concatenate([table.outputs.max(axis=1) == 1 for table in pair])))


def _as_logits(values: NDArray[np.floating], kind: Kind) -> NDArray[np.float64]:
    """Logits whose softmax the outputs are.

    A probability of 0 is one below what was written down: it becomes half of the least positive one (ours).
    """
    exact = values.astype(np.float64)
    if kind == "logits":
        return exact if exact.shape[1] > 1 else np.column_stack([np.zeros(len(exact)), exact])
    if exact.shape[1] == 1:
        exact = np.column_stack([1 - exact, exact])
    logits: NDArray[np.float64] = np.log(np.maximum(exact, exact[exact > 0].min() / 2))
    return logits
