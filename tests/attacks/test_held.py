"""An attack is given the variants its access says, and a target that shows the same ones."""

from collections.abc import Callable

import numpy as np
import pytest

from compleak.attacks.held import Held, NotFittedError
from compleak.attacks.observations import ORIGINAL, ObservationError, Observations
from compleak.attacks.protocol import Access

Plant = Callable[..., Observations]


@pytest.mark.parametrize(
    ("access", "good", "bad"),
    [
        ("one-model", [("a",), (ORIGINAL,)], [("a", "b"), (ORIGINAL, "a")]),
        ("original+compressed", [(ORIGINAL, "a"), ("a", ORIGINAL)], [("a",), ("a", "b"), (ORIGINAL, "a", "b")]),
        ("multiple", [("a", "b")], [("a",), (ORIGINAL, "a"), (ORIGINAL, "a", "b")]),
        ("multiple+original", [(ORIGINAL, "a", "b")], [("a", "b"), (ORIGINAL, "a")]),
    ],
)
def test_access(planted: Plant, access: Access, good: list[tuple[str, ...]], bad: list[tuple[str, ...]]) -> None:
    everything = planted(models=2, seed=0, examples=10)
    for variants in good:
        assert set(Held.of(everything.select(variants=variants), access, "x").variants) == set(variants)
    for variants in bad:
        with pytest.raises(ObservationError, match="Attack 'x' has access"):
            Held.of(everything.select(variants=variants), access, "x")


def test_original_first_then_by_name(planted: Plant) -> None:
    held = Held.of(planted(models=2, seed=0).select(variants=("b", "a", ORIGINAL)), "multiple+original", "x")
    assert held.variants == (ORIGINAL, "a", "b")


def test_records_follow_names_not_positions(planted: Plant) -> None:
    shadows, target = planted(models=2, seed=0), planted(models=1, seed=1)
    held = Held.of(shadows, "multiple+original", "x")
    turned = ("b", ORIGINAL, "a")
    np.testing.assert_array_equal(
        held.target_records(target.select(variants=turned), "x").logits, target.target_records().logits
    )
    np.testing.assert_array_equal(
        held.calibration_records(shadows.select(variants=turned)).logits, shadows.calibration_records().logits
    )


def test_another_target_is_refused(planted: Plant) -> None:
    held = Held.of(planted(models=2, seed=0).select(variants=["a"]), "one-model", "x")
    with pytest.raises(ObservationError, match=r"fitted on \['a'\] with 5 classes.*shows \['b'\] with 5"):
        held.target_records(planted(models=1, seed=1).select(variants=["b"]), "x")
    with pytest.raises(ObservationError, match="with 7"):
        held.target_records(planted(models=1, seed=1, classes=7).select(variants=["a"]), "x")


def test_only_calibration_pairs_are_fitted_on(planted: Plant) -> None:
    shadows = planted(models=4, seed=0)
    records = Held.of(shadows, "multiple+original", "x").calibration_records(shadows)
    chosen = shadows.data["calibration"].values
    assert len(records.labels) == chosen.sum() < chosen.size
    np.testing.assert_array_equal(records.member, shadows.member[chosen])
    np.testing.assert_array_equal(records.model, np.nonzero(chosen)[0])


def test_shadows_need_both_kinds(planted: Plant) -> None:
    shadows = planted(models=2, seed=0)
    held = Held.of(shadows, "multiple+original", "x")
    with pytest.raises(ObservationError, match="must not see the answer"):
        held.calibration_records(shadows.without_membership())
    members = Observations(shadows.data.assign(calibration=shadows.data["member"]))
    with pytest.raises(ObservationError, match="members and non-members"):
        held.calibration_records(members)


def test_not_fitted_says_what_to_do() -> None:
    assert "call `fit`" in str(NotFittedError("lira"))


def test_parts_of_what_attacks_are_fitted_on_divide_it_by_examples(planted: Plant) -> None:
    """A twin of the pool design is the same example with the opposite answer: it is on its example's side."""
    whole = planted(models=4, seed=0, examples=101)
    usable = np.asarray(whole.data["calibration"].values).any(axis=0)
    pairs = set(zip(*whole.calibration_pairs(), strict=True))
    parts = [set(zip(*whole.part_of_calibration(7, i, 3).calibration_pairs(), strict=True)) for i in range(3)]
    assert set.union(*parts) == pairs and sum(map(len, parts)) == len(pairs)
    sides = [{example for _, example in part} for part in parts]
    assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
    assert sum(map(len, sides)) == usable.sum() and max(map(len, sides)) - min(map(len, sides)) <= 1
    assert parts[0] != set(zip(*whole.part_of_calibration(8, 0, 3).calibration_pairs(), strict=True))
