"""Answers of encoders with a known leak, or none, and a small encoder that has seen nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from compleak.attacks.encoder.attack import EncoderAttack
from compleak.attacks.encoder.encodermi import encodermi
from compleak.attacks.encoder.lpla import lpla
from compleak.attacks.encoder.partcrop import partcrop

CROPS = 8
ATTACKS: dict[str, Callable[[], EncoderAttack]] = {
    **{
        f"lpla-l{p}-gaussian-standardised": lambda p=p: lpla(p, "gaussian", access="shadow", scale="standardised")
        for p in (1, 2, 3, "inf")
    },
    "lpla-l2-lognormal": lambda: lpla(2, "lognormal", access="shadow", scale="raw"),
    "lpla-l2-kde-standardised": lambda: lpla(2, "kde", access="shadow", scale="standardised"),
    **{f"encodermi-{v}": lambda v=v: encodermi(v, access="shadow", seed=5) for v in "vst"},
    **{f"partcrop-{v}": lambda v=v: partcrop(v, access="shadow", crops=CROPS, seed=5) for v in ("v1", "v2")},
}


@dataclass(frozen=True)
class Planted:
    """Features of one encoder, who its members are, and ids."""

    features: NDArray[np.float64]
    member: NDArray[np.bool_]
    examples: NDArray[np.int64]


def plant(name: str, *, seed: int, signal: float, count: int = 300) -> Planted:
    """Features of an encoder whose members have larger norms, closer views and sharper responses.

    Args:
        name: of the attack that they are for.
        seed: of the encoder and its examples.
        signal: how much of it; 0: none.
        count: examples, half of them members in random places.
    """
    rng = np.random.default_rng(seed)
    member = rng.permutation(count) < count // 2
    more = 1 + signal * member
    if name.startswith("lpla"):
        size = np.exp(0.25 * rng.normal(size=count)) * more**0.5
        answers = (rng.normal(size=(count, 128)) * size[:, None],)
    elif name.startswith("encodermi"):
        spread = 0.8 * np.exp(0.2 * rng.normal(size=count)) / more**0.5
        centre, noise = rng.normal(size=(count, 1, 32)), rng.normal(size=(count, 10, 32))
        answers = (centre + noise * spread[:, None, None],)
    else:
        positions = rng.normal(size=(count, 16, 24))
        seen = np.take_along_axis(positions, rng.integers(0, 16, (count, CROPS, 1)), axis=1)
        crops = 0.3 * more[:, None, None] * seen + 0.5 * rng.normal(size=seen.shape)
        answers = (crops, positions)
    return Planted(ATTACKS[name]().features(*answers), member, 1000 * seed + np.arange(count))


class PatchEncoder:
    """Random features of 4×4 patches, averaged over the image: an encoder that was trained on nobody."""

    def __init__(self, width: int = 24, seed: int = 0) -> None:
        self.weights = np.random.default_rng(seed).normal(size=(48, width)) / 7

    def feature_map(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        count, side = images.shape[0], images.shape[1] // 4
        patches = images.reshape(count, side, 4, side, 4, 3).swapaxes(2, 3).reshape(count, side**2, 48)
        return np.maximum(patches @ self.weights, 0)

    def embed(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        return self.feature_map(images).mean(axis=1)


def draw_images(count: int, side: int = 16, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, side, side, 3)).astype(np.float32)


@pytest.fixture(scope="session")
def planted() -> Callable[..., Planted]:
    """``plant``."""
    return plant


@pytest.fixture(scope="session")
def make() -> Callable[[str], EncoderAttack]:
    """An unfitted attack by name."""
    return lambda name: ATTACKS[name]()


@pytest.fixture(scope="session")
def fitted() -> Callable[[str], EncoderAttack]:
    """Each attack by name, fitted once on a shadow encoder that leaks."""
    made: dict[str, EncoderAttack] = {}

    def fit(name: str) -> EncoderAttack:
        if name not in made:
            shadow = plant(name, seed=1, signal=1.0, count=128)
            made[name] = ATTACKS[name]().fit(shadow.features, shadow.member, shadow.examples)
        return made[name]

    return fit


@pytest.fixture(scope="session")
def encoder() -> PatchEncoder:
    """An encoder that has seen nobody."""
    return PatchEncoder()


@pytest.fixture(scope="session")
def images() -> Callable[..., NDArray[np.float32]]:
    """``draw_images``."""
    return draw_images


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "attack" in metafunc.fixturenames:
        metafunc.parametrize("attack", ATTACKS)
