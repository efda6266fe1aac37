"""The table of attacks: complete, lazy, and honest about each attack."""

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from compleak.attacks.observations import ObservationError, Observations
from compleak.attacks.references import TooFewReferencesError
from compleak.attacks.registry import ATTACKS, UnknownAttackError, make_attack

Plant = Callable[..., Observations]
Holding = Callable[[str, Observations], Observations]

COMPLEAK = {
    *(f"compleak-nr-{s}" for s in ("correctness", "loss", "confidence", "entropy", "modified-entropy")),
    *(f"compleak-nr-{f}-{learner}" for f in ("train1", "train2") for learner in ("lr", "rf", "nn")),
    "compleak-nr-samia",
    *(f"compleak-{f}-{learner}" for f in ("sr1", "sr2") for learner in ("lr", "rf", "gbt")),
    "compleak-mr",
    "compleak-mr-no-original",
}


def test_compleaks_attacks_are_all_there() -> None:
    assert set(ATTACKS) >= COMPLEAK


@pytest.mark.parametrize("name", ATTACKS)
def test_row_agrees_with_attack(name: str) -> None:
    attack, info = make_attack(name), ATTACKS[name]
    assert (attack.name, attack.access, attack.queries) == (name, info.access, info.queries)
    assert info.description
    assert "\n" not in info.description


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownAttackError, match=r"Did you mean 'compleak-mr'\? Known attacks: .*compleak-sr2-rf"):
        make_attack("compleak-mrr")


def test_options_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        ATTACKS["compleak-mr"].options["original"] = False  # type: ignore[index]


def test_importing_it_loads_no_library() -> None:
    heavy = ("sklearn", "torch", "tensorflow", "xarray", "pandas", "scipy", "numpy")
    code = f"import compleak.attacks.registry, sys; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ATTACKS)
def test_not_fitted_is_an_error(name: str, holding: Callable[..., Observations], target: Observations) -> None:
    with pytest.raises(RuntimeError, match=r"not fitted"):
        make_attack(name).score(holding(name, target).without_membership())


@pytest.mark.parametrize("name", sorted(COMPLEAK))
def test_wrong_access_is_an_error(name: str, planted: Callable[..., Observations]) -> None:
    shadows = planted(models=2, seed=0, variants=("original", "a", "b"))
    wrong = ("a", "b") if ATTACKS[name].access != "multiple" else ("original", "a")
    with pytest.raises(ObservationError, match=name):
        make_attack(name).fit(shadows.select(variants=wrong))


def test_a_seed_changes_what_is_drawn(shadows: Observations, target: Observations) -> None:
    shadows, target = shadows.select(variants=["a"]), target.select(variants=["a"])
    first, second = (make_attack("compleak-nr-train1-rf", seed=s).fit(shadows).score(target) for s in (0, 1))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("name", [n for n, i in ATTACKS.items() if i.references and i.answer == "logits"])
def test_an_attack_needs_as_many_shadows_as_it_says(name: str, planted: Plant, holding: Holding) -> None:
    least = ATTACKS[name].least_shadows("pool")

    def score(shadows: int) -> np.ndarray:
        world = holding(name, planted(models=2 + shadows, seed=4, signal=3))
        attack = make_attack(name).fit(world.select(models=world.models[2:]))
        return attack.score(world.select(models=world.models[:1]).without_membership())

    assert np.isfinite(score(least)).all()
    with pytest.raises(TooFewReferencesError):
        score(least - 2 or 1)
