"""The blind test finds groups that differ without any model, and is silent about groups from one pool."""

import math

import numpy as np
import pytest

from compleak.benchmarks.audit.blind import blind_test

MEMBER = np.repeat([True, False], 200)


def images(seed=0, n=200):
    return np.random.default_rng(seed).integers(0, 200, (n, 8, 8, 1)).astype(np.uint8)


def test_groups_from_one_pool_are_not_told_apart():
    labels = np.random.default_rng(3).integers(0, 5, 400)
    found = [blind_test((images(2 * s), images(2 * s + 1)), labels, MEMBER, s) for s in range(3)]
    assert sum(blind.interval.low <= 0.5 <= blind.interval.high for blind in found) >= 2
    assert all(blind.shared == 0 and blind.label_p > 0.01 for blind in found)


@pytest.mark.parametrize(
    "change",
    [lambda x: x + 12, lambda x: x * 0.9, lambda x: (x + np.roll(x, 1, 1)) // 2],
    ids=["brighter", "less contrast", "smoothed"],
)
def test_groups_prepared_differently_are(change):
    labels = np.random.default_rng(3).integers(0, 5, 400)
    blind = blind_test((images(0), change(images(1).astype(np.int64)).astype(np.uint8)), labels, MEMBER)
    assert blind.interval.low > 0.5


def test_other_class_frequencies_are_seen_and_the_same_are_not():
    rng = np.random.default_rng(0)
    skewed = np.concatenate([rng.integers(0, 5, 200), rng.choice(5, 200, p=[0.5, 0.2, 0.1, 0.1, 0.1])])
    assert blind_test(None, skewed, MEMBER).label_p < 1e-4
    fair = [blind_test(None, np.random.default_rng(s).integers(0, 5, 400), MEMBER).label_p for s in range(60)]
    assert sum(p < 0.05 for p in fair) <= 8
    assert blind_test(None, np.zeros(400, dtype=np.int64), MEMBER).label_p == 1.0


def test_the_p_value_is_pearsons():
    labels = np.repeat([0, 1, 0, 1], [30, 70, 50, 50])
    member = np.repeat([True, False], 100)
    # 30 and 70 where 40 and 60 are expected, 50 and 50 likewise, with Yates' correction: 2 * 9.5² (1/40 + 1/60).
    statistic = 2 * 9.5**2 * (1 / 40 + 1 / 60)
    # The tail of χ² with one degree of freedom is erfc(√(x / 2)).
    assert blind_test(None, labels, member).label_p == pytest.approx(math.erfc(math.sqrt(statistic / 2)), rel=1e-9)


def test_examples_in_both_groups_are_counted():
    both = images(0)
    other = images(1)
    other[:7] = both[20:27]
    labels = np.random.default_rng(3).integers(0, 5, 400)
    assert blind_test((both, other), labels, MEMBER).shared == 7


def test_tables_and_sequences_are_read_too():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 400)
    rows = rng.normal(size=(400, 6))
    assert blind_test((rows[:200], rows[200:] + 1), labels, MEMBER).interval.low > 0.6
