"""The augmented views that EncoderMI asks about: one rule for members and non-members, whichever model is asked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..inputs import Transform
from .augment import NUMBERS, draw, render
from .recipe import EncoderRecipe


def query_views(
    images: NDArray[np.uint8],
    ids: Sequence[int] | NDArray[np.integer],
    *,
    count: int = 10,
    recipe: EncoderRecipe,
    normalization: Transform,
    seed: int,
) -> NDArray[np.float32]:
    """Views of each image, drawn as ``recipe`` draws them in training.

    A view is a function of ``seed``, the example's id, the view's number, and the recipe's crop scale, jitter and
    grey: not of who is a member, the company in ``images``, the model, or how many views there are.

    Args:
        images: uint8 [examples, height, width, channels].
        ids: of the examples, not negative.
        count: views of each (EncoderMI's n).
        recipe: of the encoder, or what the attacker takes for it.
        normalization: of all images.
        seed: not negative.

    Returns:
        float32 [examples, count, height, width, channels].

    Raises:
        ValueError: not as many ids as images, or no views.
    """
    if len(ids) != len(images) or count < 1:
        raise ValueError(
            f"Each image needs an id and at least one view; got {len(images)} images, {len(ids)} ids, {count} views."
        )
    views = np.empty((len(images), count, *images.shape[1:]), dtype=np.float32)
    for image, example, out in zip(images, ids, views, strict=True):
        u = np.random.default_rng((seed, int(example))).random((count, NUMBERS))
        out[:] = normalization(render(np.repeat(image[None], count, axis=0), draw(u, recipe)))
    return views
