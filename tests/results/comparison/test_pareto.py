"""The front, on fixtures worked out by hand."""

import numpy as np

from compleak.results.comparison.pareto import front


def test_a_fixture_by_hand():
    points = np.array([
        [1, 9, 5],  # best in the first
        [2, 2, 2],  # beaten by nobody
        [2, 2, 3],  # by the one above: as good, as good, worse
        [3, 1, 9],  # best in the second
        [9, 9, 1],  # best in the third
        [9, 9, 9],  # by all
        [2, 2, 2],  # the same as the second: neither dominates
    ])  # fmt: skip
    assert front(points).tolist() == [True, True, False, True, True, False, True]


def test_two_objectives_make_a_staircase():
    points = np.array([[0, 3], [1, 2], [1, 4], [2, 2], [3, 0], [4, 0]])
    assert front(points).tolist() == [True, True, False, False, True, False]


def test_it_agrees_with_the_definition():
    points = np.random.default_rng(0).integers(0, 6, size=(300, 3))
    naive = [not any((q <= p).all() and (q < p).any() for q in points) for p in points]
    assert front(points).tolist() == naive


def test_none_and_one():
    assert front(np.empty((0, 3))).tolist() == []
    assert front(np.array([[1.0, 2.0]])).tolist() == [True]
