"""How far a model's posteriors move when its input does: the queries of SAMIA (Yuan & Zhang, USENIX Security 2022)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

EPSILON = 1e-3
"""Standard deviation of the noise on normalised inputs (Yuan & Zhang's and CompLeak's published code)."""

_EXAMPLES_AT_ONCE = 128


def sensitivity(
    query: Callable[[NDArray[np.float32]], NDArray[np.floating]],
    normalize: Callable[[NDArray[np.generic]], NDArray[np.float32]],
    inputs: NDArray[np.generic],
    examples: NDArray[np.integer],
    logits: NDArray[np.floating],
    *,
    queries: int,
    seed: int,
) -> NDArray[np.float32]:
    """``s_k(x) = 1/m Σ_j |p_k(x + ε u_j) − p_k(x)| / ε`` for every class k, with u_j standard normal.

    As in CompLeak's published code the noise comes *after* the normalisation, so ε means the same for all data. That
    code draws new noise for every model; here an example's noise is a function of its id (ours): every model and
    variant, trained on the example or not, is asked the very same questions, in whatever company.

    What a model makes of so little noise is a property of the model. An int8 artifact first rounds its input, to steps
    that are often ten times as large as ε: where pixel values fall between the edges of a step it shows no difference
    at all, where they fall on the edges it shows whole steps. Either is its true answer, and no error. Dynamic int8
    rounds to steps that follow from the example's own range, so there the noise moves the steps as well; PyTorch's
    takes one range for a whole batch, and is therefore run one example at a time.

    Args:
        query: from normalised inputs [any, ...] to logits [any, classes].
        normalize: from ``inputs`` to normalised inputs, of the same shape.
        inputs: un-augmented, [examples, ...].
        examples: their ids, [examples].
        logits: the model's answers to ``inputs`` themselves, [examples, classes].
        queries: m, how many noisy queries an example is given.
        seed: of the noise, together with the id.

    Returns:
        [examples, classes], not negative.

    Raises:
        ValueError: lengths disagree, or no queries.
        FloatingPointError: an answer is not finite.
    """
    if not len(inputs) == len(examples) == len(logits) or queries < 1:
        raise ValueError(
            "Sensitivity needs an id and the logits of every input, and at least one query; got "
            f"{len(inputs)} inputs, {len(examples)} ids, logits of {len(logits)} and {queries} queries."
        )
    before = softmax(np.asarray(logits, dtype=np.float64), axis=-1)
    moved = np.empty(logits.shape, dtype=np.float32)
    for start in range(0, len(inputs), _EXAMPLES_AT_ONCE):
        part = slice(start, start + _EXAMPLES_AT_ONCE)
        clean = normalize(inputs[part])
        noisy = clean[:, None] + np.float32(EPSILON) * noise(examples[part], clean.shape[1:], queries, seed)
        answers = np.asarray(query(noisy.reshape(-1, *clean.shape[1:])), dtype=np.float64)
        if not np.isfinite(answers).all():
            raise FloatingPointError(f"{int((~np.isfinite(answers)).sum())} logits of noisy queries are not finite.")
        after = softmax(answers, axis=-1).reshape(*noisy.shape[:2], -1)
        moved[part] = np.abs(after - before[part, None]).mean(axis=1) / EPSILON
    return moved


def noise(examples: NDArray[np.integer], shape: tuple[int, ...], queries: int, seed: int) -> NDArray[np.float32]:
    """Standard normal noise, [examples, queries, *shape]; that of an example depends on its id and ``seed`` alone."""
    of_each = [np.random.default_rng((seed, int(i))) for i in examples]
    return np.stack([rng.standard_normal((queries, *shape), dtype=np.float32) for rng in of_each])
