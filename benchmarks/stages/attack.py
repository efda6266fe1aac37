"""Stage ``attack``: one attack on one set of variants; fitted on shadows once, then blind to every target."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ...attacks.observations import Observations
from ...attacks.protocol import Attack
from ...attacks.refits import fitted_on_parts
from ...results.metrics import auc
from ...results.scores import Scores, read_scores, write_scores
from .job import Job

ATTACKS = Observations.__module__.rpartition(".")[0]


@dataclass(frozen=True)
class Recorded:
    """An attack that has been run: what it said, for an attack that stacks on it.

    Attributes:
        folder: its node's.
        number: which of its fits: 0 on all of the shadows' examples, then those on parts of them.
    """

    folder: Path
    number: int = 0

    @property
    def held_out(self) -> NDArray[np.float64]:
        """P(member) of each calibration record, [records]."""
        return _load(self.folder / _held_out(self.number))

    def fit(self, shadows: Observations) -> Self:
        """It is fitted already, on these same shadows or the same part: they are part of both nodes' keys."""
        del shadows
        return self

    def score(self, target: Observations) -> NDArray[np.float64]:
        """P(member), [examples]; the answer that is kept beside the scores is not looked at."""
        name = target.models[0]
        recorded = read_scores(self.folder / f"{name}.parquet")
        if not np.array_equal(recorded.example, target.examples):
            raise ValueError(f"{self.folder.name} was scored on other examples than {name}'s.")
        scores: NDArray[np.float64] = _load(self.folder / _all_scores(name))[self.number]
        return scores


def run(job: Job) -> None:
    """Write ``TARGET.parquet``: example id, member, score for each target, with the shadows' threshold; ``notes.json``.

    An attack that stacks on others finds them among the parents, by the name of the compressed variant.
    """
    config = job.config
    observations = Observations.open(job.parents["collect"] / "observations.zarr")
    if copies := config["copies"]:
        observations = observations.copies_of_original(copies["count"], keep=copies["keep"])
    else:
        observations = observations.select(variants=config["variants"])
    evaluation = job.read("collect", "evaluation.json")
    # Not through the registry: an attack added there must not make every other attack run again.
    module, _, factory = config["factory"].partition(":")
    make = getattr(importlib.import_module(module if config.get("provider") else f"{ATTACKS}.{module}"), factory)

    def fresh(number: int = 0) -> Attack:
        stacked = {"forest": lambda variant: Recorded(job.parents[variant], number)} if len(job.parents) > 1 else {}
        attack: Attack = make(**config["arguments"], **stacked)
        return attack

    def fitted(seen: Observations) -> tuple[Attack, list[list[Attack]]]:
        """On all that is seen, and then on parts of it."""
        attack = fresh()
        notes.update(fit_heard(attack, seen))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # The attack itself has said it.
            return attack, fitted_on_parts(fresh, seen, config.get("divisions", ()))

    targets = {name: np.asarray(evaluation[name], dtype=np.int64) for name in config["targets"]}
    notes: set[str] = set()
    if (seed := config.get("known_seed")) is None:
        attack, refits = fitted(observations.select(models=config["shadows"]))
        for number, one in enumerate([attack, *chain.from_iterable(refits)]):
            if hasattr(one, "held_out"):
                np.save(job.out / _held_out(number), one.held_out, allow_pickle=False)
        for target, ids in targets.items():
            _score(job, attack, refits, observations, target, ids)
    else:
        for target, ids in targets.items():
            of_target = observations.select(models=[target], examples=ids)
            known = known_half(of_target.member[0], seed)
            attack, refits = fitted(of_target.select(examples=ids[known]).all_calibration())
            _score(job, attack, refits, observations, target, ids[~known])
    job.write("notes.json", sorted(notes))


def known_half(member: NDArray[np.bool_], seed: int) -> NDArray[np.bool_]:
    """Which examples' membership the attacker knows: half of the members and half of the non-members, at random.

    Args:
        member: [examples].
        seed: of the draw.
    """
    known = np.zeros(len(member), dtype=bool)
    for place in (np.flatnonzero(member), np.flatnonzero(~member)):
        known[np.random.default_rng((seed, len(place))).permutation(place)[: len(place) // 2]] = True
    return known


def fit_heard(attack: Attack, shadows: Observations) -> set[str]:
    """Fit, and say what the attack has to say of itself, which belongs to its row."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        attack.fit(shadows)
        attack.threshold  # noqa: B018  calibrated here, so that what it warns of is heard
    for other in (w for w in caught if w.category is not UserWarning):
        warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    return {str(w.message) for w in caught if w.category is UserWarning}


def _score(
    job: Job,
    attack: Attack,
    refits: Sequence[Sequence[Attack]],
    observations: Observations,
    target: str,
    ids: NDArray[np.int64],
) -> None:
    of_target = observations.select(models=[target], examples=ids)
    blind = of_target.without_membership()
    scores = attack.score(blind)
    of_refits = [[one.score(blind) for one in division] for division in refits]
    if hasattr(attack, "held_out"):
        np.save(job.out / _all_scores(target), np.stack([scores, *chain.from_iterable(of_refits)]), allow_pickle=False)
    # Membership joins the scores only here, after the attack is done.
    write_scores(
        Scores.of(
            ids,
            of_target.member[0],
            scores,
            target=target,
            variant=";".join(observations.variants),
            attack=attack.name,
            threshold=attack.threshold,
            refits=[[auc(again, of_target.member[0]) for again in division] for division in of_refits],
        ),
        job.out / f"{target}.parquet",
    )


def _held_out(number: int) -> str:
    return f"held_out-{number}.npy"


def _all_scores(target: str) -> str:
    return f"{target}.fits.npy"


def _load(path: Path) -> NDArray[np.float64]:
    values: NDArray[np.float64] = np.load(path, allow_pickle=False)
    return values
