"""PartCrop (Zhu et al., CCS 2024): an encoder answers more sharply to parts of an image that it was trained on.

Crops are cut from the very view whose feature map is asked for. Each crop's embedding is held against every position
of the map; how far the softmax of these responses is from flat, and from a hump over the positions, are its two
features. As published but for two choices, both ours: the hump is fixed instead of drawn anew for each batch, so that a
score can be reproduced, and crops are drawn once for each example instead of in each epoch.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, ndtri

from .access import CountedEncoder, EncoderError, Floats, Images
from .attack import Access, Bools, EncoderAttack, Score, base_rate
from .crops import CropRecipe, bytes_to_cut, cut, side_of

Version = Literal["v1", "v2"]

BUDGET = 256 * 2**20
"""Bytes that crops, or responses, may take up at a time."""


def gaussian_hump(positions: int) -> Floats:
    """A normal density over the raster index, [positions], sum 1.

    Its points are the normal quantiles at (j + ½) / L, its mean and standard deviation (ddof 1) theirs. The published
    code sorts L normal draws instead, new ones for each batch.
    """
    points = ndtri((np.arange(positions) + 0.5) / positions)
    density = np.exp(-(points**2) / (2 * points.var(ddof=1)))
    return np.asarray(density / density.sum(), dtype=np.float64)


def partcrop_features(
    crop_embeddings: NDArray[np.floating], feature_map: NDArray[np.floating], *, budget: int = BUDGET
) -> Floats:
    """Divergences ``KL(target ‖ softmax_j(x_j · p_i))`` of every crop i, in nats, each kind sorted, largest first.

    The published code adds 1e-6 to the target inside its logarithm, which moves a divergence by 1e-6 · L at most.

    Args:
        crop_embeddings: p, [examples, m, D].
        feature_map: x, of the view that the crops are cut from, [examples, L, D].
        budget: bytes for what is held besides arguments and result; examples are worked on in as large parts as fit.

    Returns:
        float64 [examples, 2m]: from the uniform target, then from ``gaussian_hump``.

    Raises:
        EncoderError: shapes do not fit together, fewer than two positions, not finite, or the budget is less than
            one example takes.
    """
    parts, positions = crop_embeddings, feature_map
    if parts.ndim != 3 or positions.ndim != 3 or parts.shape[::2] != positions.shape[::2] or positions.shape[1] < 2:
        raise EncoderError(
            "Expected crop embeddings [examples, m, D] and feature maps [examples, 2 positions or more, D], "
            f"got {list(parts.shape)} and {list(positions.shape)}. A map of one position compares a crop with nothing."
        )
    m, length, width = parts.shape[1], positions.shape[1], positions.shape[2]
    at_once = _examples_within(budget, 8 * (4 * m * length + (m + length) * width + 8 * m), 0, "responses")
    targets = np.stack([np.full(length, 1 / length), gaussian_hump(length)])
    negative_entropy = (targets * np.log(targets)).sum(axis=1)
    features = np.empty((len(parts), 2, m))
    for start in range(0, len(parts), at_once):
        part = slice(start, start + at_once)
        responses = parts[part].astype(np.float64) @ positions[part].astype(np.float64).swapaxes(1, 2)
        expected = responses @ targets.T
        divergence = negative_entropy - expected + logsumexp(responses, axis=2)[..., None]
        features[part] = -np.sort(-divergence, axis=1).swapaxes(1, 2)
    if not np.isfinite(features).all():
        raise EncoderError("Some responses of crops are not finite; an encoder or an artifact diverged.")
    return features.reshape(len(parts), 2 * m)


def query_partcrop(
    encoder: CountedEncoder,
    images: Images,
    examples: NDArray[np.integer],
    recipe: CropRecipe,
    *,
    budget: int = BUDGET,
) -> Floats:
    """``partcrop_features`` of an encoder's answers, float64 [examples, 2m]: 1 + m queries an example.

    Args:
        encoder: with a feature map.
        images: one view of each example, members and non-members through the same transform, float32
            [examples, side, side, channels].
        examples: ids, [examples].
        recipe: of the crops.
        budget: bytes for the crops that are alive at a time, and again for their responses; what the encoder itself
            takes up for them comes on top.

    Raises:
        EncoderError: images are not square or smaller than a crop, the encoder gives out no feature map or one of
            another width than its embeddings, or one example exceeds the budget.
    """
    side = side_of(images)
    if len(images) != len(examples):
        raise EncoderError(f"Each image needs an example id, got {len(images)} images and {len(examples)} ids.")
    boxes = recipe.draw(examples, side)
    channels = images.shape[3]
    work = recipe.count * bytes_to_cut(side, recipe.size, channels)
    at_once = _examples_within(budget, recipe.count * 4 * channels * recipe.size**2, work, "crops")
    features = np.empty((len(images), 2 * recipe.count))
    for start in range(0, len(images), at_once):
        part = slice(start, start + at_once)
        positions = encoder.feature_map(images[part], examples[part])
        crops = cut(images[part], boxes[part], recipe.size).reshape(-1, recipe.size, recipe.size, channels)
        answers = encoder.embed(crops, np.repeat(examples[part], recipe.count))
        del crops
        parts = answers.reshape(len(positions), recipe.count, -1)
        features[part] = partcrop_features(parts, positions, budget=budget)
    return features


def partcrop(version: Version, *, access: Access, crops: int = 128, seed: int = 0) -> EncoderAttack:
    """``partcrop-v1`` or ``partcrop-v2``: 1 + ``crops`` queries. Its ``features`` are ``partcrop_features``.

    Args:
        version: of the network; ``v2`` (arXiv 2505.10351) has root-mean-square normalisation and tanh.
        access: where membership is known.
        crops: m.
        seed: of the network's weights and batches.
    """

    def learn(features: Floats, member: Bools) -> tuple[Score, float]:
        from .networks import fit_crops, fit_crops_v2

        fit = {"v1": fit_crops, "v2": fit_crops_v2}[version]
        return fit(features, member, seed), base_rate(member)

    return EncoderAttack(
        f"partcrop-{version}", access=access, queries=1 + crops, features=partcrop_features, learn=learn
    )


def _examples_within(budget: int, each: int, work: int, what: str) -> int:
    """How many examples of ``each`` bytes fit into a budget, of which ``work`` is taken once; in bytes."""
    if each + work > budget:
        raise EncoderError(
            f"The {what} of a single example take {each + work:,} bytes, more than the budget of {budget:,}. "
            "Raise the budget or take fewer crops."
        )
    return (budget - work) // each
