"""From texts as a source gave them to a pool of token ids, and what became of them on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .pool import MAX_CLASSES, DataError, Examples, Pool, SourceName, build_pool
from .text_facts import TextFacts
from .texts import Texts
from .tokenizers import TextTokenizer

MOST_UNKNOWN = 0.5
"""With more tokens than this outside the vocabulary, a tokenizer cannot read the language of the texts."""


def build_text_pool(
    texts: Texts, tokenizer: TextTokenizer, length: int, name: str, source: SourceName, *, prefix: int | None = None
) -> Pool:
    """Drop what must go, tokenise, and put the rest in canonical order.

    Texts without a token are dropped. Of texts with the same first ``prefix`` characters one is kept, none where
    their labels disagree; then the same for equal token ids, by ``build_pool``: two texts that differ only in what
    is cut off are one example.

    Raises:
        DataError: labels that are no class numbers, no text left, or a language the tokenizer cannot read.
    """
    labels = _labels(texts, name)
    kept = _without_shared_prefixes(texts.texts, labels, prefix) if prefix else np.arange(len(labels))
    encoded = tokenizer.encode([texts.texts[i] for i in kept], length)
    full = encoded.tokens > 0
    if not full.any():
        raise DataError(f"{name}: there is no text in it.")
    tokens = int(encoded.tokens.sum())
    facts = TextFacts(
        tokenizer=tokenizer.name,
        tokenizer_sha256=tokenizer.sha256,
        vocabulary=tokenizer.vocabulary,
        length=length,
        texts=len(labels),
        empty_dropped=int((~full).sum()),
        prefix_dropped=len(labels) - len(kept),
        truncated=float((encoded.cut > 0).sum() / full.sum()),
        tokens_cut=float(encoded.cut.sum() / tokens),
        tokens_unknown=float(encoded.unknown.sum() / tokens),
    )
    if facts.tokens_unknown > MOST_UNKNOWN:
        raise DataError(
            f"{name}: {facts.tokens_unknown:.0%} of its tokens are not in the vocabulary of {tokenizer.name}, which is "
            "of another language or script. Give a network with a tokenizer for these texts (network.weights)."
        )
    examples = Examples(encoded.ids[full], labels[kept][full], texts.version)
    return replace(build_pool(examples, name, source), text=facts)


def _labels(texts: Texts, name: str) -> NDArray[np.int64]:
    if len(texts.texts) != len(texts.labels):
        raise DataError(f"{name}: {len(texts.texts)} texts but {len(texts.labels)} labels.")
    if not len(texts.labels):
        raise DataError(f"{name}: there is no text in it.")
    labels = np.asarray(texts.labels, dtype=np.int64)
    if labels.min() < 0 or labels.max() >= MAX_CLASSES:
        wrong = int(np.flatnonzero((labels < 0) | (labels >= MAX_CLASSES))[0])
        raise DataError(
            f"{name}: text {wrong} (from 0) has the label {labels[wrong]}; give class numbers from 0. "
            "A label of -1 means missing: leave such texts out."
        )
    return labels


def _without_shared_prefixes(texts: Sequence[str], labels: NDArray[np.int64], prefix: int) -> NDArray[np.int64]:
    """Rows to keep, ascending: the one with the least sha256 of each group, whatever the order of the source."""
    groups: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        groups.setdefault(text[:prefix], []).append(row)
    kept = [
        min(rows, key=lambda row: hashlib.sha256(texts[row].encode()).digest())
        for rows in groups.values()
        if len({int(labels[row]) for row in rows}) == 1
    ]
    return np.sort(np.asarray(kept, dtype=np.int64))
