"""PartCrop's crops: where they lie, that an example's are its own, and how they are cut."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn.functional import interpolate

from compleak.attacks.encoder.access import EncoderError
from compleak.attacks.encoder.crops import CropRecipe, cut, side_of


def test_crops_are_those_of_the_id():
    recipe = CropRecipe(size=16, count=5)
    alone, in_company = recipe.draw(np.array([7]), 32), recipe.draw(np.array([3, 7, 12]), 32)
    assert_array_equal(alone[0], in_company[1])
    assert (in_company[0] != in_company[1]).any()
    assert (CropRecipe(size=16, count=5, seed=1).draw(np.array([7]), 32) != alone).any()


def test_more_crops_begin_with_the_fewer():
    few, many = (CropRecipe(size=16, count=m).draw(np.arange(3), 32) for m in (4, 128))
    assert_array_equal(many[:, :4], few)


def test_boxes_are_those_of_the_published_distribution():
    side = 400  # large, so that rounding to pixels hardly matters
    boxes = CropRecipe(size=16).draw(np.arange(200), side).reshape(-1, 5)
    top, left, height, width, mirrored = boxes.T
    assert min(top.min(), left.min()) == 0
    assert (top + height).max() == side
    assert (left + width).max() == side
    share, ratio = height * width / side**2, np.log(width / height)
    # A uniform variable over a range r has standard error r / √(12 n) = 0.0002 and 0.001 here; four of them.
    assert (share.min(), share.max()) == pytest.approx((0.08, 0.2), abs=0.002)
    assert share.mean() == pytest.approx(0.14, abs=0.001)
    assert (ratio.min(), ratio.max()) == pytest.approx((np.log(3 / 4), np.log(4 / 3)), abs=0.01)
    assert ratio.mean() == pytest.approx(0, abs=0.005)
    assert mirrored.mean() == pytest.approx(0.5, abs=0.0125)
    room = (top + 0.5) / (side - height + 1)
    assert room.mean() == pytest.approx(0.5, abs=0.0075)


def test_cut_is_torchs_resize_of_the_slice():
    images = np.random.default_rng(0).normal(size=(3, 20, 20, 3)).astype(np.float32)
    recipe = CropRecipe(size=7, count=6, scale=(0.05, 0.7))  # boxes both smaller and larger than a crop
    boxes = recipe.draw(np.arange(3), 20)
    crops = cut(images, boxes, 7)
    assert crops.shape == (3, 6, 7, 7, 3)
    assert crops.dtype == np.float32
    assert set(np.unique(boxes[..., 4])) == {0, 1}
    for image, of_image, expected in zip(images, boxes, crops, strict=True):
        for (top, left, height, width, mirrored), crop in zip(of_image, expected, strict=True):
            box = torch.from_numpy(image[top : top + height, left : left + width]).permute(2, 0, 1)[None]
            resized = interpolate(box, size=(7, 7), mode="bicubic", antialias=True)[0].permute(1, 2, 0).numpy()
            assert_allclose(crop, resized[:, ::-1] if mirrored else resized, atol=1e-5)


def test_the_whole_image_is_itself():
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype(np.float32)
    whole, mirrored = np.array([0, 0, 8, 8, 0]), np.array([0, 0, 8, 8, 1])
    crops = cut(images, np.stack([[whole, mirrored]] * 2), 8)
    assert_allclose(crops[:, 0], images, atol=1e-6)
    assert_allclose(crops[:, 1], images[:, :, ::-1], atol=1e-6)


@pytest.mark.parametrize(
    "options", [{"size": 0}, {"count": 0}, {"scale": (0.2, 0.1)}, {"scale": (0, 0.1)}, {"scale": (0.1, 0.8)}]
)
def test_recipes_that_cannot_be(options):
    with pytest.raises(EncoderError, match=r"0 < least <= largest <= 0\.75; got"):
        CropRecipe(**{"size": 8, **options})


def test_images_that_cannot_be_cropped():
    with pytest.raises(EncoderError, match="square images, got 32×24 pixels"):
        side_of(np.zeros((2, 32, 24, 3), dtype=np.float32))
    with pytest.raises(EncoderError, match=r"got float32 \[32, 32, 3\]"):
        side_of(np.zeros((32, 32, 3), dtype=np.float32))
    with pytest.raises(EncoderError, match=r"normalised images, float32 .* got uint8"):
        side_of(np.zeros((2, 32, 32, 3), dtype=np.uint8))
    with pytest.raises(EncoderError, match="12×12 pixels have fewer than a crop of 16×16"):
        CropRecipe(size=16).draw(np.arange(2), 12)
