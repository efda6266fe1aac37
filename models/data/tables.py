"""Encoded images in Arrow tables, as Hugging Face data sets store them, decoded to arrays."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .pool import DataError

IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "fine_label")


def choose_column(names: list[str], wanted: tuple[str, ...], what: str, where: str) -> str:
    """The first of ``wanted`` that is among ``names``.

    Raises:
        DataError: none is.
    """
    for name in wanted:
        if name in names:
            return name
    raise DataError(f"{where}: no {what} column; looked for {' or '.join(wanted)}, found {', '.join(names)}.")


def decode(tables: Iterable[Any], image: str, label: str, where: str) -> tuple[NDArray[np.uint8], NDArray[np.generic]]:
    """Decode the rows of Arrow tables (or record batches).

    Args:
        tables: each with a column ``image``, a struct with the encoded file in its field ``bytes``, and a column
            ``label`` of integers.
        image: name of a column.
        label: name of a column.
        where: the source's name in error messages.

    Returns:
        uint8 [examples, height, width, channels] with 1 channel (grey) or 3 (RGB), and labels [examples].

    Raises:
        DataError: empty cells, something that is not an 8-bit grey or RGB image, or images of several shapes.
    """
    images: list[NDArray[np.uint8]] = []
    labels: list[NDArray[np.generic]] = []
    for table in tables:
        cells, numbers = table.column(image), table.column(label)
        if numbers.null_count:
            raise DataError(f"{where}: {numbers.null_count} empty cells in the column {label}; fill or drop them.")
        labels.append(np.asarray(numbers.to_numpy(zero_copy_only=False)))
        for cell in cells.to_pylist():
            picture = _picture(cell, f"{where}, row {len(images)} (from 0), column {image}")
            if images and picture.shape != images[0].shape:
                raise DataError(
                    f"{where}: images differ in shape: row 0 has {images[0].shape}, row {len(images)} has "
                    f"{picture.shape} (height, width, channels); give all of them one size and mode."
                )
            images.append(picture)
    if not images:
        return np.empty((0, 1, 1, 1), np.uint8), np.empty(0, np.int64)
    return np.stack(images), np.concatenate(labels)


def _picture(cell: Any, where: str) -> NDArray[np.uint8]:
    """One decoded image, uint8 [height, width, channels]."""
    from PIL import Image

    content = cell.get("bytes") if isinstance(cell, dict) else None
    if not content:
        raise DataError(
            f"{where}: no image bytes; the column must be a struct with the encoded file in 'bytes', "
            "as the datasets library writes it (images kept as paths are not read)."
        )
    try:
        with Image.open(io.BytesIO(content)) as picture:
            if picture.mode not in ("L", "RGB"):
                raise DataError(f"{where}: the image mode is {picture.mode}; convert to 8-bit grey (L) or RGB.")
            array = np.asarray(picture, dtype=np.uint8)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{where}: cannot decode the image: {error}") from error
    return array[..., None] if array.ndim == 2 else array
