"""What one model or artifact answers, by its task: the arrays that observations are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...attacks.encoder.access import CountedEncoder, Images
from ...attacks.encoder.crops import CropRecipe
from ...attacks.encoder.encodermi import view_cosines
from ...attacks.encoder.partcrop import query_partcrop
from ...compressors.protocol import Predictor
from ...models.inputs import Normalization, Normalized, Transform
from ...models.likelihood import token_log_likelihoods

Answers = dict[str, NDArray[np.generic]]
Ask = Callable[[Transform], Predictor]
"""The model or artifact, asked for what a transform makes of its inputs."""

EXAMPLES_AT_ONCE = 64
IMAGES_AT_ONCE = 64
"""More at a time leave a core's cache: a ResNet-8 then takes twice as long for each."""


def of_classifier(ask: Ask, normalization: Transform, inputs: NDArray[np.generic]) -> Answers:
    """``logits``, float32 [examples, classes]."""
    return {"logits": _finite(ask(normalization)(inputs))}


def of_language_model(ask: Ask, normalization: Transform, ids: NDArray[Any]) -> Answers:
    """``log_likelihood``, float32, and ``foretold``, the likeliest token, int32: both [examples, length - 1].

    A few texts at a time: the logits of all would be [examples, length, vocabulary].
    """
    predict = ask(normalization)
    likelihoods, foretold = [], []
    for start in range(0, len(ids), EXAMPLES_AT_ONCE):
        part = ids[start : start + EXAMPLES_AT_ONCE]
        logits = _finite(predict(part))
        likelihoods.append(token_log_likelihoods(logits, part))
        # Padding, 0, is no token that could follow.
        foretold.append(1 + logits[:, :-1, 1:].argmax(-1).astype(np.int32))
    return {"log_likelihood": np.concatenate(likelihoods), "foretold": np.concatenate(foretold)}


def of_encoder(
    ask: Ask,
    normalization: Normalization,
    images: NDArray[Any],
    examples: NDArray[np.int64],
    queries: Mapping[str, Any],
) -> Answers:
    """``embedding``, float32 [examples, D]; where asked for, ``view_cosines`` and ``part_features``.

    Args:
        ask: the encoder.
        normalization: of the images.
        images: uint8 [examples, height, width, channels].
        examples: ids, [examples].
        queries: what else to ask, by answer; see ``benchmarks.questions``.
    """
    answers: Answers = {"embedding": _Asked(ask(normalization)).embed(images)}
    encoder = _Asked(ask(Normalized()))
    if views := queries.get("view_cosines"):
        answers["view_cosines"] = _view_cosines(encoder, normalization, images, examples, views)
    if parts := queries.get("part_features"):
        counted = CountedEncoder(encoder)
        found = query_partcrop(counted, normalization(images), examples, CropRecipe(size=images.shape[1], **parts))
        if counted.per_example != 1 + parts["count"]:
            raise AssertionError(f"PartCrop asked {counted.per_example} times, its rows say {1 + parts['count']}.")
        answers["part_features"] = found.astype(np.float32)
    return answers


def _view_cosines(
    encoder: _Asked,
    normalization: Normalization,
    images: NDArray[Any],
    examples: NDArray[np.int64],
    views: Mapping[str, Any],
) -> NDArray[np.float32]:
    from ...models.encoders.recipe import EncoderRecipe
    from ...models.encoders.views import query_views

    recipe, found = EncoderRecipe.model_validate(views["recipe"]), []
    for start in range(0, len(images), EXAMPLES_AT_ONCE):
        part = slice(start, start + EXAMPLES_AT_ONCE)
        seen = query_views(
            images[part],
            examples[part],
            count=views["count"],
            recipe=recipe,
            normalization=normalization,
            seed=views["seed"],
        )
        embedded = encoder.embed(seen.reshape(-1, *seen.shape[2:]))
        found.append(view_cosines(embedded.reshape(*seen.shape[:2], -1)).astype(np.float32))
    return np.concatenate(found)


class _Asked:
    """A predictor as an ``EncoderAccess``: its first vector is the embedding, the others are the map."""

    def __init__(self, predict: Predictor) -> None:
        self._predict = predict

    def embed(self, images: NDArray[np.generic]) -> NDArray[np.float32]:
        """Embeddings, float32 [B, D]."""
        parts = (images[i : i + IMAGES_AT_ONCE] for i in range(0, len(images), IMAGES_AT_ONCE))
        return _finite(np.concatenate([self._predict(part)[:, 0] for part in parts]))

    def feature_map(self, images: Images) -> NDArray[np.float32]:
        """Feature maps, float32 [B, L, D]."""
        return _finite(self._predict(images)[:, 1:])


def _finite(answer: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(answer).all():
        raise FloatingPointError(f"{int((~np.isfinite(answer)).sum())} outputs are not finite; the model diverged.")
    return answer.astype(np.float32, copy=False)
