"""Versions of a model, and the sets of them that an attacker can hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..attacks.observations import ORIGINAL
from ..attacks.registry import ATTACKS
from ..compressors.settings import parse_setting
from .schema import Suite


@dataclass(frozen=True)
class Variant:
    """One version of a model: the original, or a framework's artifact at a setting."""

    framework: str
    setting: str

    @property
    def name(self) -> str:
        """``original`` or ``framework/setting``."""
        return ORIGINAL if self.framework == "none" else f"{self.framework}/{self.setting}"

    @property
    def technique(self) -> str:
        """What was done: ``none``, ``pruning``, ``quantization``, ``clustering``, or several."""
        return "none" if self.framework == "none" else parse_setting(self.setting).technique


def variants_of(suite: Suite) -> tuple[Variant, ...]:
    """The original, then every framework's settings in the suite's order."""
    compressed = (Variant(f, s) for f, settings in suite.compress.items() for s in settings)
    return (Variant("none", ORIGINAL), *compressed)


def variant_sets(suite: Suite, attack: str) -> Iterator[tuple[Variant, ...]]:
    """Each set of variants that ``attack``'s access allows: what one attacker could hold."""
    original, *compressed = variants_of(suite)
    access = ATTACKS[attack].access
    if access == "one-model":
        yield from ((v,) for v in (original, *compressed))
    elif access == "original+compressed":
        yield from ((original, v) for v in compressed)
    else:
        groups = [[v for v in compressed if v.framework == f] for f in suite.compress]
        groups = [group for group in groups if group]
        if len(groups) > 1:
            groups.append(compressed)
        for group in groups:
            if len(group) > 1:
                yield (original, *group) if access == "multiple+original" else tuple(group)


def several(variants: tuple[Variant, ...]) -> bool:
    """Whether more than one compressed variant is held."""
    return sum(v.framework != "none" for v in variants) > 1
