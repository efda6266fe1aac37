"""Texts as a source gave them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts and labels, as many of each.

    Attributes:
        texts: of any length, empty ones among them.
        labels: class numbers.
        version: the source's own name for this content.
    """

    texts: Sequence[str]
    labels: Sequence[int]
    version: str
