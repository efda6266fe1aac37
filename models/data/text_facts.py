"""What was done to texts on the way to token ids."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class TextFacts:
    """What was done to the texts, counted: nothing is dropped or cut silently.

    Attributes:
        tokenizer: its name.
        tokenizer_sha256: of its definition.
        vocabulary: number of token ids.
        length: tokens of a text, padding included.
        texts: that the source has.
        empty_dropped: texts without a token.
        prefix_dropped: texts that begin as another one does, where the data set asks for that.
        truncated: of the texts that were tokenised, the fraction longer than ``length``.
        tokens_cut: the fraction of all their tokens that was cut off.
        tokens_unknown: the fraction of all their tokens that the vocabulary lacks.
    """

    tokenizer: str
    tokenizer_sha256: str
    vocabulary: int
    length: int
    texts: int
    empty_dropped: int
    prefix_dropped: int
    truncated: float
    tokens_cut: float
    tokens_unknown: float

    def as_json(self) -> dict[str, str | int | float]:
        """Plain values."""
        return asdict(self)

    @property
    def note(self) -> str:
        """One line for a row."""
        return (
            f"Texts of at most {self.length} tokens ({self.tokenizer}): {self.truncated:.1%} were longer and lost "
            f"their end, {self.tokens_cut:.1%} of all tokens; {self.tokens_unknown:.2%} of tokens are unknown."
        )
