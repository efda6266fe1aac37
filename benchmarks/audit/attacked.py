"""What an attack said, before anything is concluded from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...attacks.observations import ORIGINAL, Observations
from ...attacks.protocol import Access, Attack
from ...attacks.refits import DIVISIONS, fitted_on_parts
from ...attacks.registry import ATTACKS, make_attack
from ...results.metrics import Floats, auc
from ...results.scores import Scores
from . import AuditError
from .formulas import FORMULAS, Formula, held_by
from .subject import Subject

TARGET = "target"
SHADOWED_HEADLINE = "compleak-nr-train2-rf"
SHADOWED = (
    *("compleak-nr-correctness", "compleak-nr-loss", "compleak-nr-entropy", "compleak-nr-modified-entropy"),
    *("compleak-nr-modified-entropy-global", SHADOWED_HEADLINE, "compleak-sr1-rf", "compleak-sr2-rf"),
    *("compleak-mr", "compleak-mr-no-original"),
)
_MOST_CELLS = 200_000_000
_CHUNK = 4096


@dataclass(frozen=True, eq=False)
class Attacked:
    """One attack on one set of variants.

    Attributes:
        attack: its name.
        access: how many models it holds.
        variants: which, the original first where held.
        scores: of the target's examples.
        baseline: scores of what it is compared with; None where it is that itself, or no original is held.
        baseline_name: in words.
        shadows: how many shadow models it was fitted on.
    """

    attack: str
    access: Access
    variants: tuple[str, ...]
    scores: Scores
    baseline: Scores | None = None
    baseline_name: str = ""
    shadows: int = 0


def attack_by_formula(subject: Subject, names: Mapping[str, str]) -> Iterator[Attacked]:
    """Every fixed formula on every set of variants that it can hold; nothing is fitted.

    Args:
        subject: the target.
        names: of the compressed variants as the scores state them, ``framework/setting``.
    """
    for name, formula in FORMULAS.items():

        def run(subject: Subject, held: Sequence[str], name: str = name, formula: Formula = formula) -> Scores:
            parts = [slice(i, i + _CHUNK) for i in range(0, len(subject.labels), _CHUNK)]
            logits = ((np.stack([subject.logits[v][part] for v in held]), subject.labels[part]) for part in parts)
            score = np.concatenate([formula.score(*chunk) for chunk in logits])
            return _scores(subject, [names.get(v, v) for v in held], name, score, formula.threshold)

        sets = list(held_by(formula.access, subject))
        baseline: Scores | None = None
        if ORIGINAL in subject.logits and sets:
            copies = _copies(sets[-1])
            alone = subject.logits[ORIGINAL]
            baseline = run(replace(subject, logits=dict.fromkeys(copies, alone)), copies)
        for held in sets:
            yield _attacked(name, formula.access, held, run(subject, held), baseline)


def attack_with_shadows(
    subject: Subject, shadows: Sequence[Subject], seed: int, names: Mapping[str, str]
) -> Iterator[Attacked]:
    """The registered CompLeak attacks, fitted on the shadows and then blind to the target.

    Args:
        subject: the target.
        shadows: models like it with known members, seen through the same variants.
        seed: of whatever the attacks draw.
        names: of the compressed variants as the scores state them, ``framework/setting``.

    Raises:
        AuditError: the shadows show other variants or classes, or are too many to be held in memory.
    """
    observed = _shadow_observations(subject, shadows)
    target = Observations.from_arrays(
        np.stack(list(subject.logits.values()))[None],
        subject.labels,
        models=[TARGET],
        variants=subject.variants,
        examples=np.arange(len(subject.labels)),
    )

    def run(name: str, shadow: Observations, of_target: Observations) -> Scores:
        attack: Attack = make_attack(name, seed).fit(shadow)
        held = [names.get(v, v) for v in of_target.variants]
        again = fitted_on_parts(lambda _: make_attack(name, seed), shadow, divisions if ATTACKS[name].refitted else ())
        refits = [[auc(one.score(of_target), subject.member) for one in division] for division in again]
        return _scores(subject, held, name, attack.score(of_target), attack.threshold, refits)

    divisions = [seed + i for i in range(DIVISIONS)]

    for name in SHADOWED:
        access = ATTACKS[name].access
        sets = list(held_by(access, subject))
        baseline: Scores | None = None
        if ORIGINAL in subject.logits and sets:
            copies = _copies(sets[-1])
            keep = copies[0] == ORIGINAL
            alone = (o.copies_of_original(len(copies) - keep, keep=keep) for o in (observed, target))
            baseline = run(name, *alone)
        for held in sets:
            if held == (ORIGINAL,) and baseline is not None:
                yield _attacked(name, access, held, baseline, None, len(shadows))
            else:
                scores = run(name, observed.select(variants=held), target.select(variants=held))
                yield _attacked(name, access, held, scores, baseline, len(shadows))


def _copies(held: Sequence[str]) -> tuple[str, ...]:
    """What stands in the place of the models held when there is the original only."""
    if len(held) == 1:
        return (ORIGINAL,)
    compressed = sum(variant != ORIGINAL for variant in held)
    return (*((ORIGINAL,) if ORIGINAL in held else ()), *(f"copy-{i + 1}" for i in range(compressed)))


def _attacked(
    name: str, access: Access, held: tuple[str, ...], scores: Scores, baseline: Scores | None, shadows: int = 0
) -> Attacked:
    """With the baseline, unless there is none or this is it."""
    if baseline is None or held == (ORIGINAL,):
        return Attacked(name, access, held, scores, shadows=shadows)
    place = "on the original" if access == "one-model" else "with the original in place of each compressed model"
    return Attacked(name, access, held, scores, baseline, f"{name} {place}", shadows)


def _scores(
    subject: Subject,
    held: Sequence[str],
    name: str,
    score: Floats,
    threshold: float,
    refits: Sequence[Sequence[float]] = (),
) -> Scores:
    return Scores.of(
        np.arange(len(subject.member)),
        subject.member,
        score,
        target=TARGET,
        variant=";".join(held),
        attack=name,
        threshold=threshold,
        refits=refits,
    )


def _shadow_observations(subject: Subject, shadows: Sequence[Subject]) -> Observations:
    """All shadows in one array set; each was seen on its own examples only, and is fitted on those only."""
    for number, shadow in enumerate(shadows):
        if set(shadow.variants) != set(subject.variants) or shadow.classes != subject.classes:
            raise AuditError(
                f"Shadow {number} shows {', '.join(shadow.variants)} with {shadow.classes} classes, the audited model "
                f"{', '.join(subject.variants)} with {subject.classes}. A shadow needs the same variants, "
                "compressed in the same way."
            )
    ends = np.cumsum([0, *(len(shadow.labels) for shadow in shadows)])
    shape = (len(shadows), len(subject.variants), int(ends[-1]), subject.classes)
    if np.prod(shape, dtype=np.float64) > _MOST_CELLS:
        raise AuditError(
            f"{len(shadows)} shadows with {ends[-1]:,} examples of {subject.classes} classes do not fit in memory. "
            "Give fewer shadows, or fewer examples of each."
        )
    logits = np.zeros(shape)
    member, seen = np.zeros((2, len(shadows), shape[2]), dtype=bool)
    for i, shadow in enumerate(shadows):
        own = slice(ends[i], ends[i + 1])
        logits[i, :, own] = np.stack([shadow.logits[v] for v in subject.variants])
        member[i, own], seen[i, own] = shadow.member, True
    return Observations.from_arrays(
        logits,
        np.concatenate([shadow.labels for shadow in shadows]),
        models=[f"shadow-{i}" for i in range(len(shadows))],
        variants=subject.variants,
        examples=np.arange(shape[2]),
        member=member,
        calibration=seen,
    )
