"""The one transform that every example passes through, member or not, before any model sees it."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

Augmentation = Literal["none", "flip", "crop-flip"]


class Normalization(BaseModel):
    """Per-channel mean and standard deviation, in units of [0, 1] pixels. Published constants, never fitted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images: NDArray[np.generic]) -> NDArray[np.float32]:
        """Normalise uint8 images.

        Args:
            images: uint8 [examples, height, width, channels].

        Returns:
            float32, same shape.

        Raises:
            ValueError: not uint8, not four-dimensional, or another number of channels.
        """
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != len(self.mean):
            raise ValueError(
                f"Expected uint8 images [examples, height, width, {len(self.mean)}], "
                f"got {images.dtype} {list(images.shape)}."
            )
        scale = np.asarray([1 / (255 * s) for s in self.std], dtype=np.float32)
        shift = np.asarray([m / s for m, s in zip(self.mean, self.std, strict=True)], dtype=np.float32)
        return images.astype(np.float32) * scale - shift


def augment(images: NDArray[np.uint8], policy: Augmentation, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Augment a training batch; never called on a membership query.

    Args:
        images: uint8 [batch, height, width, channels].
        policy: ``crop-flip`` pads by 4 pixels of zero and crops at random, then flips half of the images.
        rng: the only source of randomness.

    Returns:
        uint8, same shape.
    """
    if policy == "none":
        return images
    n, height, width, _ = images.shape
    if policy == "crop-flip":
        padded = np.pad(images, ((0, 0), (4, 4), (4, 4), (0, 0)))
        top, left = rng.integers(0, 9, size=(2, n))
        rows = top[:, None, None] + np.arange(height)[None, :, None]
        columns = left[:, None, None] + np.arange(width)[None, None, :]
        images = padded[np.arange(n)[:, None, None], rows, columns]
    flipped = rng.random(size=(n,)) < 0.5
    return np.where(flipped[:, None, None, None], images[:, :, ::-1], images)
