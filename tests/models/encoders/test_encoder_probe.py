"""Utility of embeddings, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from compleak.models.encoders.probe import knn_predictions, linear_predictions

RNG = np.random.default_rng(0)


def clouds(count: int, spread: float, dimensions: int = 5):
    labels = RNG.integers(0, 3, count)
    middles = np.eye(3, dimensions)[labels] * 2 + 1
    return (middles + spread * RNG.normal(size=(count, dimensions))).astype(np.float32), labels


@pytest.mark.parametrize("neighbours", [1, 5, 20])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_neighbours_vote_as_scikit_learn_s_do(neighbours, temperature):
    known, asked = clouds(80, 1.0), clouds(60, 1.0)
    theirs = KNeighborsClassifier(
        neighbours, metric="cosine", algorithm="brute", weights=lambda distance: np.exp((1 - distance) / temperature)
    )
    expected = theirs.fit(*known).predict(asked[0])
    assert 0.4 < np.mean(expected == asked[1]) < 0.95
    ours = knn_predictions(known, asked[0], neighbours=neighbours, temperature=temperature)
    np.testing.assert_array_equal(ours, expected)


def test_a_near_neighbour_outvotes_two_far_ones_where_the_temperature_is_low():
    known = np.array([[1.0, 0.0], [0.5, 0.9], [0.5, -0.9]]), np.array([7, 4, 4])
    asked = np.array([[2.0, 0.0]])
    assert knn_predictions(known, asked, neighbours=3, temperature=0.1) == [7]
    assert knn_predictions(known, asked, neighbours=3, temperature=10) == [4]
    assert knn_predictions(known, asked, neighbours=200, temperature=10) == [4]


def test_only_directions_count_for_neighbours_and_scales_do_not_for_the_linear_probe():
    known, asked = clouds(90, 0.5), clouds(50, 0.5)
    lengths = RNG.uniform(0.1, 10, (90, 1))
    stretched = known[0] * lengths, known[1]
    np.testing.assert_array_equal(knn_predictions(stretched, asked[0]), knn_predictions(known, asked[0]))
    scale = np.array([1, 10, 100, 1e-3, 5])
    scaled = linear_predictions((known[0] * scale, known[1]), asked[0] * scale)
    np.testing.assert_array_equal(scaled, linear_predictions(known, asked[0]))


def test_the_linear_probe_reads_what_is_linear():
    known, asked = clouds(300, 0.1), clouds(300, 0.1)
    said = linear_predictions(known, asked[0])
    np.testing.assert_array_equal(said, asked[1])
    assert np.mean(said == RNG.permutation(asked[1])) == pytest.approx(1 / 3, abs=0.1)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="9 labels"):
        knn_predictions((np.ones((10, 2)), np.ones(9, dtype=int)), clouds(3, 1.0)[0])
    with pytest.raises(ValueError, match="finite"):
        linear_predictions((np.full((2, 2), np.nan), np.array([0, 1])), clouds(3, 1.0)[0])
