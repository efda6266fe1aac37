"""Examples to run a model file on: an npz file with inputs and labels, or a folder of images, one folder a class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import AuditError
from .readers import read_arrays
from .tables import LABELS, labels_of

INPUTS = ("images", "inputs", "x")
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
LAYOUT = (
    "Give an npz file with 'images' (or 'inputs') and 'labels', or a folder with one folder of images for each class"
)


@dataclass(frozen=True, eq=False)
class Examples:
    """What a model is run on.

    Attributes:
        inputs: [examples, ...], as they were stored: neither scaled nor normalised.
        labels: int64 [examples].
        classes: names of the classes by number; none where labels were numbers already.
        where: where they came from, for error messages.
    """

    inputs: NDArray[np.generic]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    where: str


def read_groups(members: Path, nonmembers: Path) -> tuple[Examples, Examples]:
    """Read both groups, and see that they number the classes alike.

    Raises:
        AuditError: one of them cannot be read, or they do not fit together.
    """
    inside, outside = read_examples(members), read_examples(nonmembers)
    if inside.classes != outside.classes:
        raise AuditError(
            f"{members} has the classes {', '.join(inside.classes) or 'as numbers'}, {nonmembers} has "
            f"{', '.join(outside.classes) or 'numbers'}. Give both the same folders, an empty one where need be."
        )
    if inside.inputs.shape[1:] != outside.inputs.shape[1:] or inside.inputs.dtype != outside.inputs.dtype:
        raise AuditError(
            f"Members are {inside.inputs.dtype} {list(inside.inputs.shape[1:])}, non-members "
            f"{outside.inputs.dtype} {list(outside.inputs.shape[1:])}. Prepare both in the same way."
        )
    return inside, outside


def read_examples(path: Path) -> Examples:
    """Read one group.

    Raises:
        AuditError: nothing there, or not in the layout.
    """
    if path.is_dir():
        return _read_folder(path)
    if path.suffix != ".npz":
        raise AuditError(f"{path} is neither a folder nor an .npz file. {LAYOUT}.")
    arrays = read_arrays(path, (*INPUTS, *LABELS))
    held = ", ".join(arrays) or "nothing"
    inputs = [name for name in INPUTS if name in arrays]
    labels = [name for name in LABELS if name in arrays]
    if len(inputs) != 1 or len(labels) != 1:
        raise AuditError(f"{path} holds {held}. {LAYOUT}.")
    values, found = arrays[inputs[0]], labels_of(arrays[labels[0]], str(path))
    if values.dtype.kind not in "iuf" or values.ndim < 2 or len(values) != len(found):
        raise AuditError(f"{path}: inputs are {values.dtype} {list(values.shape)} for {len(found):,} labels. {LAYOUT}.")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise AuditError(f"{path}: some inputs are NaN or infinite.")
    return Examples(values, found, (), str(path))


def _read_folder(path: Path) -> Examples:
    """One folder of images for each class, the classes in alphabetical order, or by number where all are numbers."""
    folders = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not folders:
        raise AuditError(f"{path} has no folders in it. {LAYOUT}.")
    numbers = all(folder.name.isdecimal() for folder in folders)
    images, labels = [], []
    for position, folder in enumerate(folders):
        for file in sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGES):
            images.append(read_image(file))
            labels.append(int(folder.name) if numbers else position)
    if not images:
        raise AuditError(f"{path} has no images in its folders ({', '.join(IMAGES)}). {LAYOUT}.")
    if len(shapes := sorted({image.shape for image in images})) > 1:
        raise AuditError(f"{path}: images differ in shape ({shapes[:3]}); resize them as the model was trained.")
    classes = () if numbers else tuple(folder.name for folder in folders)
    return Examples(np.stack(images), np.asarray(labels, dtype=np.int64), classes, str(path))


def read_image(file: Path) -> NDArray[np.uint8]:
    """One image, uint8 [height, width, channels]."""
    from PIL import Image

    try:
        with Image.open(file) as picture:
            if picture.mode not in ("L", "RGB"):
                raise AuditError(f"{file}: the image mode is {picture.mode}; convert to 8-bit grey (L) or RGB.")
            array = np.asarray(picture, dtype=np.uint8)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        if isinstance(error, AuditError):
            raise
        raise AuditError(f"{file} is not a readable image: {error}") from error
    return array[..., None] if array.ndim == 2 else array
