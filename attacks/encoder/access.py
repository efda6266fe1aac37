"""How an attacker reaches an encoder: two kinds of query, each counted for the example that it is about."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]
Floats = NDArray[np.float64]


class EncoderError(ValueError):
    """An encoder cannot be attacked this way, or its answers do not fit together."""


class EncoderAccess(Protocol):
    """An encoder as trained, or the interpreter of a deployed one.

    It takes images float32 [B, height, width, channels], normalised as in training and not augmented, and answers each
    without regard to the others (evaluation mode).
    """

    def embed(self, images: Images) -> NDArray[np.floating]:
        """One vector an image, [B, D], *not* L2-normalised: before the projector."""
        ...

    def feature_map(self, images: Images) -> NDArray[np.floating]:
        """One vector a position, [B, L, D]: a transformer's patch tokens, or a convolutional map, row by row.

        Raises:
            NotImplementedError: this encoder gives out none.
        """
        ...


class CountedEncoder:
    """An encoder each of whose queries is counted, and whose answers are checked."""

    def __init__(self, encoder: EncoderAccess) -> None:
        self._encoder = encoder
        self._counts: Counter[int] = Counter()

    def embed(self, images: Images, examples: NDArray[np.integer]) -> Floats:
        """Embeddings, float64 [B, D].

        Args:
            images: float32 [B, height, width, channels].
            examples: id of the example that each image is, or is cut from, [B].

        Raises:
            EncoderError: an id too few or too many, or an answer of a wrong shape or not finite.
        """
        self._count(images, examples)
        return _checked(self._encoder.embed(images), (len(images), -1), "embed")

    def feature_map(self, images: Images, examples: NDArray[np.integer]) -> Floats:
        """Feature maps, float64 [B, L, D].

        Args:
            images: float32 [B, height, width, channels].
            examples: as in ``embed``.

        Raises:
            EncoderError: as in ``embed``; or this encoder gives out no feature map.
        """
        try:
            answer = self._encoder.feature_map(images)
        except NotImplementedError as error:
            raise EncoderError(
                "This encoder gives out no feature map, only one vector an image. PartCrop needs the map: export the "
                "encoder with it, or use EncoderMI or LpLA."
            ) from error
        self._count(images, examples)
        return _checked(answer, (len(images), -1, -1), "feature_map")

    @property
    def per_example(self) -> int:
        """Queries that each example has been the subject of.

        Raises:
            EncoderError: none yet, or not equally many for all.
        """
        counts = set(self._counts.values())
        if len(counts) != 1:
            raise EncoderError(
                "Queries per example are one number when every example is asked about equally often; these "
                f"{len(self._counts)} examples had {sorted(counts) or 'none'}. Wrap the encoder anew for each attack."
            )
        return counts.pop()

    def _count(self, images: Images, examples: NDArray[np.integer]) -> None:
        if len(images) != len(examples):
            raise EncoderError(f"Each image needs an example id, got {len(images)} images and {len(examples)} ids.")
        self._counts.update(examples.tolist())


def _checked(answer: NDArray[np.floating], shape: tuple[int, ...], method: str) -> Floats:
    """``answer`` as float64, where it has ``shape`` (-1: any)."""
    got = np.asarray(answer, dtype=np.float64)
    expected = ["any" if n < 0 else n for n in shape]
    if got.ndim != len(shape) or any(n not in (-1, m) for n, m in zip(shape, got.shape, strict=True)):
        raise EncoderError(f"`{method}` answered with shape {list(got.shape)}, expected {expected}.")
    if not np.isfinite(got).all():
        raise EncoderError(f"`{method}` answered with numbers that are not finite; the encoder diverged.")
    return got
