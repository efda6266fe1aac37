"""An attack whose ranking follows from what it was fitted on is fitted again, or its intervals are too narrow."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import rankdata

from compleak.attacks.language_model.listing import LANGUAGE_MODEL_ATTACKS
from compleak.attacks.observations import Observations
from compleak.attacks.refits import fitted_on_parts
from compleak.attacks.registry import make_attack


@pytest.mark.parametrize("name", LANGUAGE_MODEL_ATTACKS)
def test_what_follows_from_the_fit_is_fitted_again(
    name: str, planted: Callable[..., Observations], target: Observations, holding: Callable[..., Observations]
) -> None:
    shadows = holding(name, planted(models=8, seed=1, lift=1.5))
    (parts,) = fitted_on_parts(lambda _: make_attack(name, seed=5), shadows, [7])
    first, second, _ = (rankdata(part.score(holding(name, target))) for part in parts)
    assert LANGUAGE_MODEL_ATTACKS[name].refitted or np.array_equal(first, second)
