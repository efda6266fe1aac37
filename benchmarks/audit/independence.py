"""Whether a shadow is a model of its own: one that is the target has its answers, and an attack would be told them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from . import AuditError
from .subject import Subject

Floats = NDArray[np.float64]


def check_shadows(subject: Subject, shadows: Sequence[Subject]) -> None:
    """See that no shadow's outputs are the target's.

    Args:
        subject: the target.
        shadows: models that should be others, trained on other data.

    Raises:
        AuditError: a shadow gives the target's outputs, all of them or most of a group's.
    """
    for number, shadow in enumerate(shadows):
        if _identical(subject, shadow):
            raise AuditError(
                f"Shadow {number} is the audited model: outputs, labels and groups are the same. A shadow is another "
                "model, trained on other data; dump that one's outputs."
            )
        for variant in shadow.variants:
            if variant not in subject.logits or shadow.classes != subject.classes:
                continue
            for side, group in ((True, "members"), (False, "non-members")):
                theirs = shadow.logits[variant][shadow.member == side]
                if same_outputs(theirs, subject.logits[variant]):
                    raise AuditError(
                        f"Shadow {number} gives exactly the audited model's outputs on its {group} ({variant}), so it "
                        "is that model, and the attack would be told the answers. A shadow is another model, trained "
                        "on other data; dump that one's outputs."
                    )


def same_outputs(one: Floats, other: Floats) -> bool:
    """Whether most rows of the smaller array are rows of the other, in whatever order; see ``mostly_shared``.

    Args:
        one: outputs [examples, classes].
        other: outputs [examples, classes].
    """
    return mostly_shared(row_keys(one), row_keys(other))


def mostly_shared(one: Sequence[bytes], other: Sequence[bytes]) -> bool:
    """Whether most of the fewer rows are among the others, in whatever order.

    Only rows that occur once in each count: outputs that saturate (one-hot, or 8-bit) recur in models that have nothing
    to do with each other. Of outcomes that coarse, a value is there exactly once with a chance of at most 1/e, the most
    of a Poisson distribution, so that more than half, by three standard errors of a half, are no accident (ours).
    """
    ours, theirs = _once(one), _once(other)
    fewer = min(len(ours), len(theirs))
    return len(ours & theirs) > fewer / 2 + 3 * math.sqrt(fewer) / 2


def row_keys(rows: Floats) -> list[bytes]:
    """Rows at full precision, to be compared and counted."""
    return [row.tobytes() for row in np.ascontiguousarray(rows + 0.0)]  # -0 is 0


def _identical(one: Subject, other: Subject) -> bool:
    """Whether everything is the same, which rows that recur (of saturated outputs) do not hide."""
    alike = np.array_equal(one.labels, other.labels) and np.array_equal(one.member, other.member)
    if not alike or set(one.variants) != set(other.variants):
        return False
    return all(np.array_equal(one.logits[v], other.logits[v]) for v in one.variants)


def _once(keys: Sequence[bytes]) -> set[bytes]:
    """Those that occur exactly once."""
    return {key for key, times in Counter(keys).items() if times == 1}
