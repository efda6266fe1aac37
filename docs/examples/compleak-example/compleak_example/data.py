"""A data set that is drawn, not fetched: noisy stripes, some of them mislabelled so that models must memorise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

EXAMPLES, SIDE, MISLABELLED = 2400, 12, 0.2


def stripes(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64], str]:
    """Images uint8 [2400, 12, 12, 1], labels int64 [2400], and the version of the data.

    Args:
        folder: where to keep downloads; nothing is downloaded here.
    """
    del folder
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, EXAMPLES)
    y, x = np.mgrid[:SIDE, :SIDE]
    angle = (labels * np.pi / 4)[:, None, None]
    phase = rng.uniform(0, 2 * np.pi, EXAMPLES)[:, None, None]
    waves = np.sin(1.5 * (x * np.cos(angle) + y * np.sin(angle)) + phase)
    pixels = 128 + 60 * waves + 40 * rng.normal(size=waves.shape)
    wrong = rng.random(EXAMPLES) < MISLABELLED
    labels[wrong] = rng.integers(0, 4, np.count_nonzero(wrong))
    return np.clip(pixels, 0, 255).astype(np.uint8)[..., None], labels, "1"
