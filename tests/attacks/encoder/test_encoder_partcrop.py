"""PartCrop: features by hand and from their definition, and the memory that they take."""

import math
import tracemalloc
from statistics import NormalDist, stdev

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from compleak.attacks.encoder.access import CountedEncoder, EncoderError
from compleak.attacks.encoder.crops import CropRecipe
from compleak.attacks.encoder.networks import RootMeanSquare
from compleak.attacks.encoder.partcrop import gaussian_hump, partcrop_features, query_partcrop

MIB = 2**20


def test_hump_of_three_by_hand():
    """Quantiles −z, 0, z have standard deviation z: densities in the ratio e^−½ : 1 : e^−½."""
    edge = math.exp(-0.5)
    assert_allclose(gaussian_hump(3), np.array([edge, 1, edge]) / (1 + 2 * edge))


def test_hump_from_the_definition():
    points = [NormalDist().inv_cdf((j + 0.5) / 16) for j in range(16)]
    density = [NormalDist(0, stdev(points)).pdf(q) for q in points]
    assert_allclose(gaussian_hump(16), np.array(density) / sum(density), rtol=1e-9)


def test_features_from_the_definition():
    rng = np.random.default_rng(0)
    crops, positions = rng.normal(size=(3, 5, 4)), rng.normal(size=(3, 6, 4))
    hump = gaussian_hump(6)
    for p, x, got in zip(crops, positions, partcrop_features(crops, positions), strict=True):
        flat, humped = [], []
        for i in range(5):
            responses = [math.exp(sum(x[j, d] * p[i, d] for d in range(4))) for j in range(6)]
            v = [r / sum(responses) for r in responses]
            flat.append(sum(1 / 6 * math.log(1 / 6 / v[j]) for j in range(6)))
            humped.append(sum(hump[j] * math.log(hump[j] / v[j]) for j in range(6)))
        assert_allclose(got, sorted(flat, reverse=True) + sorted(humped, reverse=True))


def test_equal_responses_are_flat():
    """KL(hump ‖ uniform) = log L less the hump's entropy."""
    hump = gaussian_hump(9)
    expected = math.log(9) + sum(h * math.log(h) for h in hump)
    assert_allclose(partcrop_features(np.ones((1, 1, 2)), np.ones((1, 9, 2))), [[0, expected]], atol=1e-12)


def test_large_responses_stay_exact():
    """Responses 1000 and 0: −½ log v_1 − ½ log v_2 − log 2 = 500 − log 2, for both targets (L = 2: both are flat)."""
    got = partcrop_features(np.array([[[1.0]]]), np.array([[[1000.0], [0.0]]]))
    assert_allclose(got, [[500 - math.log(2)] * 2], rtol=1e-14)


def test_order_of_crops_is_not_seen():
    rng = np.random.default_rng(0)
    crops, positions = rng.normal(size=(3, 5, 4)), rng.normal(size=(3, 6, 4))
    assert_allclose(partcrop_features(crops[:, ::-1], positions), partcrop_features(crops, positions), rtol=1e-12)


@pytest.mark.parametrize(
    ("crops", "positions"),
    [((3, 5, 4), (3, 6, 5)), ((3, 5, 4), (2, 6, 4)), ((3, 5, 4), (3, 1, 4)), ((5, 4), (3, 6, 4))],
)
def test_answers_that_do_not_fit_together(crops, positions):
    with pytest.raises(EncoderError, match="A map of one position compares a crop with nothing"):
        partcrop_features(np.ones(crops), np.ones(positions))


def test_overflow_is_an_error():
    with np.errstate(all="ignore"), pytest.raises(EncoderError, match="diverged"):
        partcrop_features(np.full((1, 1, 1), 1e200), np.full((1, 2, 1), 1e200))


def test_responses_stay_within_the_budget():
    rng = np.random.default_rng(0)
    crops = rng.normal(size=(200, 64, 16)).astype(np.float32)
    positions = rng.normal(size=(200, 64, 16)).astype(np.float32)
    whole = partcrop_features(crops, positions)
    tracemalloc.start()
    parts = partcrop_features(crops, positions, budget=MIB)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert_allclose(parts, whole, rtol=1e-12)
    assert peak - 2 * parts.nbytes < MIB  # the result, and room for its check
    with pytest.raises(EncoderError, match=r"single example take .* more than the budget of 1,000"):
        partcrop_features(crops, positions, budget=1000)


def test_crops_stay_within_the_budget(images):
    """An encoder that holds nothing itself; 60 × 64 crops of 16×16×3 float32 are 11.25 MiB all at once."""
    alive = []

    class Constant:
        def embed(self, crops):
            alive.append(crops.nbytes)
            return np.ones((len(crops), 2))

        def feature_map(self, views):
            return np.ones((len(views), 4, 2))

    views, recipe = images(60, side=32), CropRecipe(size=16, count=64)
    query_partcrop(CountedEncoder(Constant()), views[:2], np.arange(2), recipe)  # torch and its tables are loaded
    alive.clear()
    tracemalloc.start()
    features = query_partcrop(CountedEncoder(Constant()), views, np.arange(60), recipe, budget=3 * MIB)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(alive) == 60 * 64 * 16 * 16 * 3 * 4
    assert max(alive) < 3 * MIB
    boxes = 60 * 64 * 5 * 8
    assert peak < 3 * MIB + features.nbytes + 4 * boxes
    with pytest.raises(EncoderError, match="crops of a single example take"):
        query_partcrop(CountedEncoder(Constant()), views, np.arange(60), recipe, budget=1000)


def test_an_image_is_held_against_its_own_crops(encoder, images):
    """The published code long reshaped crop-major answers as image-major ones: an image met others' crops."""
    views, recipe = images(7, seed=3), CropRecipe(size=8, count=4)
    together = query_partcrop(CountedEncoder(encoder), views, np.arange(7), recipe)
    alone = [query_partcrop(CountedEncoder(encoder), views[[i]], np.array([i]), recipe)[0] for i in range(7)]
    assert_allclose(together, alone, rtol=1e-10)


def test_images_that_cannot_be_attacked(encoder):
    counted, recipe = CountedEncoder(encoder), CropRecipe(size=16, count=2)
    with pytest.raises(EncoderError, match="square images, got 32×24"):
        query_partcrop(counted, np.zeros((2, 32, 24, 3), dtype=np.float32), np.arange(2), recipe)
    with pytest.raises(EncoderError, match="fewer than a crop of 16×16"):
        query_partcrop(counted, np.zeros((2, 8, 8, 3), dtype=np.float32), np.arange(2), recipe)
    with pytest.raises(EncoderError, match="2 images and 3 ids"):
        query_partcrop(counted, np.zeros((2, 32, 32, 3), dtype=np.float32), np.arange(3), recipe)


def test_root_mean_square_by_hand():
    assert_array_equal(RootMeanSquare()(torch.zeros(1, 3)), torch.zeros(1, 3))
    torch.testing.assert_close(RootMeanSquare()(torch.tensor([[3.0, -4.0]])), torch.tensor([[3, -4]]) / 12.5**0.5)
