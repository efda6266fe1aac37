"""Whether members and non-members are two groups: one file given for both is an all-clear for any model.

Rows that recur prove nothing by themselves: a model that always says the same, or whose outputs saturate, gives the
same row for many examples. So only rows that occur once in each group count, see ``independence.mostly_shared``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import AuditError
from .blind import fingerprint
from .independence import Floats, mostly_shared, row_keys
from .subject import Subject

_SAME = "Members and non-members are the same"
_WANTED = "Give as members what the model was trained on, and as non-members what it was not."


def check_files(members: Path, nonmembers: Path) -> None:
    """See that two paths are not one file or folder.

    Raises:
        AuditError: they are.
    """
    if members.exists() and nonmembers.exists() and members.samefile(nonmembers):
        raise AuditError(f"Members and non-members are both {members}. {_WANTED}")


def check_inputs(inputs: tuple[NDArray[np.generic], NDArray[np.generic]]) -> None:
    """See that the examples of one group are not all in the other.

    Args:
        inputs: of the members and of the non-members, [examples, ...].

    Raises:
        AuditError: they are.
    """
    if within := _within(*([fingerprint(example) for example in part] for part in inputs)):
        raise AuditError(f"{within}: the examples are the same to the last bit. {_WANTED}")


def check_outputs(subject: Subject, whose: str = "") -> None:
    """See that no variant's outputs on one group are all among those on the other.

    Labels are left out of it: they may come from elsewhere than the outputs, and be right where those are not.

    Args:
        subject: the target, or a shadow.
        whose: begins the message.

    Raises:
        AuditError: they are.
    """
    for variant in subject.variants:
        inside, outside = (subject.logits[variant][subject.member == side] for side in (True, False))
        within = _within(row_keys(inside), row_keys(outside))
        if within or _repeated(subject, inside, outside):
            within = within or _SAME
            raise AuditError(
                f"{whose}{within}: the outputs of {variant} are the same to the last bit. Was one file given twice? "
                f"{_WANTED}"
            )


def shared_rows(subject: Subject) -> int:
    """How many non-members have a member's label and, from every variant, its outputs to the last bit."""
    keys = row_keys(np.column_stack([*subject.logits.values(), subject.labels]))
    inside = {key for key, member in zip(keys, subject.member, strict=True) if member}
    return sum(key in inside for key, member in zip(keys, subject.member, strict=True) if not member)


def _repeated(subject: Subject, inside: Floats, outside: Floats) -> bool:
    """Whether outputs and labels are the same in the same order, and outputs are more than a word for the label.

    So a copy is found where nearly all rows recur; classes in order, each with one output, may come alike by chance.
    """
    classes, others = (subject.labels[subject.member == side] for side in (True, False))
    if not np.array_equal(inside, outside) or not np.array_equal(classes, others):
        return False
    return len(set(row_keys(np.column_stack([inside, classes])))) > len(np.unique(classes))


def _within(members: Sequence[bytes], nonmembers: Sequence[bytes]) -> str:
    """In words, which group is a part of the other; empty where neither is, or where it may be by chance."""
    inside, outside = set(members), set(nonmembers)
    if not (inside <= outside or outside <= inside) or not mostly_shared(members, nonmembers):
        return ""
    if inside == outside:
        return _SAME
    if outside < inside:
        return f"All {len(nonmembers):,} non-members are among the members"
    return f"All {len(members):,} members are among the non-members"
