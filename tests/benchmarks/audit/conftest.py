"""A made-up model's outputs: confident on its members where it leaks, the same on both where it does not."""

from types import SimpleNamespace

import numpy as np
import pytest


def _dump(n=300, classes=5, leak=0.0, seed=0):
    """Logits and labels of members and of non-members; ``leak`` is added to a member's true class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, 2 * n)
    logits = rng.normal(size=(2 * n, classes))
    logits[np.arange(2 * n), labels] += 1 + leak * (np.arange(2 * n) < n)
    logits = logits.astype(np.float32)
    return SimpleNamespace(
        members=(logits[:n], labels[:n]), nonmembers=(logits[n:], labels[n:]), logits=logits, labels=labels
    )


@pytest.fixture(scope="session")
def dump():
    """Make outputs; see ``_dump``."""
    return _dump


@pytest.fixture(scope="session")
def save_pair():
    """Write outputs as members.npz and nonmembers.npz into a folder, which is returned."""

    def save(made, folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("members", "nonmembers"):
            logits, labels = getattr(made, name)
            np.savez(folder / f"{name}.npz", logits=logits, labels=labels)
        return folder

    return save
