"""What a suite is: the fields that fully state a run, and which of them go together."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from ..attacks.registry import ATTACKS
from ..compressors.protocol import Finetuning
from ..compressors.registry import COMPRESSORS, make_compressor
from ..compressors.settings import FINETUNED, parse_setting
from ..models.data import DataConfig
from ..models.encoders.recipe import EncoderRecipe
from ..models.inputs import Augmentation
from ..models.membership import Membership
from ..models.networks import ENCODERS, NETWORKS, OTHER_NETWORKS, TEXT_NETWORKS, Task, task_of
from ..models.recipe import TrainingRecipe


class SuiteError(ValueError):
    """The suite, or a value in it, cannot be used; the message is for the user."""


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
        _known(name, dict.fromkeys((*NETWORKS, *TEXT_NETWORKS, *ENCODERS, *OTHER_NETWORKS)), "network")
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


class Statistics(BaseModel):
    """How metrics and intervals (at 95 %) are computed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    resamples: int = Field(default=1000, ge=100)


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


class Pretraining(BaseModel):
    """How a text network is trained on other texts first, once for all models: on WordNet's glosses.

    Attributes:
        examples: how many glosses, none of which is in the suite's pool.
        training: as of the models themselves; its weights are where every target and shadow starts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    examples: int = Field(ge=2)
    training: TrainingRecipe


LEAST_DEV = 20
LEAST_KNOWN = 4
NAME = r"^[a-z0-9][a-z0-9_.-]*$"
TAGS: dict[str | int, type[BaseModel]] = {"supervised": TrainingRecipe, "encoder": EncoderRecipe}


def _recipe_of(given: Any) -> str:
    method = given.get("method") if isinstance(given, dict) else getattr(given, "method", None)
    return "supervised" if method is None else "encoder"


Recipe = Annotated[
    Annotated[TrainingRecipe, Tag("supervised")] | Annotated[EncoderRecipe, Tag("encoder")], Discriminator(_recipe_of)
]
"""How a model is trained: an encoder's recipe names a ``method``."""


class Execution(BaseModel):
    """How nodes are run. Threads and devices change the last bits of a result, so both are part of nodes' keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threads: int = Field(default=1, ge=1)
    device: Literal["auto", "cpu", "cuda"] = "auto"


class Suite(BaseModel):
    """A benchmark suite.

    Attributes:
        name: names the run's folder and stands in each row.
        description: one line for ``compleak list suites``.
        seed: the only source of randomness; every model, compression and attack derives its own from it.
        data: which examples.
        membership: who is trained on what.
        network: what is trained.
        training: how it is trained; an encoder's ``method`` says how.
        pretraining: on what a text network is trained first; None: it starts from its usual weights.
        finetuning: how compressed models are trained on.
        compress: settings, by framework.
        attacks: names of attacks; each is run wherever its access allows.
        encoder_queries: what attacks on encoders ask.
        shadow_counts: attack with the first k shadows only, for each k here, instead of with all of them.
        statistics: of the metrics.
        execution: of the run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=NAME)
    description: str = ""
    seed: int = Field(default=0, ge=0)
    data: DataConfig
    membership: Membership
    network: Network
    training: Recipe
    pretraining: Pretraining | None = None
    finetuning: Finetuning = Finetuning()
    compress: dict[str, tuple[str, ...]]
    attacks: tuple[str, ...] = Field(min_length=1)
    encoder_queries: EncoderQueries = EncoderQueries()
    shadow_counts: tuple[int, ...] = ()
    statistics: Statistics = Statistics()
    execution: Execution = Execution()

    @field_validator("compress")
    @classmethod
    def _settings(cls, compress: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for framework, settings in compress.items():
            _known(framework, COMPRESSORS, "framework")
            adapter = make_compressor(framework)
            for name in settings:
                setting = parse_setting(name)
                if setting.name != name:
                    raise ValueError(f"write {name!r} as {setting.name!r}")
                if reason := adapter.refusal(setting):
                    raise ValueError(f"{framework} cannot do {name!r}: {reason}")
            if len(set(settings)) < len(settings):
                raise ValueError(f"{framework} lists a setting twice: {', '.join(settings)}")
        return compress

    @field_validator("attacks")
    @classmethod
    def _attacks(cls, attacks: tuple[str, ...]) -> tuple[str, ...]:
        for attack in attacks:
            _known(attack, ATTACKS, "attack")
        if len(set(attacks)) < len(attacks):
            raise ValueError("an attack is listed twice")
        return attacks

    @model_validator(mode="after")
    def _design(self) -> Suite:
        if self.membership.design == "disjoint":
            online = [a for a in self.attacks if "online" in a]
            if online:
                raise ValueError(
                    f"{', '.join(online)}: online attacks need shadows trained on the target's examples; "
                    "use membership.design: pool, or the offline attacks"
                )
        counts, most = self.counts(), self.membership.shadows
        if min(counts) < 1 or max(counts) > most or list(counts) != sorted(set(counts)):
            raise ValueError(f"shadow_counts must rise from 1 to at most membership.shadows, {most}; got {counts}")
        for attack in self.attacks:
            if (least := ATTACKS[attack].least_shadows(self.membership.design)) > max(counts):
                raise ValueError(
                    f"{attack} needs at least {least} shadows in the {self.membership.design} design, and is given "
                    f"{max(counts)}; raise membership.shadows or leave it out"
                )
        return self

    @model_validator(mode="after")
    def _fits(self) -> Suite:
        text = self.network.name in TEXT_NETWORKS
        if text != self.data.is_text:
            raise ValueError(
                f"{self.network.name} takes {'texts' if text else 'images'}, and {self.data.name} holds "
                f"{'texts' if self.data.is_text else 'images'}. (For texts of your own, give data.length as well.)"
            )
        encoder = self.network.task == "encoder"
        if encoder != isinstance(self.training, EncoderRecipe):
            raise ValueError(
                f"{self.network.name} is {'an' if encoder else 'no'} encoder; {'give' if encoder else 'leave out'} "
                "training.method, which says how an encoder is trained"
            )
        if text and self.augmentation != "none":
            raise ValueError("training.augmentation is for images; leave it out")
        family = TEXT_NETWORKS.get(self.network.name)  # type: ignore[call-overload]
        if self.pretraining and (family is None or family.module != "gpt2"):
            raise ValueError(
                f"pretraining is for GPT-2, which learns to foretell; leave it out for {self.network.name}"
            )
        if isinstance(self.training, EncoderRecipe):
            if self.membership.dev < LEAST_DEV:
                raise ValueError(f"an encoder's probes need dev examples; give membership.dev {LEAST_DEV} or more")
            if (self.training.queue or 0) > self.membership.train:
                raise ValueError(
                    f"training.queue ({self.training.queue}) cannot hold more than the {self.membership.train} images "
                    "of membership.train"
                )
            if self.network.name == "vit-tiny" and (fixed := [a for a in self.attacks if a.startswith("lpla-l2-")]):
                raise ValueError(
                    f"{', '.join(fixed)}: vit-tiny ends in a LayerNorm, which fixes the 2-norm; take another order"
                )
        known = [a for a in self.attacks if ATTACKS[a].known == "partial"]
        if known and self.membership.evaluate < LEAST_KNOWN:
            raise ValueError(
                f"{known[0]} needs membership.evaluate {LEAST_KNOWN} or more: half of them are known to it"
            )
        lost = [a for a in self.attacks if ATTACKS[a].pretrained and not self.pretraining]
        if lost:
            raise ValueError(f"{', '.join(lost)}: needs a model that all are fine-tuned from; give pretraining")
        others = [a for a in self.attacks if ATTACKS[a].task != self.network.task]
        if others:
            raise ValueError(
                f"{', '.join(others)}: not for {self.network.name}, whose task is {self.network.task}; see "
                "`compleak list attacks`"
            )
        if text and (noisy := [a for a in self.attacks if ATTACKS[a].sensitivity]):
            raise ValueError(f"{', '.join(noisy)}: noise cannot be added to token ids; leave it out for texts")
        for framework, settings in self.compress.items():
            if encoder and FINETUNED in settings:
                raise ValueError(f"{FINETUNED} says nothing of an encoder: it would be taught by itself; leave it out")
            for name in settings:
                if reason := make_compressor(framework).refusal(parse_setting(name), self.network.name):
                    raise ValueError(f"{framework} cannot do {name!r} with {self.network.name}: {reason}")
        return self

    @property
    def augmentation(self) -> Augmentation:
        """Of compressed models' fine-tuning: the training's; none of encoders, which are taught by their originals."""
        return "none" if isinstance(self.training, EncoderRecipe) else self.training.augmentation

    def examples(self) -> DataConfig:
        """``data``, tokenised for the network where it holds texts."""
        tokenizer = self.data.tokenizer or self.network.tokenizer
        return self.data.model_copy(update={"tokenizer": tokenizer}) if self.data.is_text else self.data

    def counts(self) -> tuple[int, ...]:
        """How many shadows the attacks are fitted on, each in turn."""
        return self.shadow_counts or (self.membership.shadows,)


_LISTED = 30


def _known(name: str, known: Mapping[str, object], kind: str) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        if len(known) <= _LISTED:
            raise ValueError(f"unknown {kind} {name!r}.{hint} Known: {', '.join(known)}")
        raise ValueError(f"unknown {kind} {name!r}.{hint} All: compleak list {kind}s")
