"""Files of arrays: npz, npy, parquet and csv, whatever their content; what is none of these is said to be none."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import AuditError

SUFFIXES = (".npz", ".npy", ".parquet", ".csv")
_BEGINS = {".npz": b"PK\x03\x04", ".npy": b"\x93NUMPY", ".parquet": b"PAR1"}
_WRITES = {".npz": "numpy.savez", ".npy": "numpy.save", ".parquet": "pandas' to_parquet", ".csv": "pandas' to_csv"}
_NUMBERED = re.compile(r"(.*?)(\d+)")


def read_arrays(path: Path, only: Collection[str] = ()) -> Mapping[str, Any]:
    """Arrays by name; a lone one has the name ``outputs``.

    Args:
        path: a file with one of ``SUFFIXES``.
        only: of an npz file, read the arrays of these names, and of the others nothing (None); all, if empty.

    Raises:
        AuditError: nothing there, or no such file, or a damaged one.
    """
    if path.suffix not in SUFFIXES:
        raise AuditError(f"{path} is none of {', '.join(SUFFIXES)}. Dump the outputs into one of these.")
    if not path.is_file():
        raise AuditError(f"There is no file {path}.")
    _check_beginning(path)
    # Each library answers a damaged file with exceptions of many kinds, and all of them mean the same to the user.
    try:
        match path.suffix:
            case ".npz":
                return _read_npz(path, only)
            case ".npy":
                return {"outputs": np.load(path, allow_pickle=False)}
            case ".csv":
                return _read_csv(path)
            case _:
                return _read_parquet(path)
    except AuditError:
        raise
    except MemoryError as error:
        raise AuditError(f"{path} does not fit in memory, or is damaged: {error}") from error
    except UnicodeDecodeError as error:
        raise AuditError(f"{path} is no {path.suffix} file of text. {_remedy(path)}") from error
    except Exception as error:
        raise AuditError(f"{path} is not a readable {path.suffix} file of plain numbers: {_reason(error)}") from error


def is_numbering(names: list[str]) -> bool:
    """Whether names are one word with a number each, counting up by one from 0 or 1."""
    found = [_NUMBERED.fullmatch(name) for name in names]
    parts = [(m[1], int(m[2])) for m in found if m is not None]
    if not parts or len(parts) < len(names) or len({word for word, _ in parts}) > 1:
        return False
    first = parts[0][1]
    return first in (0, 1) and [n for _, n in parts] == list(range(first, first + len(parts)))


def _check_beginning(path: Path) -> None:
    with path.open("rb") as file:
        begins = file.read(4096)
    if not begins:
        raise AuditError(f"{path} is empty. {_remedy(path)}")
    of_another = next((suffix for suffix, mark in _BEGINS.items() if begins.startswith(mark)), path.suffix)
    if of_another != path.suffix:
        raise AuditError(f"{path} is no {path.suffix} file, only called so: it looks like {of_another}. Call it that.")
    if not begins.startswith(_BEGINS.get(path.suffix, b"")) or (path.suffix == ".csv" and b"\0" in begins):
        raise AuditError(f"{path} is no {path.suffix} file, only called so. {_remedy(path)}")


def _remedy(path: Path) -> str:
    return f"Write it with {_WRITES[path.suffix]}, or give the right file."


def _reason(error: Exception) -> str:
    first = str(error).split("\n")[0]
    return "it holds Python objects." if "allow_pickle" in first else f"it is damaged, or cut short ({first})."


def _read_npz(path: Path, only: Collection[str]) -> Mapping[str, Any]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] if not only or name in only else None for name in archive.files}


def _read_csv(path: Path) -> Mapping[str, Any]:
    import pandas as pd

    frame = pd.read_csv(path, float_precision="round_trip")
    names = [str(name) for name in frame.columns]
    if all(re.fullmatch(r"[-+.\deE]+", name) for name in names) and not is_numbering(names):
        raise AuditError(f"{path}: the first line is numbers. Name the columns there: label,logit_0,logit_1,...")
    return {name: frame[name].to_numpy() for name in names}


def _read_parquet(path: Path) -> Mapping[str, Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.ParquetFile(path).read()
    columns: dict[str, Any] = {}
    for name in table.column_names:
        column = table.column(name)
        if column.null_count:
            raise AuditError(f"{path}: {column.null_count} empty cells in the column {name}. Fill them.")
        lists = pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
        if lists or pa.types.is_fixed_size_list(column.type):
            columns[name] = _stacked(column, name, path)
        else:
            columns[name] = column.to_numpy()
    return columns


def _stacked(column: Any, name: str, path: Path) -> NDArray[np.generic]:
    rows = [np.asarray(cell) for cell in column.to_numpy(zero_copy_only=False)]
    if len({row.shape for row in rows}) > 1:
        raise AuditError(f"{path}: the lists in the column {name} differ in length.")
    return np.stack(rows) if rows else np.empty((0, 0))
