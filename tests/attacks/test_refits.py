"""An attack whose ranking follows from what it was fitted on is fitted again, or its intervals are too narrow."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import rankdata

from compleak.attacks.observations import Observations
from compleak.attacks.refits import fitted_on_parts
from compleak.attacks.registry import ATTACKS, make_attack

CLASSIFIERS = sorted(n for n, info in ATTACKS.items() if info.task == "classification" and not ATTACKS.provider(n))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_what_follows_from_the_fit_is_fitted_again(
    name: str, shadows: Observations, target: Observations, holding: Callable[..., Observations]
) -> None:
    (parts,) = fitted_on_parts(lambda _: make_attack(name, seed=5), holding(name, shadows), [7])
    first, second, _ = (rankdata(part.score(holding(name, target))) for part in parts)
    assert ATTACKS[name].refitted or np.array_equal(first, second)
