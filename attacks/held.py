"""What an attacker holds: the variants it was fitted on, which the target must show again, in any order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .observations import ORIGINAL, ObservationError, Observations, Records
from .protocol import Access

_NEEDS: dict[Access, str] = {
    "one-model": "exactly one variant",
    "original+compressed": f"exactly two variants, {ORIGINAL!r} and a compressed one",
    "multiple": f"two or more compressed variants and no {ORIGINAL!r}",
    "multiple+original": f"{ORIGINAL!r} and two or more compressed variants",
}


class NotFittedError(RuntimeError):
    """``score`` or ``threshold`` was asked for before ``fit``."""

    def __init__(self, attack: str) -> None:
        super().__init__(f"Attack {attack!r} is not fitted; call `fit` with the shadow models' outputs first.")


@dataclass(frozen=True)
class ShadowRecords:
    """Shadow models' outputs as rows, with the answer.

    Attributes:
        logits: float64 [records, variants, classes].
        labels: int64 [records].
        member: bool [records], of both kinds.
        model: index of each record's model, int64 [records].
        sensitivity: float64 [records, variants, classes]; None where nobody asked for it.
    """

    logits: NDArray[np.float64]
    labels: NDArray[np.int64]
    member: NDArray[np.bool_]
    model: NDArray[np.int64]
    sensitivity: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Held:
    """The columns of one attack's observations.

    Attributes:
        variants: the original first where it is held, then the compressed ones by name, so that no attack depends
            on the order in which they were given.
        classes: of a classifier; 0 of other models.
    """

    variants: tuple[str, ...]
    classes: int

    @classmethod
    def of(cls, shadows: Observations, access: Access, attack: str) -> Self:
        """Check that ``shadows`` hold what ``access`` says.

        Raises:
            ObservationError: they do not.
        """
        compressed = sorted(v for v in shadows.variants if v != ORIGINAL)
        has_original = ORIGINAL in shadows.variants
        enough = {
            "one-model": len(shadows.variants) == 1,
            "original+compressed": has_original and len(compressed) == 1,
            "multiple": not has_original and len(compressed) >= 2,
            "multiple+original": has_original and len(compressed) >= 2,
        }[access]
        if not enough:
            raise ObservationError(
                f"Attack {attack!r} has access {access!r} and needs {_NEEDS[access]}, "
                f"got {list(shadows.variants)}. Select the variants first: `observations.select(variants=...)`."
            )
        return cls(((ORIGINAL,) if has_original else ()) + tuple(compressed), shadows.data.sizes.get("class", 0))

    def calibration_records(self, shadows: Observations) -> ShadowRecords:
        """The shadows' calibration records with these variants, in this order.

        Raises:
            ObservationError: membership is missing, or all records are of one kind.
        """
        shadows.member  # noqa: B018  raises the contract's own error where there is none
        records = shadows.select(variants=self.variants).calibration_records()
        member, model = records.member, records.model
        if member is None or model is None or member.all() or not member.any():
            raise ObservationError(
                "An attack is fitted on members and non-members, but the shadows' calibration records hold "
                f"{0 if member is None else np.count_nonzero(member)} members among {len(records.labels)}."
            )
        return ShadowRecords(records.logits, records.labels, member, model, records.sensitivity)

    def target_records(self, target: Observations, attack: str) -> Records:
        """A classifier's answers on the target's examples, with these variants, in this order.

        Raises:
            ObservationError: as of ``of_target``.
        """
        return self.of_target(target, attack).target_records()

    def of_target(self, target: Observations, attack: str) -> Observations:
        """The target with these variants, in this order.

        Raises:
            ObservationError: the target shows other variants or another number of classes than the shadows did, or is
                more than one model.
        """
        classes = target.data.sizes.get("class", 0)
        if set(target.variants) != set(self.variants) or classes != self.classes:
            raise ObservationError(
                f"Attack {attack!r} was fitted on {list(self.variants)} with {self.classes} classes, but the target "
                f"shows {list(target.variants)} with {classes}. Fit it on the target's variants."
            )
        if len(target.models) != 1:
            raise ObservationError(f"One target at a time; these observations hold {list(target.models)}.")
        return target.select(variants=self.variants)
