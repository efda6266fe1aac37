"""Observations with a known answer: a membership signal that is planted, or none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import softmax

from compleak.attacks.observations import ORIGINAL, Observations
from compleak.attacks.protocol import Access, Attack
from compleak.attacks.registry import ATTACKS, make_attack

VARIANTS = (ORIGINAL, "a", "b")
EXAMPLES = 400
_OF_ACCESS: dict[Access, tuple[str, ...]] = {
    "one-model": ("a",),
    "original+compressed": (ORIGINAL, "a"),
    "multiple": ("a", "b"),
    "multiple+original": VARIANTS,
}


def plant(
    *,
    models: int,
    seed: int,
    signal: float = 0.0,
    tell: float = 0.0,
    examples: int = EXAMPLES,
    classes: int = 5,
    variants: tuple[str, ...] = VARIANTS,
) -> Observations:
    """Models in pairs that halve the same examples; each is calibrated on a quarter of them.

    Args:
        models: how many.
        seed: of everything but labels and hardness, which belong to the examples.
        signal: by how much membership lifts the logit of the true class.
        tell: by how much membership lifts the logit of class 0, whatever the true class.
        examples: how many.
        classes: how many.
        variants: each a little flatter and noisier than the one before.
    """
    of_examples = np.random.default_rng(99)
    label = of_examples.integers(0, classes, examples)
    hardness = of_examples.normal(size=examples)
    rng = np.random.default_rng(seed)
    halves = [rng.permutation(examples) < examples // 2 for _ in range(-(-models // 2))]
    member = np.stack([half for pair in halves for half in (pair, ~pair)])[:models]
    base = rng.normal(size=(models, examples, classes))
    base[:, np.arange(examples), label] += 2 + hardness + signal * member
    base[:, :, 0] += tell * member
    flat = [0.9**i * base + 0.2 * i * rng.normal(size=base.shape) for i in range(len(variants))]
    logits = np.stack(flat, axis=1).astype(np.float32)
    p = softmax(logits, axis=-1)
    return Observations.from_arrays(
        logits,
        label,
        models=[f"model-{i}" for i in range(models)],
        variants=variants,
        examples=1000 + np.arange(examples),
        member=member,
        calibration=rng.random((models, examples)) < 0.25,
        # What noise does to a softmax, to first order; it adds no signal of its own.
        sensitivity=(p * (1 - p) * rng.chisquare(10, size=p.shape) / 10).astype(np.float32),
    )


def held_by(name: str, observations: Observations) -> Observations:
    """What an attacker with this attack's access holds."""
    return observations.select(variants=_OF_ACCESS[ATTACKS[name].access])


@pytest.fixture(scope="session")
def planted() -> Callable[..., Observations]:
    """``plant``."""
    return plant


@pytest.fixture(scope="session")
def holding() -> Callable[[str, Observations], Observations]:
    """``held_by``."""
    return held_by


@pytest.fixture(scope="session")
def shadows() -> Observations:
    """Eight shadow models with a strong signal."""
    return plant(models=8, seed=1, signal=3)


@pytest.fixture(scope="session")
def target() -> Observations:
    """One target with the same signal."""
    return plant(models=1, seed=2, signal=3)


@pytest.fixture(scope="session")
def null_target() -> Observations:
    """One target whose members and non-members are exchangeable."""
    return plant(models=1, seed=3)


@pytest.fixture(scope="session")
def fitted(shadows: Observations) -> Callable[[str], Attack]:
    """Each attack by name, fitted once on ``shadows``."""
    made: dict[str, Attack] = {}

    def fit(name: str) -> Attack:
        if name not in made:
            made[name] = make_attack(name, seed=5).fit(held_by(name, shadows))
        return made[name]

    return fit
