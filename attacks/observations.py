"""What an attacker sees: the answers of models, and of their compressed variants, on labelled examples.

One labelled array set (an ``xarray.Dataset``), so that no attack depends on the order of anything:

===================  =================================  ======================================================
variable             dimensions                         meaning
===================  =================================  ======================================================
``label``            example                            true class
``member``           model, example                     bool: was the model trained on it
``calibration``      model, example                     bool: attack models may be fitted on this pair
``zlib_bytes``       example                            length of the text after zlib; of texts
``base``             example, token                     ``log_likelihood`` under the model before fine-tuning
-------------------  ---------------------------------  ------------------------------------------------------
``logits``           model, variant, example, class     float32, of the un-augmented example
``sensitivity``      model, variant, example, class     float32, how far noise moves each posterior
``log_likelihood``   model, variant, example, token     float32, of each token but the first; NaN after the last
``embedding``        model, variant, example, number    float32, of the un-augmented example
``view_cosines``     model, variant, example, pair      float32, between the embeddings of augmented views
``part_features``    model, variant, example, feature   float32, PartCrop's divergences
===================  =================================  ======================================================

Of the answers, below the line, there are those that the model's task gives and the suite's attacks asked for. Where an
encoder was not asked about an example, its answers are NaN. The variant ``original`` comes first where it is present.
``member`` is absent from what ``score`` is handed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

ORIGINAL = "original"

_ANSWERS = {
    "logits": "class",
    "sensitivity": "class",
    "log_likelihood": "token",
    "embedding": "number",
    "view_cosines": "pair",
    "part_features": "feature",
}
_DIMENSIONS = {
    "label": ("example",),
    "member": ("model", "example"),
    "calibration": ("model", "example"),
    "zlib_bytes": ("example",),
    "base": ("example", "token"),
    **{name: ("model", "variant", "example", last) for name, last in _ANSWERS.items()},
}
_NEVER_NAN = ("logits", "sensitivity")


class ObservationError(ValueError):
    """The arrays do not form a set of observations, or lack what was asked of them."""


@dataclass(frozen=True)
class Records:
    """Observations as rows, for attacks that learn from a table.

    Attributes:
        logits: float64 [records, variants, classes].
        labels: int64 [records].
        member: bool [records]; None for a target.
        model: index of each record's model, int64 [records]; None for a target.
        sensitivity: float64 [records, variants, classes]; None where nobody asked for it.
    """

    logits: NDArray[np.float64]
    labels: NDArray[np.int64]
    member: NDArray[np.bool_] | None = None
    model: NDArray[np.int64] | None = None
    sensitivity: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Observations:
    """A checked view of one ``xarray.Dataset`` in the layout above."""

    data: xr.Dataset

    def __post_init__(self) -> None:
        if "label" not in self.data or not any(name in self.data for name in _ANSWERS):
            raise ObservationError(
                f"Observations need the variable 'label' {list(_DIMENSIONS['label'])} and an answer, such as 'logits' "
                f"{list(_DIMENSIONS['logits'])}; got {sorted(map(str, self.data))}."
            )
        for name, dimensions in _DIMENSIONS.items():
            if name in self.data and self.data[name].dims != dimensions:
                raise ObservationError(
                    f"{name!r} has dimensions {list(self.data[name].dims)}, expected {list(dimensions)}."
                )

    @classmethod
    def from_arrays(
        cls,
        logits: NDArray[np.floating],
        label: NDArray[np.integer],
        *,
        models: Sequence[str],
        variants: Sequence[str],
        examples: NDArray[np.integer],
        member: NDArray[np.bool_] | None = None,
        calibration: NDArray[np.bool_] | None = None,
        sensitivity: NDArray[np.floating] | None = None,
    ) -> Self:
        """Label a classifier's plain arrays.

        Args:
            logits: [models, variants, examples, classes].
            label: [examples].
            models: name of each model.
            variants: name of each variant.
            examples: id of each example, unique.
            member: [models, examples]; None where membership is not known to the holder.
            calibration: [models, examples]; where None, every pair.
            sensitivity: of the shape of ``logits``; None where no attack needs it.

        Raises:
            ObservationError: shapes disagree, ids repeat, or a logit or a sensitivity is not finite.
        """
        answers = {"logits": logits} if sensitivity is None else {"logits": logits, "sensitivity": sensitivity}
        return cls.from_answers(
            answers,
            label,
            models=models,
            variants=variants,
            examples=examples,
            member=member,
            calibration=calibration,
        )

    @classmethod
    def from_answers(
        cls,
        answers: Mapping[str, NDArray[np.floating]],
        label: NDArray[np.integer],
        *,
        models: Sequence[str],
        variants: Sequence[str],
        examples: NDArray[np.integer],
        member: NDArray[np.bool_] | None = None,
        calibration: NDArray[np.bool_] | None = None,
        zlib_bytes: NDArray[np.integer] | None = None,
        base: NDArray[np.floating] | None = None,
    ) -> Self:
        """Label plain arrays.

        Args:
            answers: by name, each [models, variants, examples, ...].
            label: [examples].
            models: name of each model.
            variants: name of each variant.
            examples: id of each example, unique.
            member: [models, examples]; None where membership is not known to the holder.
            calibration: [models, examples]; where None, every pair.
            zlib_bytes: [examples]; None where the examples are no texts.
            base: log-likelihoods under the model that all were fine-tuned from, [examples, tokens], if there is one.

        Raises:
            ObservationError: shapes disagree, ids repeat, an answer is infinite, or NaN where it may not be.
        """
        for name, values in answers.items():
            wrong = ~np.isfinite(values) if name in _NEVER_NAN else np.isinf(values)
            if wrong.any():
                raise ObservationError(f"Some values of {name} are not finite; a model or an artifact diverged.")
        if len(np.unique(examples)) != len(examples):
            raise ObservationError("Example ids must be unique.")
        arrays: dict[str, NDArray[np.generic]] = {"label": np.asarray(label, dtype=np.int64), **answers}
        if member is not None:
            arrays["member"] = np.asarray(member, dtype=bool)
            arrays["calibration"] = np.ones_like(member) if calibration is None else calibration
        if zlib_bytes is not None:
            arrays["zlib_bytes"] = np.asarray(zlib_bytes, dtype=np.int64)
        if base is not None:
            arrays["base"] = base
        try:
            data = xr.Dataset(
                {name: (_DIMENSIONS[name], array) for name, array in arrays.items()},
                coords={
                    "model": np.asarray(list(models), dtype=object),
                    "variant": np.asarray(list(variants), dtype=object),
                    "example": np.asarray(examples),
                },
            )
        except ValueError as error:
            raise ObservationError(f"The arrays' shapes disagree: {error}") from error
        return cls(data)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a zarr store written by ``save``; arrays are read when used."""
        return cls(xr.open_zarr(path, consolidated=False, chunks=None))

    def save(self, path: Path) -> None:
        """Write a zarr store, one chunk for each (model, variant)."""
        large = [name for name in _ANSWERS if name in self.data]
        encoding = {name: {"chunks": (1, 1, *self.data[name].shape[2:])} for name in large}
        self.data.to_zarr(path, mode="w", consolidated=False, encoding=encoding)

    @property
    def models(self) -> tuple[str, ...]:
        """Model names."""
        return tuple(str(m) for m in self.data["model"].values)

    @property
    def variants(self) -> tuple[str, ...]:
        """Variant names, the original first where present."""
        return tuple(str(v) for v in self.data["variant"].values)

    @property
    def examples(self) -> NDArray[np.int64]:
        """Example ids, [examples]."""
        return np.asarray(self.data["example"].values, dtype=np.int64)

    @property
    def labels(self) -> NDArray[np.int64]:
        """True classes, [examples]."""
        return np.asarray(self.data["label"].values, dtype=np.int64)

    @property
    def member(self) -> NDArray[np.bool_]:
        """Membership, [models, examples].

        Raises:
            ObservationError: the holder of these observations does not know it.
        """
        if "member" not in self.data:
            raise ObservationError(
                "Membership is not part of these observations: `score` must not see the answer. "
                "Calibrate on the shadows in `fit`."
            )
        return np.asarray(self.data["member"].values, dtype=bool)

    @property
    def logits(self) -> NDArray[np.float64]:
        """All logits, float64 [models, variants, examples, classes]."""
        return self.answers("logits")

    @property
    def sensitivity(self) -> NDArray[np.float64] | None:
        """How far noise moves each posterior, float64 [models, variants, examples, classes]; None where not asked."""
        return self.answers("sensitivity") if "sensitivity" in self.data else None

    @property
    def zlib_bytes(self) -> NDArray[np.int64]:
        """Length of each text after zlib, [examples].

        Raises:
            ObservationError: the examples are no texts.
        """
        if "zlib_bytes" not in self.data:
            raise ObservationError("These observations hold no zlib_bytes: their examples are no texts.")
        return np.asarray(self.data["zlib_bytes"].values, dtype=np.int64)

    @property
    def base_log_likelihood(self) -> NDArray[np.float64] | None:
        """Under the model that all were fine-tuned from, float64 [examples, tokens]; None where there is none."""
        return np.asarray(self.data["base"].values, dtype=np.float64) if "base" in self.data else None

    def answers(self, name: str) -> NDArray[np.float64]:
        """One kind of answer, float64 [models, variants, examples, ...].

        Raises:
            ObservationError: the models were not asked for it.
        """
        if name not in self.data:
            held = [n for n in _ANSWERS if n in self.data]
            raise ObservationError(f"These observations hold {', '.join(held)}, and no {name}.")
        return np.asarray(self.data[name].values, dtype=np.float64)

    def of_variant(self, variant: str) -> NDArray[np.float64]:
        """Logits of one variant, float64 [models, examples, classes]."""
        if variant not in self.variants:
            raise ObservationError(f"No variant {variant!r}; these observations hold {list(self.variants)}.")
        return np.asarray(self.data["logits"].sel(variant=variant).values, dtype=np.float64)

    def select(
        self,
        *,
        models: Sequence[str] | None = None,
        variants: Sequence[str] | None = None,
        examples: NDArray[np.int64] | None = None,
    ) -> Self:
        """The part with these models, variants and examples, in the order given."""
        wanted = {"model": models, "variant": variants, "example": examples}
        chosen = {k: np.asarray(v) if k == "example" else list(v) for k, v in wanted.items() if v is not None}
        try:
            return type(self)(self.data.sel(chosen))
        except KeyError as error:
            raise ObservationError(f"Not in these observations: {error}") from error

    def calibration_pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Every (model, example) pair that an attack model may be fitted on: positions, two arrays [pairs]."""
        model, example = np.nonzero(np.asarray(self.data["calibration"].values, dtype=bool))
        return model, example

    def calibration_records(self) -> Records:
        """A classifier's answers on ``calibration_pairs``, one row each."""
        model, example = self.calibration_pairs()
        return Records(
            logits=self.logits[model, :, example],
            labels=self.labels[example],
            member=self.member[model, example],
            model=model,
            sensitivity=None if (moved := self.sensitivity) is None else moved[model, :, example],
        )

    def target_records(self) -> Records:
        """Every example of the one model held, one row each, without membership.

        Raises:
            ObservationError: more than one model.
        """
        if len(self.models) != 1:
            raise ObservationError(f"One target at a time; these observations hold {list(self.models)}.")
        moved = self.sensitivity
        return Records(
            logits=self.logits[0].swapaxes(0, 1),
            labels=self.labels,
            sensitivity=None if moved is None else moved[0].swapaxes(0, 1),
        )

    def copies_of_original(self, count: int, *, keep: bool) -> Self:
        """The original in the place of ``count`` compressed models: what an attack gets out of the original alone.

        Args:
            count: how many copies, named ``copy-1`` and so on.
            keep: whether the original itself stands before them.
        """
        names = [*([ORIGINAL] if keep else []), *(f"copy-{i + 1}" for i in range(count))]
        alone = self.data.sel(variant=[ORIGINAL] * len(names))
        return type(self)(alone.assign_coords(variant=np.asarray(names, dtype=object)))

    def all_calibration(self) -> Self:
        """The same, where attack models may be fitted on every pair: what an attacker knows of the target itself."""
        return type(self)(self.data.assign(calibration=self.data["member"].copy(data=np.ones_like(self.member))))

    def part_of_calibration(self, seed: int, part: int, parts: int) -> Self:
        """The same, where attack models may be fitted on one part of the examples that they could be fitted on.

        Args:
            seed: of how the examples are divided.
            part: which, from 0; all together are all.
            parts: how many.
        """
        calibration = np.asarray(self.data["calibration"].values, dtype=bool)
        usable = np.flatnonzero(calibration.any(axis=0))
        kept = np.zeros_like(calibration)
        chosen = np.array_split(np.random.default_rng(seed).permutation(usable), parts)[part]
        kept[:, chosen] = calibration[:, chosen]
        return type(self)(self.data.assign(calibration=self.data["calibration"].copy(data=kept)))

    def without_membership(self) -> Self:
        """The same, less ``member``: what an attacker is given of the target."""
        return type(self)(self.data.drop_vars(["member", "calibration"], errors="ignore"))
