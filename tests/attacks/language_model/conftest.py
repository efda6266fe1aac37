"""Log-likelihoods with a known leak, or none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from compleak.attacks.language_model.attack import ACCESS
from compleak.attacks.language_model.listing import LANGUAGE_MODEL_ATTACKS
from compleak.attacks.observations import ORIGINAL, Observations
from compleak.attacks.protocol import Attack
from compleak.attacks.registry import make_attack

VARIANTS = (ORIGINAL, "a", "b")
TEXTS = 400
TOKENS = 16
_OF_ACCESS = {
    ACCESS["nr"]: (ORIGINAL,),
    ACCESS["sr"]: (ORIGINAL, "a"),
    ACCESS["mr-no-original"]: ("a", "b"),
    ACCESS["mr"]: VARIANTS,
}


def plant(
    *,
    models: int,
    seed: int,
    lift: float = 0.0,
    kept: float = 0.4,
    shared: float = 1.0,
    noise: float = 0.3,
    full: bool = False,
    texts: int = TEXTS,
) -> Observations:
    """Models in pairs that halve the same texts; each is calibrated on a quarter of them.

    Args:
        models: how many.
        seed: of what belongs to the models.
        lift: by how much membership lifts each token's log-likelihood in the original.
        kept: how much of the lift each compressed model keeps of what the one before it had.
        shared: standard deviation of a text's own likelihood, the same in all models.
        noise: standard deviation of each token's, independent in every model and variant.
        full: whether all texts have all tokens; else 2 to all.
        texts: how many.
    """
    of_texts = np.random.default_rng(99)
    ease = -8 + shared * of_texts.normal(size=(texts, 1)) + 0.5 * of_texts.normal(size=(texts, TOKENS))
    count = np.full(texts, TOKENS) if full else of_texts.integers(2, TOKENS + 1, texts)
    rng = np.random.default_rng(seed)
    halves = [rng.permutation(texts) < texts // 2 for _ in range(-(-models // 2))]
    member = np.stack([half for pair in halves for half in (pair, ~pair)])[:models]
    own = np.stack([ease + lift * kept**i * member[..., None] for i in range(len(VARIANTS))], axis=1)
    found = own + noise * rng.normal(size=own.shape)
    found[..., np.arange(TOKENS) >= count[:, None]] = np.nan
    return Observations.from_answers(
        {"log_likelihood": found.astype(np.float32)},
        np.zeros(texts, dtype=np.int64),
        models=[f"model-{i}" for i in range(models)],
        variants=VARIANTS,
        examples=1000 + np.arange(texts),
        member=member,
        calibration=rng.random((models, texts)) < 0.25,
        base=np.where(np.arange(TOKENS) >= count[:, None], np.nan, ease + noise * of_texts.normal(size=ease.shape)),
        zlib_bytes=12 + 4 * count + of_texts.integers(0, 4, texts),
    )


def held_by(name: str, observations: Observations) -> Observations:
    """What an attacker with this attack's access holds."""
    return observations.select(variants=_OF_ACCESS[LANGUAGE_MODEL_ATTACKS[name].access])


@pytest.fixture(scope="session")
def planted() -> Callable[..., Observations]:
    """``plant``."""
    return plant


@pytest.fixture(scope="session")
def holding() -> Callable[[str, Observations], Observations]:
    """``held_by``."""
    return held_by


@pytest.fixture(scope="session")
def target() -> Observations:
    """A target that leaks."""
    return plant(models=1, seed=2, lift=1.5)


@pytest.fixture(scope="session")
def fitted() -> Callable[[str], Attack]:
    """Each attack by name, fitted once on shadows that leak."""
    shadows = plant(models=8, seed=1, lift=1.5)
    made: dict[str, Attack] = {}

    def fit(name: str) -> Attack:
        if name not in made:
            made[name] = make_attack(name, seed=5).fit(held_by(name, shadows))
        return made[name]

    return fit
