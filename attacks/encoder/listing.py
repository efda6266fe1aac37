"""The encoder attacks' rows in the registry. Imports no attack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from ..info import Answer, AttackInfo

if TYPE_CHECKING:
    from ..protocol import Access

_FORMS: tuple[tuple[str, Access, str], ...] = (
    ("", "one-model", ""),
    ("-sr", "original+compressed", ", of original and one compressed"),
    ("-mr", "multiple+original", ", of original and several compressed"),
    ("-mr-no-original", "multiple", ", of several compressed"),
)
_DENSITIES = {"gaussian": "Gaussian", "lognormal": "log-normal", "kde": "kernel"}
_ENCODERMI = {
    "v": "a network on the views' sorted cosines",
    "s": "a network on the views' set of cosines",
    "t": "the views' mean cosine",
}
_PARTCROP = {"v1": "divergences of crops' responses", "v2": "the same, normalised, by tanh"}
_SHADOWS: Literal["shadows"] = "shadows"


def _rows() -> Iterator[tuple[str, AttackInfo]]:
    for order in (1, 2, 3, "inf"):
        for density, words in _DENSITIES.items():
            lpla = {"kind": "lpla", "order": order, "density": density}
            what = f"LpLA: {words} densities of the {order}-norm of one embedding"
            if density != "lognormal":
                # Only a Gaussian has a form for several norms at once.
                for suffix, access, holding in _FORMS if density == "gaussian" else _FORMS[:1]:
                    name = f"lpla-l{order}-{density}-standardised{suffix}"
                    described = f"{what}, each encoder's own scale taken out{holding}"
                    yield _row(name, described, access, "embedding", 1, {**lpla, "scale": "standardised"})
            yield _row(f"lpla-l{order}-{density}-known", what, "one-model", "embedding", 1, {**lpla, "scale": "raw"})
    for variant, words in _ENCODERMI.items():
        options = {"kind": "encodermi", "variant": variant}
        for suffix, access, holding in _FORMS[:1] if variant == "s" else _FORMS:
            described = f"EncoderMI-{variant.upper()}: {words}{holding}"
            yield _row(f"encodermi-{variant}{suffix}", described, access, "view_cosines", 10, options)
        known = f"EncoderMI-{variant.upper()}: {words}"
        yield _row(f"encodermi-{variant}-known", known, "one-model", "view_cosines", 10, options)
    for version, words in _PARTCROP.items():
        options = {"kind": "partcrop", "version": version}
        for suffix, access, holding in _FORMS:
            described = f"PartCrop-{version}: {words}{holding}"
            yield _row(f"partcrop-{version}{suffix}", described, access, "part_features", 129, options)
        yield _row(
            f"partcrop-{version}-known", f"PartCrop-{version}: {words}", "one-model", "part_features", 129, options
        )


def _row(
    name: str, description: str, access: Access, answer: Answer, queries: int, options: dict[str, Any]
) -> tuple[str, AttackInfo]:
    known: Literal["shadows", "partial"] = "partial" if name.endswith("-known") else _SHADOWS
    where = "" if known == _SHADOWS else "; fitted on half of the target's own members and non-members"
    return name, AttackInfo(
        "encoder.observed:observed",
        description + where,
        access,
        queries=queries,
        options={"name": name, "access": access, "known": known, **options},
        seeded=True,
        refitted=True,
        answer=answer,
        known=known,
    )


ENCODER_ATTACKS: dict[str, AttackInfo] = dict(_rows())
