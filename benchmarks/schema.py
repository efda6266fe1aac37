"""What a suite is: the fields that fully state a run."""

from __future__ import annotations

from itertools import chain

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ..attacks.registry import ATTACKS
from ..compressors.protocol import Finetuning
from ..compressors.registry import COMPRESSORS, make_compressor
from ..compressors.settings import parse_setting
from ..models.data import DataConfig
from ..models.encoders.recipe import EncoderRecipe
from ..models.inputs import Augmentation
from ..models.membership import Membership
from . import misfits
from .fields import EncoderQueries, Execution, Network, Pretraining, Recipe, Statistics, check_name

NAME = r"^[a-z0-9][a-z0-9_.-]*$"


class SuiteError(ValueError):
    """The suite, or a value in it, cannot be used; the message is for the user."""


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
            check_name(framework, COMPRESSORS, "framework")
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
            check_name(attack, ATTACKS, "attack")
        if len(set(attacks)) < len(attacks):
            raise ValueError("an attack is listed twice")
        return attacks

    @model_validator(mode="after")
    def _fits(self) -> Suite:
        reasons = chain(
            misfits.of_shadows(self.membership, self.attacks, self.counts()),
            misfits.of_data(self.network, self.data, self.training),
            misfits.of_training(self.network, self.training, self.pretraining, self.membership),
            misfits.of_attacks(self.network, self.attacks, self.pretraining, self.membership),
            misfits.of_settings(self.network, self.compress),
        )
        if (reason := next(reasons, None)) is not None:
            raise ValueError(reason)
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
