"""Attacks on one encoder whose members are known in part: fitted on one half of the images, judged on the other."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....attacks.encoder.access import EncoderError
from ....attacks.observations import ORIGINAL, Observations
from ....attacks.registry import ATTACKS, make_attack
from ....results.metrics import ScoreError
from ....results.scores import Scores
from ...nodes import derived_seed
from ...stages.attack import fit_heard
from .. import AuditError
from ..attacked import TARGET
from .questions import Asked, Tell

KNOWN_ATTACKS = tuple(
    name
    for name, info in ATTACKS.items()
    if info.task == "encoder" and info.known == "partial" and info.access == "one-model"
)
"""Those that need one encoder and no shadow encoder, in the order in which they are run."""


def check_attacks(attacks: Sequence[str]) -> None:
    """See that these attacks exist and need no shadow encoder.

    Raises:
        AuditError: one does not, or does.
    """
    for attack in attacks:
        if attack not in KNOWN_ATTACKS:
            near = difflib.get_close_matches(attack, KNOWN_ATTACKS, n=1, cutoff=0.4)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            info = ATTACKS.get(attack)
            if info is None:
                what = "is not known"
            else:
                what = "needs shadow encoders" if info.task == "encoder" else "is not one on encoders"
            raise AuditError(f"The attack {attack!r} {what}.{hint} Here there are {', '.join(KNOWN_ATTACKS)}.")


@dataclass(frozen=True, eq=False)
class EncoderAttacked:
    """What the attacks said.

    Attributes:
        scores: of each attack that could be made, of the half whose membership no attack was told.
        notes: by attack, what it had to say of itself.
        refusals: by attack that could not be made, why.
    """

    scores: tuple[Scores, ...]
    notes: dict[str, list[str]]
    refusals: dict[str, str]


def attack_encoder(
    chosen: Sequence[str],
    asked: Asked,
    member: NDArray[np.bool_],
    known: NDArray[np.bool_],
    seed: int,
    tell: Tell,
) -> EncoderAttacked:
    """Run attacks: each is fitted on the known half, and then blind to the other.

    Args:
        chosen: their names.
        asked: what the encoder answered.
        member: [images].
        known: whose membership the attacker knows, [images].
        seed: of what the attacks draw.
        tell: hears of the progress.

    Raises:
        AuditError: none of them can be made on this encoder.
    """
    refusals = {attack: asked.refusals[a] for attack in chosen if (a := ATTACKS[attack].answer) in asked.refusals}
    kept: list[Scores] = []
    notes: dict[str, list[str]] = {}
    ids = np.arange(len(member))
    if asked.answers:
        observed = Observations.from_answers(
            {kind: values[None, None] for kind, values in asked.answers.items()},
            np.zeros(len(member), dtype=np.int64),
            models=[TARGET],
            variants=[ORIGINAL],
            examples=ids,
            member=member[None],
        )
        fitted_on = observed.select(examples=ids[known]).all_calibration()
        attacked = observed.select(examples=ids[~known]).without_membership()
    for place, name in enumerate(chosen, start=1):
        if name not in refusals:
            try:
                attack = make_attack(name, derived_seed(seed, "attack", name))
                notes[name] = sorted(fit_heard(attack, fitted_on))
                score, threshold = attack.score(attacked), attack.threshold
                # Membership joins the scores only here, after the attack is done.
                kept.append(
                    Scores.of(
                        ids[~known],
                        member[~known],
                        score,
                        target=TARGET,
                        variant=ORIGINAL,
                        attack=name,
                        threshold=threshold,
                    )
                )
            except (EncoderError, ScoreError) as error:
                refusals[name] = str(error)
        tell("attacks", place, len(chosen))
    if not kept:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in refusals.items())
        raise AuditError(f"None of the attacks can be made on this encoder. {reasons}")
    return EncoderAttacked(tuple(kept), notes, refusals)
