"""A short pre-training of a small GPT-2 as a language model, on texts that are in no pool.

Targets, shadows and the null model all start from its weights, as models on phones start from public ones: a language
model from all of them, a classifier from all but the last layer. The texts are WordNet's glosses outside the classes of
``wordnet-glosses``; whatever the pool of a suite is, a text that is in it as well is left out, or the base model would
have seen members and non-members.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .data.text_package import other_glosses
from .data.tokenizers import load_tokenizer
from .inputs import Tokens
from .networks import AS_LANGUAGE_MODEL, TextSpec
from .recipe import TrainingRecipe
from .training import TrainedModel, train

Ids = NDArray[np.int32]


def corpus(tokenizer: str, length: int, cache: Path) -> Ids:
    """The texts of pre-training, tokenised as a pool's: int32 [texts, length], each once, in order of their ids.

    Args:
        tokenizer: a name as of ``load_tokenizer``.
        length: tokens of a text, padding included.
        cache: where packages and tokenizers are kept.

    Raises:
        DataError: the tokenizer or the texts cannot be had.
    """
    encoded = load_tokenizer(tokenizer, cache).encode(other_glosses(cache), length)
    return np.unique(encoded.ids[encoded.tokens > 0], axis=0)


def without(ids: NDArray[np.integer], excluded: NDArray[np.integer]) -> NDArray[np.integer]:
    """The texts of ``ids`` that are not among ``excluded``, in their order.

    Texts are the same where their token ids are, as in a pool; so a text that shares with another what is left of it
    after cutting is left out too.

    Raises:
        ValueError: texts of different length, which cannot be compared.
    """
    if ids.shape[1:] != excluded.shape[1:]:
        raise ValueError(
            f"Texts of {list(ids.shape[1:])} tokens cannot be compared with texts of {list(excluded.shape[1:])}; "
            "tokenise both with the same tokenizer and length."
        )
    seen = {row.tobytes() for row in np.ascontiguousarray(excluded, dtype=np.int64)}
    kept = [row.tobytes() not in seen for row in np.ascontiguousarray(ids, dtype=np.int64)]
    rest: NDArray[np.integer] = ids[np.asarray(kept, dtype=bool)]
    return rest


def language_model_of(spec: TextSpec) -> TextSpec:
    """The language model whose weights ``spec`` can start from: of the same sizes, itself if it is one.

    Raises:
        ValueError: not a GPT-2.
    """
    if spec.task == "language-model":
        return spec
    if spec.name not in AS_LANGUAGE_MODEL:
        raise ValueError(f"{spec.name} cannot be pre-trained as a language model; {', '.join(AS_LANGUAGE_MODEL)} can.")
    return TextSpec.model_validate({**spec.model_dump(), "name": AS_LANGUAGE_MODEL[spec.name]})


def pretrain(
    spec: TextSpec,
    recipe: TrainingRecipe,
    ids: NDArray[np.integer],
    normalization: Tokens,
    *,
    excluded: NDArray[np.integer],
    seed: int,
    device: str = "cpu",
    on_epoch: Callable[[int, int, float], None] | None = None,
) -> TrainedModel:
    """Train the language model of ``spec`` on ``ids``; its checkpoint is what ``train`` takes as ``start``.

    It is also the base model of a control: attacked on a pool that it has never seen, every attack is at chance.

    Args:
        spec: of a GPT-2, classifier or language model.
        recipe: how to train it.
        ids: token ids [texts, length]; ``corpus``, or texts of the caller's.
        normalization: of the ids.
        excluded: the pool's token ids [examples, length], all of them: none of these texts is trained on.
        seed: as of ``train``.
        device: as of ``train``.
        on_epoch: as of ``train``.

    Raises:
        ValueError: not a GPT-2, no two texts left, or texts that do not fit.
        DivergedError: the loss became infinite or not a number.
    """
    texts = without(ids, excluded)
    return train(
        language_model_of(spec),
        recipe,
        texts,
        np.zeros(len(texts), dtype=np.int64),
        normalization,
        seed=seed,
        device=device,
        on_epoch=on_epoch,
    )
