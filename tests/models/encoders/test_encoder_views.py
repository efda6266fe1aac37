"""Views: what they show, that each is a function of its numbers, and that queries treat all examples alike."""

import numpy as np
import pytest
from PIL import Image

from compleak.models.encoders.augment import NUMBERS, Views, draw, render
from compleak.models.encoders.recipe import EncoderRecipe
from compleak.models.encoders.views import query_views
from compleak.models.inputs import Normalization

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 12, 16, 3), dtype=np.uint8)
NORMALIZATION = Normalization(mean=(0.5,) * 3, std=(0.5,) * 3)


def recipe(**changes) -> EncoderRecipe:
    return EncoderRecipe(method="simclr", epochs=1, **changes)


def views(count: int = 1, **changes) -> Views:
    whole = {"height": 1, "width": 1, "top": 0, "left": 0, "brightness": 1, "contrast": 1, "saturation": 1, "hue": 0}
    numbers = {name: np.full(count, changes.get(name, value), dtype=np.float64) for name, value in whole.items()}
    flags = {name: np.full(count, changes.get(name, False)) for name in ("flip", "grey")}
    return Views(**numbers, **flags)


def test_the_whole_image_is_the_image_and_a_flip_mirrors_it():
    np.testing.assert_array_equal(render(IMAGES, views(6)), IMAGES)
    np.testing.assert_array_equal(render(IMAGES, views(6, flip=True)), IMAGES[:, :, ::-1])


def test_a_part_is_what_pillow_resizes_it_to():
    ramp = np.add.outer(np.arange(12) * 11, np.arange(16) * 8).astype(np.uint8)
    image = np.stack([ramp, 255 - ramp, ramp // 2], axis=2)
    shown = render(image[None], views(top=3 / 12, height=6 / 12, left=4 / 16, width=8 / 16))[0]
    expected = Image.fromarray(image).resize((16, 12), Image.Resampling.BILINEAR, box=(4, 3, 12, 9))
    # At the part's very edge we look at its neighbours in the image, and Pillow does not.
    assert np.abs(shown.astype(int) - np.asarray(expected).astype(int))[1:-1, 1:-1].max() <= 1
    mirrored = render(image[None], views(top=3 / 12, height=6 / 12, left=4 / 16, width=8 / 16, flip=True))[0]
    np.testing.assert_array_equal(mirrored[:, ::-1], shown)


def test_colours_as_pillow_changes_them():
    from PIL import ImageEnhance

    image = Image.fromarray(IMAGES[0])
    for name, enhance in (("brightness", ImageEnhance.Brightness), ("contrast", ImageEnhance.Contrast)):
        ours = render(IMAGES[:1], views(**{name: 1.3}))[0].astype(int)
        theirs = np.asarray(enhance(image).enhance(1.3)).astype(int)
        assert np.abs(ours - theirs).max() <= 1
    ours = render(IMAGES[:1], views(saturation=0.6))[0].astype(int)
    assert np.abs(ours - np.asarray(ImageEnhance.Color(image).enhance(0.6)).astype(int)).max() <= 1
    grey = render(IMAGES[:1], views(grey=True))[0].astype(int)
    assert np.abs(grey - np.asarray(image.convert("L"))[..., None].astype(int)).max() <= 1


def test_a_third_of_a_turn_of_the_hue_goes_from_red_to_green():
    red = np.zeros((1, 4, 4, 3), dtype=np.uint8)
    red[..., 0] = 200
    np.testing.assert_array_equal(render(red, views(hue=2 * np.pi / 3))[0, 0, 0], [0, 200, 0])


def test_draws_are_within_the_recipe_and_fit_into_the_image():
    drawn = draw(RNG.random((20_000, NUMBERS)), recipe(crop_scale=(0.3, 0.9), jitter=0.5, grey=0.3))
    area = drawn.height * drawn.width
    assert 0.3 <= area.min() < 0.31
    assert 0.89 < area.max() <= 0.9 + 1e-9
    assert area.mean() == pytest.approx(0.6, abs=0.005)
    assert (drawn.width / drawn.height).min() >= 3 / 4 - 1e-9
    assert (drawn.width / drawn.height).max() <= 4 / 3 + 1e-9
    for start, length in ((drawn.top, drawn.height), (drawn.left, drawn.width)):
        assert start.min() >= 0
        assert (start + length).max() <= 1 + 1e-9
    assert np.mean(drawn.brightness == 1) == pytest.approx(0.2, abs=0.01)
    assert np.abs(drawn.brightness - 1).max() == pytest.approx(0.2, abs=0.001)
    assert np.abs(drawn.hue).max() == pytest.approx(2 * np.pi * 0.05, abs=0.001)
    assert drawn.flip.mean() == pytest.approx(0.5, abs=0.02)
    assert drawn.grey.mean() == pytest.approx(0.3, abs=0.02)


def test_a_view_is_a_function_of_its_numbers_alone():
    u = RNG.random((6, NUMBERS))
    together = render(IMAGES, draw(u, recipe()))
    for i in range(6):
        np.testing.assert_array_equal(render(IMAGES[i : i + 1], draw(u[i : i + 1], recipe()))[0], together[i])


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_of_any_number_of_channels_are_jittered(channels):
    images = RNG.integers(0, 256, (3, 8, 8, channels), dtype=np.uint8)
    shown = render(images, draw(RNG.random((3, NUMBERS)), recipe(grey=1.0)))
    assert shown.shape == images.shape
    assert shown.dtype == np.uint8
    assert (shown != images).any()


def test_queries_depend_on_the_example_and_nothing_else():
    def ask(chosen: list[int], count: int = 10, seed: int = 0, **changes) -> np.ndarray:
        return query_views(
            IMAGES[chosen],
            [40 + i for i in chosen],
            count=count,
            recipe=recipe(**changes),
            normalization=NORMALIZATION,
            seed=seed,
        )

    answer = ask([0, 1, 2, 3])
    assert answer.shape == (4, 10, 12, 16, 3)
    assert answer.dtype == np.float32
    np.testing.assert_array_equal(ask([3, 1]), answer[[3, 1]])
    np.testing.assert_array_equal(ask([2], count=4), answer[2:3, :4])
    np.testing.assert_array_equal(ask([2], temperature=0.3), answer[2:3])  # what only training knows
    assert (ask([2], seed=1) != answer[2:3]).any()
    assert (ask([2], crop_scale=(0.8, 1.0)) != answer[2:3]).any()
    assert len({view.tobytes() for view in answer[0]}) == 10
    same = query_views(
        IMAGES[[0, 0]], [5, 6], count=2, recipe=recipe(), normalization=NORMALIZATION, seed=0
    )  # one image under two ids
    assert (same[0] != same[1]).any()


def test_random_states_are_left_alone():
    import torch

    before = torch.get_rng_state(), np.random.get_state()[1].tobytes()
    query_views(IMAGES, list(range(6)), count=2, recipe=recipe(), normalization=NORMALIZATION, seed=0)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == np.random.get_state()[1].tobytes()


def test_ids_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="6 images, 5 ids"):
        query_views(IMAGES, [1, 2, 3, 4, 5], recipe=recipe(), normalization=NORMALIZATION, seed=0)
