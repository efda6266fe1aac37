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


class Tokens(BaseModel):
    """What texts pass through: nothing is changed, all is checked. Members and non-members were tokenised alike.

    Attributes:
        vocabulary: token ids are 0 to ``vocabulary`` - 1; 0 is padding.
        length: tokens of a text, padding included.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    vocabulary: int
    length: int

    def __call__(self, ids: NDArray[np.generic]) -> NDArray[np.int64]:
        """Widen token ids.

        Args:
            ids: int32 or int64 [examples, length].

        Returns:
            int64, same shape.

        Raises:
            ValueError: of another type or length, or ids that are not in the vocabulary.
        """
        if ids.dtype not in (np.int32, np.int64) or ids.ndim != 2 or ids.shape[1] != self.length:
            raise ValueError(f"Expected token ids [examples, {self.length}], got {ids.dtype} {list(ids.shape)}.")
        if ids.size and not 0 <= ids.min() <= ids.max() < self.vocabulary:
            raise ValueError(f"Token ids must be 0 to {self.vocabulary - 1}, got {ids.min()} to {ids.max()}.")
        return ids.astype(np.int64)


class Normalized(BaseModel):
    """What an attacker's perturbed query passes through: nothing is changed, as it was normalised before the noise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def __call__(self, inputs: NDArray[np.generic]) -> NDArray[np.float32]:
        """Pass on normalised inputs.

        Args:
            inputs: float32.

        Returns:
            The very same.

        Raises:
            ValueError: not float32.
        """
        if inputs.dtype != np.float32:
            raise ValueError(f"Expected normalised float32 inputs, got {inputs.dtype} {list(inputs.shape)}.")
        return inputs.astype(np.float32, copy=False)


Transform = Normalization | Tokens | Normalized
"""Turns examples as the pool keeps them into what a network takes."""


def augment(images: NDArray[np.generic], policy: Augmentation, rng: np.random.Generator) -> NDArray[np.generic]:
    """Augment a training batch; never called on a membership query.

    Args:
        images: uint8 [batch, height, width, channels]; with ``none`` anything, token ids among them.
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
