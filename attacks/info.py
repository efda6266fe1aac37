"""What a plan needs to know of an attack before it runs: one row of the registry. Imports no attack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .protocol import Access

Answer = Literal["logits", "log_likelihood", "embedding", "view_cosines", "part_features"]
Task = Literal["classification", "language-model", "encoder"]

_TASKS: dict[Answer, Task] = {"logits": "classification", "log_likelihood": "language-model"}


@dataclass(frozen=True)
class AttackInfo:
    """One row: what a plan needs to know of an attack before it runs.

    Attributes:
        factory: ``module:callable`` below ``compleak.attacks``, which makes the attack; in another package's row,
            its own ``package.module:callable``.
        description: one line.
        access: how many models the attacker holds.
        queries: how many outputs of each model it needs for an example.
        options: keyword arguments of the factory.
        seeded: whether it draws random numbers, so that the factory takes ``seed``.
        stacks_on: the attack whose forests it stacks on, for a plan that has them already.
        references: how many shadows each example needs on every side (IN, OUT) that the attack looks at; none where
            it learns from other examples only.
        sensitivity: whether all its queries but one are noisy (``attacks.sensitivity``).
        answer: which of the observations' answers it reads, and so what task the attacked models have.
        beside: the attack on the original alone that rows are compared with, where the same attack has nothing to say
            of the original and its copy; the same attack where empty.
        pretrained: whether it needs the model that all were fine-tuned from.
        refitted: whether it is fitted again on parts of what it learns from: what it learned moves its scores, and a
            difference between two models may be one between two fits.
        known: whose membership it is fitted on: that of shadow models' examples, or of part of the target's own
            members and non-members (PartCrop's protocol), which it then is not scored on.
    """

    factory: str
    description: str
    access: Access
    queries: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    seeded: bool = False
    stacks_on: str = ""
    references: int = 0
    sensitivity: bool = False
    answer: Answer = "logits"
    pretrained: bool = False
    beside: str = ""
    refitted: bool = False
    known: Literal["shadows", "partial"] = "shadows"

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))

    def least_shadows(self, design: Literal["disjoint", "pool"]) -> int:
        """Shadows without which it is undefined; in the pool design every pair of them has an example IN once."""
        if self.known == "partial":
            return 0
        return max(1, self.references * (2 if design == "pool" else 1))

    def arguments(self, seed: int) -> dict[str, Any]:
        """All keyword arguments of the factory."""
        return {**self.options, "seed": seed} if self.seeded else dict(self.options)

    @property
    def task(self) -> Task:
        """What the models are for that it attacks."""
        return _TASKS.get(self.answer, "encoder")

    @property
    def stated_access(self) -> str:
        """What a row says of its access: of an encoder's attacker also where membership is known."""
        if self.task != "encoder":
            return self.access
        where = "shadow" if self.known == "shadows" else "partial-known"
        return where if self.access == "one-model" else f"{where}, {self.access}"
