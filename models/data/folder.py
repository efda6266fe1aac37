"""Data that the user has: a folder of parquet files in the Hugging Face layout, or an npz file."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from pathlib import Path

import numpy as np

from .pool import DataError, Examples, checked
from .tables import IMAGE_COLUMNS, LABEL_COLUMNS, choose_column, decode

LAYOUT = (
    "Give an npz file with 'images' and 'labels' (or 'train_images', 'train_labels', 'test_images', ...), or a "
    "folder of parquet files with a column image or img {bytes, path} and a column label or fine_label"
)
ROWS = 2000


def content_files(path: Path) -> list[Path]:
    """The files that hold the data of ``path``: itself, or the parquet files below it, by name.

    Raises:
        DataError: there is none.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError(f"{path} does not exist. {LAYOUT}.")
    below = (file.relative_to(path) for file in path.rglob("*.parquet") if file.is_file())
    files = sorted(file for file in below if not any(part.startswith(".") for part in file.parts))
    if not files:
        raise DataError(f"{path} has no parquet file in it. {LAYOUT}.")
    return [path / file for file in files]


def key(path: Path, labels: tuple[str, ...]) -> str:
    """What the data of ``path`` is cached under: the content of its files, wherever they lie, and how they are read."""
    digest = hashlib.sha256("/".join(labels).encode())
    for file in content_files(path):
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def load(path: Path, labels: tuple[str, ...] = LABEL_COLUMNS) -> Examples:
    """Read all splits of the data in ``path``.

    Args:
        path: an npz file, a parquet file, or a folder of parquet files.
        labels: names that the label column of parquet files may have, the first that exists is read.

    Raises:
        DataError: nothing there, or it is not in the layout; says what is missing.
    """
    files = content_files(path)
    if files[0].suffix == ".npz":
        return _load_npz(files[0])
    if files[0].suffix != ".parquet":
        raise DataError(f"{path} is neither an .npz nor a .parquet file. {LAYOUT}.")
    return _load_parquet(files, labels, str(path))


def _load_npz(path: Path) -> Examples:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files if key.endswith(("images", "labels"))}
            found = ", ".join(archive.files) or "nothing"
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is not a readable npz file of plain arrays: {error}") from error
    splits = sorted({key.removesuffix("images").removesuffix("labels") for key in arrays})
    if not splits:
        raise DataError(f"{path} has {found} in it. {LAYOUT}.")
    for split in splits:
        for key in (f"{split}images", f"{split}labels"):
            if key not in arrays:
                raise DataError(f"{path} has no array {key!r}, found {found}. {LAYOUT}.")
    return checked([(arrays[f"{s}images"], arrays[f"{s}labels"]) for s in splits], "npz", str(path))


def _load_parquet(files: list[Path], labels: tuple[str, ...], where: str) -> Examples:
    import pyarrow
    import pyarrow.parquet

    parts = []
    for file in files:
        try:
            with pyarrow.parquet.ParquetFile(file) as parquet:
                names = list(parquet.schema_arrow.names)
                image = choose_column(names, IMAGE_COLUMNS, "image", str(file))
                label = choose_column(names, labels, "label", str(file))
                batches = parquet.iter_batches(batch_size=ROWS, columns=[image, label])
                parts.append(decode(batches, image, label, str(file)))
        except (OSError, pyarrow.ArrowException) as error:
            raise DataError(f"{file} is not a readable parquet file: {error}") from error
    return checked(parts, "parquet", where)
