"""PartCrop's crops: where they lie is a function of the example's id, and how they are cut is a bicubic resize."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .access import EncoderError, Images

Boxes = NDArray[np.int64]
"""[examples, crops, 5]: top, left, height, width in pixels, and 1 where the crop is mirrored."""

_RATIO = 3 / 4, 4 / 3


@dataclass(frozen=True)
class CropRecipe:
    """What the crops of an example are.

    Attributes:
        size: side of a crop as the encoder is shown it, in pixels (published: half the side of CIFAR's images, a
            quarter of Tiny-ImageNet's).
        count: m, crops of an example.
        scale: least and largest share of the image's area.
        seed: of the draws, together with an example's id.

    Raises:
        EncoderError: no pixels, no crops, or a share outside (0, 3/4]: a flatter box would not fit.
    """

    size: int
    count: int = 128
    scale: tuple[float, float] = (0.08, 0.2)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.size < 1 or self.count < 1 or not 0 < self.scale[0] <= self.scale[1] <= _RATIO[0]:
            raise EncoderError(
                "Crops need a size and a count of 1 or more, and shares of the area with 0 < least <= largest <= 0.75; "
                f"got size {self.size}, count {self.count} and scale {list(self.scale)}."
            )

    def draw(self, examples: NDArray[np.integer], side: int) -> Boxes:
        """Where the crops of each example lie: area and log of the aspect ratio uniform, mirrored half of the time.

        An example's crops are a function of its id, ``seed``, ``scale`` and ``side``: the same for every encoder,
        whoever is a member and whatever the company; a larger count only adds to them. The published code draws new
        ones in every epoch.

        Args:
            examples: ids, not negative, [examples].
            side: of the images, in pixels.

        Returns:
            int64 [examples, count, 5]; see ``Boxes``.

        Raises:
            EncoderError: ``side`` is less than ``size``.
        """
        if side < self.size:
            raise EncoderError(
                f"Images of {side}×{side} pixels have fewer than a crop of {self.size}×{self.size}. "
                f"Set the crop's size to {side} or less."
            )
        u = np.empty((len(examples), self.count, 5))
        for i, example in enumerate(examples.tolist()):
            u[i] = np.random.default_rng((self.seed, example)).random((self.count, 5))
        area = side**2 * (self.scale[0] + (self.scale[1] - self.scale[0]) * u[..., 0])
        low, high = np.log(_RATIO)
        ratio = np.exp(low + (high - low) * u[..., 1])
        height = np.clip(np.rint(np.sqrt(area / ratio)), 1, side)
        width = np.clip(np.rint(np.sqrt(area * ratio)), 1, side)
        top, left = (np.floor(u[..., 2 + i] * (side - n + 1)) for i, n in enumerate((height, width)))
        return np.stack([top, left, height, width, u[..., 4] < 0.5], axis=-1).astype(np.int64)


def side_of(images: Images) -> int:
    """Side of square images, float32 [examples, height, width, channels], in pixels.

    Raises:
        EncoderError: not such images, or not square.
    """
    if images.ndim != 4 or images.dtype != np.float32:
        raise EncoderError(
            "Expected normalised images, float32 [examples, height, width, channels], got "
            f"{images.dtype} {list(images.shape)}."
        )
    height, width = images.shape[1:3]
    if height != width:
        raise EncoderError(
            f"PartCrop needs square images, got {height}×{width} pixels. Crop or pad them to a square, members and "
            "non-members alike."
        )
    return int(height)


def cut(images: Images, boxes: Boxes, size: int) -> Images:
    """Cut crops out of images and resize them: bicubic, with antialiasing where a crop shrinks (torchvision's default).

    Args:
        images: square, float32 [examples, side, side, channels].
        boxes: [examples, crops, 5].
        size: side of a crop, in pixels.

    Returns:
        float32 [examples, crops, size, size, channels].
    """
    side = side_of(images)
    weights = {int(n): _weights(int(n), size, side) for n in np.unique(boxes[..., 2:4])}
    lengths, table = list(weights), np.stack(list(weights.values()))
    crops = np.empty((*boxes.shape[:2], size, size, images.shape[3]), dtype=np.float32)
    # One image at a time: what is held meanwhile stays small enough for a processor's cache.
    for image, (top, left, height, width, mirrored), out in zip(images, boxes.swapaxes(1, 2), crops, strict=True):
        rows = _placed(table, np.searchsorted(lengths, height), top, side)
        columns = _placed(table, np.searchsorted(lengths, width), left, side)
        columns[mirrored == 1] = columns[mirrored == 1][..., ::-1]
        lines = rows.swapaxes(1, 2)[:, None] @ image.transpose(2, 0, 1)
        out[:] = (lines @ columns[:, None]).transpose(0, 2, 3, 1)
    return crops


def bytes_to_cut(side: int, size: int, channels: int) -> int:
    """Most memory that ``cut`` holds for each crop of the image it is at, besides its result, in bytes."""
    return 4 * 4 * side * size + 4 * 8 * side + 4 * channels * (side * size + size**2)


def _weights(length: int, size: int, side: int) -> Images:
    """How much of each pixel of a line goes into each of ``size``, [side + 1, size]; 0 from ``length`` on."""
    import torch
    from torch.nn.functional import interpolate

    line = torch.eye(length)[None, None]
    resized = interpolate(line, size=(size, length), mode="bicubic", antialias=True, align_corners=False)
    weights = np.zeros((side + 1, size), dtype=np.float32)
    weights[:length] = resized[0, 0].numpy().T
    return weights


def _placed(table: Images, row: NDArray[np.int64], start: NDArray[np.int64], side: int) -> Images:
    """Weights of lines that begin at ``start``, [crops, side, size]."""
    offset = np.arange(side) - start[:, None]
    offset[offset < 0] = side
    return np.asarray(table[row[:, None], offset], dtype=np.float32)
