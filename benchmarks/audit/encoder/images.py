"""Images to audit an encoder on, at the size that it takes: they are never resized here.

Whoever resizes members in one way and non-members in another makes a difference that every attack finds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import AuditError
from ..blind import fingerprint
from ..examples import IMAGES, INPUTS, read_image
from ..readers import read_arrays

Pixels = NDArray[np.uint8]
"""uint8 [images, height, width, channels]."""
Shape = tuple[int, int, int]
"""Height, width, channels."""

LEAST = 20
"""Images of each group: ten whose membership is known, and ten to be attacked."""
_LAYOUT = "Give an npz file with 'images', uint8 [images, height, width, channels], or a folder of images"
_TILE = 8


def check_paths(members: Path, nonmembers: Path) -> None:
    """See that both groups are there, and are two, before anything is loaded.

    Raises:
        AuditError: they are not.
    """
    for path in (members, nonmembers):
        if not path.exists():
            raise AuditError(f"There is no file or folder {path}. {_LAYOUT}.")
    if members.samefile(nonmembers):
        raise AuditError(
            f"Members and non-members are both {members}. Give as members what the encoder was trained on, and as "
            "non-members what it was not."
        )


def read_images(path: Path, wanted: Shape) -> Pixels:
    """Read one group.

    Args:
        path: an npz file with ``images``, or a folder, in which images may lie in further folders.
        wanted: what the encoder takes.

    Raises:
        AuditError: nothing there, no images, or of another shape.
    """
    if path.is_dir():
        files = [p for p in sorted(path.rglob("*")) if p.suffix.lower() in IMAGES and not _hidden(p, path)]
        if not files:
            raise AuditError(f"{path} has no images in it ({', '.join(IMAGES)}). {_LAYOUT}.")
        pixels = np.empty((len(files), *wanted), dtype=np.uint8)
        for place, file in zip(pixels, files, strict=True):
            image = read_image(file)
            check_images(image[None], wanted, str(file))
            place[:] = image
        return pixels
    if path.suffix != ".npz":
        raise AuditError(f"{path} is neither a folder nor an .npz file. {_LAYOUT}.")
    arrays = read_arrays(path, INPUTS)
    named = [name for name in INPUTS if name in arrays]
    if len(named) != 1:
        raise AuditError(f"{path} holds {', '.join(arrays) or 'nothing'}. {_LAYOUT}.")
    images: Pixels = arrays[named[0]]
    check_images(images, wanted, str(path))
    return images


def check_images(images: NDArray[np.generic], wanted: Shape, where: str) -> None:
    """See that these are images as the encoder takes them.

    Args:
        images: anything.
        wanted: what it takes.
        where: where they came from.

    Raises:
        AuditError: another type or shape.
    """
    if images.dtype != np.uint8 or images.ndim != 4:
        raise AuditError(
            f"{where}: images are {images.dtype} {list(images.shape)}; give uint8 [images, height, width, channels], "
            "neither scaled nor normalised."
        )
    if images.shape[3] != wanted[2]:
        raise AuditError(
            f"{where}: images have {images.shape[3]} channels, the encoder takes {wanted[2]}. Convert members and "
            "non-members alike (with Pillow: Image.convert('RGB'))."
        )
    if images.shape[1:3] != wanted[:2]:
        height, width = wanted[:2]
        raise AuditError(
            f"{where}: images of {images.shape[1]}×{images.shape[2]} pixels, the encoder takes {height}×{width}. Bring "
            "members and non-members to that size in one and the same way, as its training did (with Pillow: "
            f"ImageOps.fit(image, ({width}, {height}), Image.Resampling.BICUBIC)), and audit those."
        )


def distinct(images: Pixels, group: str) -> Pixels:
    """Each image once, in the order given.

    An image that were there twice might be one that the attacker knows and one that is attacked.

    Args:
        images: of one group.
        group: its name.

    Raises:
        AuditError: too few are left.
    """
    first = {fingerprint(image): place for place, image in reversed(list(enumerate(images)))}
    kept = np.sort(np.fromiter(first.values(), dtype=np.int64))
    if len(kept) < LEAST:
        raise AuditError(
            f"Only {len(kept)} different images in the {group}; give at least {LEAST} (the membership of half of them "
            "is known to the attacker, the others are attacked), better 1,000."
        )
    return images if len(kept) == len(images) else images[kept]


def check_apart(members: Pixels, nonmembers: Pixels) -> None:
    """See that no image is in both groups.

    Raises:
        AuditError: some are.
    """
    inside, outside = ({fingerprint(image) for image in group} for group in (members, nonmembers))
    if shared := len(inside & outside):
        raise AuditError(
            f"{shared:,} images are members and non-members at once, to the last bit (of {len(inside):,} and "
            f"{len(outside):,}). Take them out of the non-members if the encoder was trained on them, else out of the "
            "members."
        )


def tiles(images: Pixels) -> Pixels:
    """What the blind test looks at of large images: 64 tiles of 8 by 8 pixels, spread evenly, at full resolution.

    Whole, two thousand images of 224 pixels would take it some ten gigabytes.

    Args:
        images: of whatever size.

    Returns:
        uint8 [images, at most 64, at most 64, channels].
    """
    rows, columns = (_spread(side) for side in images.shape[1:3])
    return images[:, rows][:, :, columns]


def _spread(side: int) -> NDArray[np.int64]:
    """Positions of ``_TILE`` runs of ``_TILE`` neighbours along a line; all, where it is no longer than they are."""
    if side <= _TILE * _TILE:
        return np.arange(side)
    starts = np.linspace(0, side - _TILE, _TILE).round().astype(np.int64)
    return np.asarray((starts[:, None] + np.arange(_TILE)).ravel(), dtype=np.int64)


def _hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)
