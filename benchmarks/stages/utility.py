"""What deployed models are still good for, by their task, measured on what each target is attacked on.

=================  ===================================================================  ==========================
task               right                                                                 same
=================  ===================================================================  ==========================
classification     the top class is the label                                            as the original's top class
language model     share of a text's tokens that were the likeliest, given those before  share as the original's
encoder            the class that a linear probe of its own reads off the embedding      as the original's probe
=================  ===================================================================  ==========================

Probes are fitted on the dev examples, which no model is trained or attacked on. Of an encoder, the accuracy of nearest
neighbours is noted as well, and of a language model its perplexity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Judged:
    """One variant of one target, on the examples asked about.

    Attributes:
        right: how right it is about each, 0 to 1, [examples].
        said: what it says of each, to be held against the original: [examples, any].
        counted: which of these count, bool of the shape of ``said``.
        note: from a mask of examples [examples] to one more figure, in words; none where empty.
    """

    right: Floats
    said: NDArray[np.integer]
    counted: Bools
    note: Callable[[Bools], str]


def of_classifier(logits: Floats, labels: NDArray[np.int64]) -> Judged:
    """Judge by logits [examples, classes] and labels [examples]."""
    said = logits.argmax(-1)
    return Judged((said == labels).astype(np.float64), said[:, None], np.ones((len(said), 1), dtype=bool), lambda _: "")


def of_language_model(log_likelihood: Floats, foretold: NDArray[np.integer], ids: NDArray[np.integer]) -> Judged:
    """Judge by log-likelihoods and likeliest tokens [examples, length - 1], and the texts' ids [examples, length]."""
    counted = ~np.isnan(log_likelihood)
    hits = (foretold == ids[:, 1:]) & counted
    tokens = counted.sum(axis=1)
    right = np.divide(hits.sum(axis=1), tokens, out=np.zeros(len(ids)), where=tokens > 0)
    return Judged(right, foretold, counted, lambda of: f"{np.exp(-np.nanmean(log_likelihood[of])):.4g}")


def of_encoder(embedding: Floats, labels: NDArray[np.int64], dev: Floats, dev_labels: NDArray[np.int64]) -> Judged:
    """Judge by embeddings [examples, D] and, for the probes, those of the dev examples [dev, D]."""
    from ...models.encoders.probe import knn_predictions, linear_predictions

    known = dev, dev_labels
    said = linear_predictions(known, embedding)
    near = knn_predictions(known, embedding) == labels
    return Judged(
        (said == labels).astype(np.float64),
        said[:, None],
        np.ones((len(said), 1), dtype=bool),
        lambda of: f"{near[of].mean():.4f}",
    )


_NOTES = {
    "classification": "",
    "language-model": "Perplexity {outside} on the non-members, {inside} on the members.",
    "encoder": "Nearest neighbours among the dev examples: accuracy {outside}.",
}


def utility(task: str, judged: Judged, original: Judged, inside: Bools, outside: Bools) -> dict[str, Any]:
    """Cells of one variant: accuracies, agreement with the original, notes.

    Args:
        task: of the network.
        judged: the variant.
        original: what it was made from.
        inside: the members among the examples, [examples].
        outside: the non-members. Of neither, an example counts of which there is nothing to say: a text of one token.
    """
    same = (judged.said == original.said) & judged.counted
    counted = judged.counted.sum(axis=1)
    inside, outside = inside & (counted > 0), outside & (counted > 0)
    shares = same.sum(axis=1) / np.maximum(counted, 1)
    cells: dict[str, Any] = {
        "accuracy": float(judged.right[outside].mean()),
        "accuracy_members": float(judged.right[inside].mean()),
        "agreement": float(shares[outside].mean()),
    }
    if _NOTES[task]:
        cells["notes"] = [_NOTES[task].format(inside=judged.note(inside), outside=judged.note(outside))]
    return cells
