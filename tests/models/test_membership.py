import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compleak.models.membership import NULL, Membership, Split, keyed_hash

POOL = np.arange(1000)


def disjoint(**changes: int) -> Membership:
    return Membership(**{"train": 100, "evaluate": 80, "shadows": 3, "targets": 2, "dev": 50, **changes})


def pool(**changes: int) -> Membership:
    return Membership(
        design="pool", **{"train": 100, "evaluate": 100, "shadows": 6, "targets": 2, "dev": 50, **changes}
    )


@pytest.mark.parametrize("design", [disjoint(), pool()])
def test_half_of_what_a_model_is_attacked_on_are_members(design: Membership) -> None:
    split = Split(design, POOL, seed=1)
    for model in design.models():
        ids = split.evaluation_ids(model)
        assert len(np.unique(ids)) == len(ids) == 2 * design.evaluate
        assert len(split.train_ids(model)) == design.train
        expected = 0 if model == NULL else design.evaluate
        assert split.member(model, ids).sum() == expected
        assert not np.isin(split.dev, ids).any()
        assert not split.member(model, split.dev).any()


def test_targets_and_shadows_share_no_example_in_the_disjoint_design() -> None:
    design = disjoint()
    split = Split(design, POOL, seed=1)
    for target in design.target_models():
        for other in (*design.shadow_models(target), NULL):
            assert not split.member(other, split.evaluation_ids(target)).any()


def test_every_example_is_in_half_of_the_pool_models_and_the_twin_is_no_shadow() -> None:
    design = pool()
    split = Split(design, POOL, seed=1)
    ids = split.observed_ids()
    models = [m for m in design.models() if m != NULL]
    inside = np.stack([split.member(m, ids) for m in models])
    assert (inside.sum(axis=0) == len(models) // 2).all()
    shadows = design.shadow_models("pool-1")
    assert "pool-0" not in shadows
    assert "pool-1" not in shadows
    assert len(shadows) == 6
    # With the twin left out, the count of IN shadows says nothing about the target.
    counted = np.stack([split.member(m, ids) for m in shadows]).sum(axis=0)
    assert (counted == 3).all()
    assert not split.member(NULL, ids).any()


@pytest.mark.parametrize("make", [disjoint, pool])
def test_more_shadows_change_no_earlier_model(make: type) -> None:
    few, many = make(shadows=4), make(shadows=16)
    before, after = Split(few, POOL, seed=3), Split(many, POOL, seed=3)
    for model in few.models():
        assert np.array_equal(before.train_ids(model), after.train_ids(model))
        assert np.array_equal(before.evaluation_ids(model), after.evaluation_ids(model))


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.randoms())
def test_the_order_of_the_pool_does_not_matter(seed: int, random: object) -> None:
    shuffled = POOL.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    a, b = Split(disjoint(), POOL, seed), Split(disjoint(), shuffled, seed)
    assert np.array_equal(a.train_ids("target-0"), b.train_ids("target-0"))
    assert np.array_equal(a.evaluation_ids("shadow-1"), b.evaluation_ids("shadow-1"))


def test_membership_is_independent_between_models_and_seeds() -> None:
    ids = np.arange(20_000)
    design = Membership(train=5000, evaluate=5000, shadows=2, dev=0)
    split, other = Split(design, ids, seed=0), Split(design, ids, seed=1)
    shadows = split.evaluation_ids("shadow-0")
    a, b = split.member("shadow-0", shadows), split.member("shadow-1", shadows)
    # 10,000 pairs: the correlation of independent balanced bits has standard error .01.
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.04
    assert abs(np.corrcoef(split.member("target-0", ids), other.member("target-0", ids))[0, 1]) < 0.04


def test_the_hash_is_splitmix64() -> None:
    # The first outputs of the reference implementation started at 0.
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert keyed_hash(np.arange(3), np.uint64(0)).tolist() == published


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"train": 10, "evaluate": 20}, "cannot exceed train"),
        ({"design": "pool", "train": 10, "evaluate": 10, "shadows": 3}, "even number"),
        ({"design": "pool", "train": 10, "evaluate": 10, "shadows": 2, "targets": 9}, "targets cannot be 9"),
        ({"train": 10, "evaluate": 10, "shadow": 3}, "Extra inputs"),
    ],
)
def test_impossible_designs_say_why(values: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Membership.model_validate(values)


def test_a_small_pool_says_what_it_needs() -> None:
    with pytest.raises(ValueError, match=r"needs 410 examples, the pool has 300"):
        Split(disjoint(), np.arange(300), seed=0)
