"""An attack whose ranking follows from what it was fitted on is fitted again, or its intervals are too narrow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np
import pytest
from scipy.stats import rankdata

from compleak.attacks.observations import Observations
from compleak.attacks.refits import fitted_on_parts
from compleak.attacks.registry import ATTACKS, make_attack

CLASSIFIERS = sorted(n for n, info in ATTACKS.items() if info.task == "classification" and not ATTACKS.provider(n))


class Listener:
    """An attack that learns nothing and keeps what it was fitted on."""

    def __init__(self, number: int) -> None:
        self.number = number

    def fit(self, shadows: Observations) -> Self:
        self.seen = shadows
        return self

    @property
    def pairs(self) -> np.ndarray:
        return self.seen.data["calibration"].values


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_what_follows_from_the_fit_is_fitted_again(
    name: str, shadows: Observations, target: Observations, holding: Callable[..., Observations]
) -> None:
    (parts,) = fitted_on_parts(lambda _: make_attack(name, seed=5), holding(name, shadows), [7])
    first, second, _ = (rankdata(part.score(holding(name, target))) for part in parts)
    assert ATTACKS[name].refitted or np.array_equal(first, second)


def test_each_division_is_of_all_calibration_pairs_into_thirds_of_the_examples(shadows: Observations) -> None:
    divisions = fitted_on_parts(Listener, shadows, [7, 8])
    assert [[one.number for one in parts] for parts in divisions] == [[1, 2, 3], [4, 5, 6]]
    allowed = shadows.data["calibration"].values
    examples = allowed.any(axis=0).sum()
    for parts in divisions:
        # Each pair that may be learned from is in one part, no other in any, and a part has all pairs of its examples.
        np.testing.assert_array_equal(sum(one.pairs.astype(int) for one in parts), allowed)
        np.testing.assert_array_equal(sum(one.pairs.any(axis=0).astype(int) for one in parts), allowed.any(axis=0))
        for one in parts:
            assert abs(one.pairs.any(axis=0).sum() - examples / 3) < 1
            assert 0.4 < shadows.member[one.pairs].mean() < 0.6
            for name in ("logits", "member", "label"):
                np.testing.assert_array_equal(one.seen.data[name], shadows.data[name])


def test_every_seed_divides_anew_and_always_alike(shadows: Observations) -> None:
    first, second, again = fitted_on_parts(Listener, shadows, [7, 8, 7])
    for one in first:
        shared = [(one.pairs & other.pairs).sum() / one.pairs.sum() for other in second]
        assert 0.15 < min(shared) <= max(shared) < 0.55  # a third each, not one of them all
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.pairs, other.pairs)
