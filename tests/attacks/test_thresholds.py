"""Thresholds against the search over every observed value that Song & Mittal describe."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compleak.attacks.thresholds import best_threshold, class_thresholds


def balanced_accuracy(scores: np.ndarray, member: np.ndarray, threshold: float) -> float:
    called = scores >= threshold
    return float((called[member].mean() + (~called)[~member].mean()) / 2)


records = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=40).filter(
    lambda rows: len({m for _, m in rows}) == 2
)


@given(records)
def test_same_as_trying_every_value(rows: list[tuple[int, bool]]) -> None:
    scores = np.array([float(s) for s, _ in rows])
    member = np.array([m for _, m in rows])
    best = max(balanced_accuracy(scores, member, t) for t in scores)
    threshold = best_threshold(scores, member)
    assert threshold in scores
    assert balanced_accuracy(scores, member, threshold) == pytest.approx(best)
    assert all(balanced_accuracy(scores, member, t) < best - 1e-12 for t in scores if t < threshold)


def test_lowest_of_equally_good() -> None:
    assert best_threshold(np.array([1.0, 2, 3, 4]), np.array([False, True, False, True])) == 2


def test_equal_scores_are_not_parted() -> None:
    scores = np.array([0.0, 1, 1, 1, 2])
    member = np.array([False, False, True, True, True])
    assert best_threshold(scores, member) == 1


def test_useless_scores_give_chance_not_worse() -> None:
    scores, member = np.array([1.0, 2, 3, 4]), np.array([True, True, False, False])
    assert balanced_accuracy(scores, member, best_threshold(scores, member)) >= 0.5


def test_each_class_has_its_own() -> None:
    rng = np.random.default_rng(0)
    labels, member = rng.integers(0, 4, 300), rng.random(300) < 0.5
    scores = rng.normal(size=300) + member + 10 * labels
    thresholds = class_thresholds(scores, labels, member, classes=4)
    for label in range(4):
        own = labels == label
        best = max(balanced_accuracy(scores[own], member[own], t) for t in scores[own])
        assert balanced_accuracy(scores[own], member[own], thresholds[label]) == pytest.approx(best)


def test_a_class_without_both_kinds_takes_the_common_threshold() -> None:
    scores = np.array([0.0, 1, 5, 6, 7])
    labels = np.array([0, 0, 1, 1, 1])
    member = np.array([False, True, True, True, True])
    thresholds = class_thresholds(scores, labels, member, classes=3)
    assert thresholds.tolist() == [1, best_threshold(scores, member), best_threshold(scores, member)]


@pytest.mark.parametrize("member", [[True, True], [False, False]])
def test_one_kind_alone_is_refused(member: list[bool]) -> None:
    with pytest.raises(ValueError, match="members and non-members"):
        best_threshold(np.array([0.0, 1]), np.array(member))
