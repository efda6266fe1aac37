"""One file with a model's outputs, one row for each example: npz, npy, parquet or csv. Nothing in it is guessed.

=========  =====================================================================  ==========================
file       outputs                                                                labels
=========  =====================================================================  ==========================
npz        the array ``logits``, ``probabilities`` or ``outputs``; or the only    the array ``label`` or
           array there is, whatever its name                                      ``labels``
npy        the array                                                              in a file of their own
parquet    a column of lists ``logits``, ``probabilities`` or ``outputs``; or     the column ``label`` or
           columns numbered in order, as ``logit_0``, ``logit_1``, ...            ``labels``
csv        columns numbered in order                                              as parquet
=========  =====================================================================  ==========================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from . import AuditError
from .readers import is_numbering, read_arrays

Kind = Literal["logits", "probabilities"]
KINDS: tuple[Kind, ...] = ("logits", "probabilities")
LABELS = ("label", "labels")


@dataclass(frozen=True, eq=False)
class Table:
    """A model's outputs on some examples, as they were dumped.

    Attributes:
        outputs: floating point [examples, classes], or [examples, 1] of class 1 of two.
        labels: int64 [examples]; None where the file has none.
        where: the file's name in error messages.
    """

    outputs: NDArray[np.floating]
    labels: NDArray[np.int64] | None
    where: str


def read_table(path: Path, kind: Kind, labels: Path | None = None) -> Table:
    """Read outputs, and labels where they are.

    Args:
        path: a file with one of ``readers.SUFFIXES``.
        kind: what the user says the outputs are.
        labels: file of the labels, if they are not in ``path``.

    Raises:
        AuditError: nothing there, or it cannot be read in one way only.
    """
    columns = read_arrays(path)
    outputs = table_of(_outputs(columns, kind, path), str(path))
    own = [name for name in LABELS if name in columns]
    if labels is not None and own:
        raise AuditError(f"{path} has the labels {own[0]!r} in it, and --labels gives {labels} too. Give one of them.")
    found = read_labels(labels) if labels is not None else None
    if own:
        found = labels_of(_only(columns, own, path), str(path))
    if found is not None and len(found) != len(outputs):
        raise AuditError(f"{labels or path}: {len(found):,} labels for {len(outputs):,} rows of outputs.")
    return Table(outputs, found, str(path))


def read_labels(path: Path) -> NDArray[np.int64]:
    """Read a file of labels: the array or column ``label`` or ``labels``, or the only one there is.

    Raises:
        AuditError: see ``read_table``.
    """
    columns = read_arrays(path)
    names = [name for name in LABELS if name in columns] or list(columns)
    return labels_of(_only(columns, names, path), str(path))


def table_of(values: Any, where: str) -> NDArray[np.floating]:
    """Outputs as [examples, classes].

    Raises:
        AuditError: another type or shape, no rows, or a value that is not finite.
    """
    array = np.asarray(values)
    if not np.issubdtype(array.dtype, np.floating):
        raise AuditError(
            f"{where}: the outputs are {array.dtype}, not floating point. Dequantize them first: "
            "(q - zero_point) * scale."
        )
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or 0 in array.shape:
        raise AuditError(f"{where}: the outputs have the shape {list(array.shape)}; give [examples, classes].")
    if bad := int(np.count_nonzero(~np.isfinite(array).all(axis=1))):
        first = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise AuditError(
            f"{where}: {bad:,} of {len(array):,} rows hold NaN or infinity, the first is row {first} (from 0). "
            "Mend the model or the dump; leaving examples out would change the result."
        )
    return array


def labels_of(values: Any, where: str) -> NDArray[np.int64]:
    """Labels as int64 [examples].

    Raises:
        AuditError: not one whole number, at least 0, for each example.
    """
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise AuditError(
            f"{where}: labels have the shape {list(array.shape)}; give class numbers [examples] "
            "(of one-hot labels: labels.argmax(axis=1))."
        )
    if array.dtype.kind not in "iuf":
        raise AuditError(f"{where}: labels are {array.dtype}; give class numbers, 0 to classes - 1.")
    with np.errstate(invalid="ignore"):
        whole = array.astype(np.int64)
    if len(array) and not (np.array_equal(whole, array) and whole.min() >= 0):
        raise AuditError(f"{where}: labels must be whole numbers from 0, one for each example.")
    return whole


def _outputs(columns: Mapping[str, Any], kind: Kind, path: Path) -> Any:
    for name in (kind, "outputs"):
        if name in columns:
            return columns[name]
    if other := next((k for k in KINDS if k in columns), None):
        raise AuditError(f"{path} calls its outputs {other!r}, but they were said to be {kind} (--outputs).")
    rest = [name for name in columns if name not in LABELS]
    if path.suffix == ".npz":
        return _only(columns, rest, path)
    if not is_numbering(rest):
        raise AuditError(
            f"{path} has the columns {', '.join(columns)}. Name the outputs logit_0, logit_1, ... (or p0, p1, ...) in "
            "their order, keep label or labels, and drop the rest."
        )
    return np.column_stack([columns[name] for name in rest])


def _only(columns: Mapping[str, Any], names: list[str], path: Path) -> Any:
    if len(names) != 1:
        held = ", ".join(columns) or "nothing"
        raise AuditError(
            f"{path} holds {held}. Name the outputs 'logits', 'probabilities' or 'outputs', and the classes 'label' "
            "or 'labels'."
        )
    return columns[names[0]]
