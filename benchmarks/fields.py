"""The fields of a suite that have fields of their own."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from ..models.encoders.recipe import EncoderRecipe
from ..models.networks import ENCODERS, NETWORKS, OTHER_NETWORKS, TEXT_NETWORKS, Task, task_of
from ..models.recipe import TrainingRecipe

TAGS: dict[str | int, type[BaseModel]] = {"supervised": TrainingRecipe, "encoder": EncoderRecipe}


class Network(BaseModel):
    """Which network is trained; its shapes follow from the data.

    Attributes:
        name: of an image network, a text network, an encoder, or a network of another package.
        width: of an image network's first stage, or of a transformer's states; the usual one where None.
        layers: of a text network, or of an encoder that is a transformer; the usual ones where None.
        heads, intermediate: of a text network; the usual ones where None.
        weights: hub id or folder that a text network starts from; the usual ones where None.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    width: int | None = Field(default=None, ge=1)
    layers: int | None = Field(default=None, ge=1)
    heads: int | None = Field(default=None, ge=1)
    intermediate: int | None = Field(default=None, ge=1)
    weights: str | None = None

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        check_name(name, dict.fromkeys((*NETWORKS, *TEXT_NETWORKS, *ENCODERS, *OTHER_NETWORKS)), "network")
        OTHER_NETWORKS.check(name)
        return name

    @model_validator(mode="after")
    def _kind(self) -> Network:
        text = (None if self.name == "vit-tiny" else self.layers, self.heads, self.intermediate, self.weights)
        if self.name not in TEXT_NETWORKS and any(value is not None for value in text):
            raise ValueError(f"layers, heads, intermediate and weights are for text networks; {self.name} takes images")
        if self.name in ("bert", "gpt2", "gpt2-lm") and self.weights is None:
            raise ValueError(f"{self.name} needs weights: a hub id or a folder in the layout of transformers")
        info = TEXT_NETWORKS.get(self.name)  # type: ignore[call-overload]
        if info is not None and info.sizes is not None:
            width, heads = self.width or info.sizes[1], self.heads or info.sizes[2]
            if width % heads:
                raise ValueError(f"heads ({heads}) must divide width ({width})")
        return self

    @property
    def task(self) -> Task:
        """What it is trained for."""
        return task_of(self.name)

    @property
    def tokenizer(self) -> str | None:
        """Which tokenizer its texts are for; None for an image network."""
        info = TEXT_NETWORKS.get(self.name)  # type: ignore[call-overload]
        return None if info is None else info.tokenizer or self.weights


def _recipe_of(given: Any) -> str:
    method = given.get("method") if isinstance(given, dict) else getattr(given, "method", None)
    return "supervised" if method is None else "encoder"


Recipe = Annotated[
    Annotated[TrainingRecipe, Tag("supervised")] | Annotated[EncoderRecipe, Tag("encoder")], Discriminator(_recipe_of)
]
"""How a model is trained: an encoder's recipe names a ``method``."""


class Pretraining(BaseModel):
    """How a text network is trained on other texts first, once for all models: on WordNet's glosses.

    Attributes:
        examples: how many glosses, none of which is in the suite's pool.
        training: as of the models themselves; its weights are where every target and shadow starts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    examples: int = Field(ge=2)
    training: TrainingRecipe


class EncoderQueries(BaseModel):
    """What attacks on encoders ask about each example.

    Attributes:
        views: augmented views, of EncoderMI (the paper's n).
        crops: of PartCrop (the paper's m). Each is shown at the size that the encoder takes, as an artifact takes no
            other.
        crop_scale: least and largest share of an image's area that a crop shows.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    views: int = Field(default=10, ge=2)
    crops: int = Field(default=128, ge=1)
    crop_scale: tuple[float, float] = (0.08, 0.2)

    @model_validator(mode="after")
    def _shares(self) -> EncoderQueries:
        if not 0 < self.crop_scale[0] <= self.crop_scale[1] <= 0.75:
            raise ValueError(f"crop_scale needs 0 < least <= largest <= 0.75, got {list(self.crop_scale)}")
        return self


class Statistics(BaseModel):
    """How metrics and intervals (at 95 %) are computed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    resamples: int = Field(default=1000, ge=100)


class Execution(BaseModel):
    """How nodes are run. Threads and devices change the last bits of a result, so both are part of nodes' keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threads: int = Field(default=1, ge=1)
    device: Literal["auto", "cpu", "cuda"] = "auto"


_LISTED = 30


def check_name(name: str, known: Mapping[str, object], kind: str) -> None:
    """See that ``name`` is one of the ``known``.

    Raises:
        ValueError: it is not; the message has the nearest, and all of them where they are few.
    """
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        if len(known) <= _LISTED:
            raise ValueError(f"unknown {kind} {name!r}.{hint} Known: {', '.join(known)}")
        raise ValueError(f"unknown {kind} {name!r}.{hint} All: compleak list {kind}s")
