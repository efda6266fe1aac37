"""EncoderMI (Liu et al., CCS 2021): an encoder maps augmented views of a member closer together.

T is the paper's rule (its threshold maximises accuracy, here balanced accuracy: the same on its balanced sets). V and S
are its classifiers; what differs of S stands with its network. Batches of 128 instead of 100, and a learning rate that
goes to 0 along a cosine, are ours.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..thresholds import best_threshold
from .access import EncoderError, Floats
from .attack import Access, Bools, EncoderAttack, Learn, Score, base_rate

Variant = Literal["v", "s", "t"]

VIEWS = 10
"""Augmented views of an example (the paper's n)."""


def view_cosines(embeddings: NDArray[np.floating]) -> Floats:
    """Cosine of each pair of views: (1, 2), (1, 3), …, (2, 3), ….

    Args:
        embeddings: [examples, views, D].

    Returns:
        float64 [examples, views · (views − 1) / 2]: 45 of ten views.

    Raises:
        EncoderError: not of this shape, fewer than two views, not finite, or an embedding is zero.
    """
    vectors = np.asarray(embeddings, dtype=np.float64)
    if vectors.ndim != 3 or vectors.shape[1] < 2:
        raise EncoderError(f"Cosines need embeddings [examples, 2 views or more, D], got {list(vectors.shape)}.")
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise EncoderError("Some embeddings are zero or not finite and have no direction; the encoder has collapsed.")
    unit = vectors / lengths
    first, second = np.triu_indices(vectors.shape[1], k=1)
    return np.asarray((unit @ unit.swapaxes(1, 2))[:, first, second], dtype=np.float64)


def encodermi(variant: Variant, *, access: Access, views: int = VIEWS, seed: int = 0) -> EncoderAttack:
    """``encodermi-{variant}``: ``views`` queries. Its ``features`` are ``view_cosines``, for ``v`` sorted.

    Args:
        variant: ``v``, a network on the sorted cosines; ``s``, a network on their set; ``t``, a threshold on their
            mean.
        access: where membership is known.
        views: augmented views of an example.
        seed: of the network's weights and batches; nothing is drawn for ``t``.
    """

    def sorted_network(cosines: Floats, member: Bools) -> tuple[Score, float]:
        from .networks import fit_vector

        return fit_vector(cosines, member, seed), base_rate(member)

    def set_network(cosines: Floats, member: Bools) -> tuple[Score, float]:
        from .networks import fit_set

        return fit_set(cosines, member, seed), base_rate(member)

    learn: dict[Variant, Learn] = {"v": sorted_network, "s": set_network, "t": _mean_threshold}
    features = sorted_cosines if variant == "v" else view_cosines
    return EncoderAttack(f"encodermi-{variant}", access=access, queries=views, features=features, learn=learn[variant])


def sorted_cosines(embeddings: NDArray[np.floating]) -> Floats:
    """``view_cosines``, smallest first: which views they are of plays no part."""
    return np.sort(view_cosines(embeddings), axis=1)


def _mean_threshold(cosines: Floats, member: Bools) -> tuple[Score, float]:
    return _mean, best_threshold(_mean(cosines), member)


def _mean(cosines: Floats) -> Floats:
    return np.asarray(cosines.mean(axis=1), dtype=np.float64)
