"""Which examples a model is trained on: a pure function of the seed, the example and the model. No file, no state.

Two designs:

``disjoint`` (CompLeak's, Shokri et al. 2017)
    The pool falls into a dev part, a target part and a shadow part. Targets are trained within the target part,
    shadows within the shadow part. The null model is trained within the shadow part as well, so it has seen
    neither the members nor the non-members it is evaluated on.
``pool`` (LiRA's, Carlini et al. 2022)
    Models come in pairs, and each pair halves one pool, so every example is a member of exactly half of the models
    and every model has exactly half of the examples. Any model can be the target. Its shadows are all models but
    its *twin*, the other of its pair: with the twin among them, the number of shadows trained on an example would
    give the answer away.

Ranks come from a keyed hash of the example's id, so asking for more models changes none of the earlier ones.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

Ids = NDArray[np.int64]
NULL = "null"
BASE = "base"
"""Name of the model that all of a suite's models are fine-tuned from, where there is one."""


class Membership(BaseModel):
    """The sizes of a design, and the model names that follow from them.

    Attributes:
        design: see the module.
        train: examples each model is trained on.
        evaluate: members, and as many non-members, on which a model is attacked.
        targets: how many target models.
        shadows: how many shadow models a target's attacker has (even in the pool design).
        dev: examples kept for choosing anything about training; no model is trained or attacked on them.
        null: whether a null control is trained too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    design: Literal["disjoint", "pool"] = "disjoint"
    train: int = Field(ge=2)
    evaluate: int = Field(ge=2)
    targets: int = Field(default=1, ge=1)
    shadows: int = Field(default=2, ge=1)
    dev: int = Field(default=500, ge=0)
    null: bool = True

    @model_validator(mode="after")
    def _sizes(self) -> Membership:
        if self.evaluate > self.train:
            raise ValueError(f"evaluate ({self.evaluate}) members cannot exceed train ({self.train}).")
        if self.design == "pool" and self.shadows % 2:
            raise ValueError(f"In the pool design shadows come in pairs: give an even number, got {self.shadows}.")
        if self.design == "pool" and self.targets > self.shadows + 2:
            raise ValueError(
                f"In the pool design there are shadows + 2 = {self.shadows + 2} models, "
                f"so targets cannot be {self.targets}."
            )
        return self

    @property
    def needed(self) -> int:
        """The least number of examples that this design can do with."""
        if self.design == "pool":
            return self.dev + 2 * self.train + (self.train if self.null else 0)
        return self.dev + 2 * (self.train + self.evaluate)

    def models(self) -> tuple[str, ...]:
        """Names of all models to train: targets, shadows, and the null control."""
        null = (NULL,) if self.null else ()
        if self.design == "pool":
            return (*(f"pool-{i}" for i in range(self.shadows + 2)), *null)
        targets = (f"target-{i}" for i in range(self.targets))
        return (*targets, *(f"shadow-{i}" for i in range(self.shadows)), *null)

    def target_models(self) -> tuple[str, ...]:
        """Names of the models that are attacked, the null control not among them."""
        if self.design == "disjoint":
            return tuple(f"target-{i}" for i in range(self.targets))
        # Twins' members and non-members are exchanged: as two targets they would not be independent, so they come last.
        order = [*range(0, self.shadows + 2, 2), *range(1, self.shadows + 2, 2)]
        return tuple(f"pool-{i}" for i in order[: self.targets])

    def shadow_models(self, target: str) -> tuple[str, ...]:
        """Names of the models that the attacker of ``target`` trained (for the null control: of the first target)."""
        if self.design == "disjoint":
            return tuple(f"shadow-{i}" for i in range(self.shadows))
        pair = 0 if target == NULL else _index(target) // 2
        return tuple(f"pool-{i}" for i in range(self.shadows + 2) if i // 2 != pair)


class Split:
    """A design applied to a pool of examples.

    Attributes:
        dev: ids kept for choosing anything about training.
    """

    def __init__(self, membership: Membership, pool: Ids, seed: int) -> None:
        """Apply ``membership`` to the example ids ``pool``, in any order.

        Raises:
            ValueError: the pool is too small.
        """
        if len(pool) < membership.needed:
            raise ValueError(
                f"The {membership.design} design needs {membership.needed:,} examples, the pool has {len(pool):,}. "
                "Lower membership.train, membership.evaluate or membership.dev, or take a larger data set."
            )
        self._membership, self._seed = membership, seed
        order = _rank(pool, seed, "parts")
        sizes = [
            membership.dev,
            membership.train + membership.evaluate,
            membership.train + membership.evaluate,
        ]
        if membership.design == "pool":
            sizes = [membership.dev, 2 * membership.train, membership.train if membership.null else 0]
        ends = np.cumsum(sizes)
        self.dev: Ids = order[: ends[0]]
        self._first: Ids = order[ends[0] : ends[1]]
        self._second: Ids = order[ends[1] : ends[2]]

    def train_ids(self, model: str) -> Ids:
        """Ids that ``model`` is trained on, [train], ascending."""
        m = self._membership
        if m.design == "pool":
            if model == NULL:
                return np.sort(self._second)
            ranked = _rank(self._first, self._seed, "pair", str(_index(model) // 2))
            return np.sort(ranked[: m.train] if _index(model) % 2 == 0 else ranked[m.train :])
        part = self._first if model.startswith("target") else self._second
        return np.sort(_rank(part, self._seed, model)[: m.train])

    def member(self, model: str, ids: Ids) -> NDArray[np.bool_]:
        """Whether ``model`` is trained on each of ``ids``, bool [len(ids)]."""
        return np.isin(ids, self.train_ids(model))

    def evaluation_ids(self, model: str) -> Ids:
        """Ids on which ``model`` is attacked, half of them members: [2 * evaluate], ascending.

        For a shadow these are the examples that attack models are fitted on. For the null control they are the
        first target's, whose members and non-members it has equally never seen.
        """
        m = self._membership
        if model == NULL:
            return self.evaluation_ids(m.target_models()[0])
        own = self._first if m.design == "pool" or model.startswith("target") else self._second
        ranked = _rank(own, self._seed, "evaluate", model)
        inside = self.member(model, ranked)
        return np.sort(np.concatenate([ranked[inside][: m.evaluate], ranked[~inside][: m.evaluate]]))

    def observed_ids(self) -> Ids:
        """Every id that any number of targets and shadows can be attacked or calibrated on, ascending."""
        if self._membership.design == "pool":
            return np.sort(self._first)
        return np.sort(np.concatenate([self._first, self._second]))


def _index(model: str) -> int:
    return int(model.rpartition("-")[2])


def _rank(ids: Ids, seed: int, *salt: str) -> Ids:
    """Ids in the order of a keyed hash of each: adding ids never reorders the others."""
    digest = hashlib.sha256("/".join((str(seed), *salt)).encode()).digest()
    key = np.uint64(int.from_bytes(digest[:8], "little"))
    return ids[np.lexsort((ids, keyed_hash(ids, key)))]


def keyed_hash(ids: Ids, key: np.uint64) -> NDArray[np.uint64]:
    """The ``ids``-th outputs of SplitMix64 (Steele et al. 2014) started at ``key``."""
    z = key + (ids.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    hashed: NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return hashed
