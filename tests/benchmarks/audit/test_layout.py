"""How examples become a model's input: as stated, and refused where not all is stated."""

from pathlib import Path

import numpy as np
import pytest

from compleak.benchmarks.audit import AuditError
from compleak.benchmarks.audit.layout import by_name, layout_of, misfit

IMAGES = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)


def test_pixels_are_scaled_normalised_and_moved():
    nhwc = layout_of("m", "NHWC", "1/255", "0.5,0.25,0", "0.5,1,2").prepare(IMAGES)
    nchw = layout_of("m", "NCHW", "1/255", "0.5,0.25,0", "0.5,1,2").prepare(IMAGES)
    assert nhwc.dtype == nchw.dtype == np.float32
    np.testing.assert_allclose(nhwc[1, 2, 3], (IMAGES[1, 2, 3] / 255 - [0.5, 0.25, 0]) / [0.5, 1, 2], rtol=1e-6)
    np.testing.assert_array_equal(nchw, nhwc.transpose(0, 3, 1, 2))
    assert nchw.flags.c_contiguous


def test_grey_images_get_a_channel_and_as_is_changes_no_axis():
    assert layout_of("m", "NCHW", "1", "0", "2").prepare(IMAGES[..., 0]).shape == (2, 1, 4, 5)
    np.testing.assert_array_equal(
        layout_of("m", "as-is", "2", "1", "1").prepare(IMAGES), IMAGES.astype(np.float32) * 2 - 1
    )


def test_integers_that_nothing_is_done_to_stay_integers():
    assert layout_of("m", "as-is", "1", "0", "1").prepare(np.array([[3, 4]])).dtype == np.int64


@pytest.mark.parametrize("missing", range(4))
def test_each_part_must_be_stated(missing):
    stated = ["NHWC", "1/255", "0", "1"]
    stated[missing] = None
    with pytest.raises(AuditError, match=("--layout", "--scale", "--mean", "--std")[missing] + " not given"):
        layout_of("m", *stated)


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        (("HWC", "1", "0", "1"), "--layout HWC"),
        (("NHWC", "a", "0", "1"), "--scale a: give a number or a fraction"),
        (("NHWC", "1/0", "0", "1"), "--scale 1/0"),
        (("NHWC", "1,2", "0", "1"), "--scale 1,2"),
        (("NHWC", "1", "0", "0"), "greater than 0"),
        (("NHWC", "0", "0", "1"), "not be 0"),
    ],
)
def test_what_is_stated_wrongly_is_named(stated, says):
    with pytest.raises(AuditError, match=says):
        layout_of("m", *stated)


def test_examples_that_do_not_fit_are_refused():
    with pytest.raises(AuditError, match="2 values of --mean or --std for 3 channels"):
        layout_of("m", "NHWC", "1", "0,0", "1").prepare(IMAGES)
    with pytest.raises(AuditError, match="channels, last"):
        layout_of("m", "NHWC", "1", "0", "1").prepare(IMAGES.transpose(0, 3, 1, 2))
    with pytest.raises(AuditError, match="one number each"):
        layout_of("m", "as-is", "1", "0,0,0", "1").prepare(IMAGES)


def test_values_by_name():
    assert by_name("--layout", ["NHWC", "b=NCHW"], ["a", "b"]) == {"a": "NHWC", "b": "NCHW"}
    assert by_name("--mean", ["b=1"], ["a", "b"]) == {"b": "1"}
    for given, says in ((["x", "y"], "twice"), (["c=1"], "no model 'c'"), (["a=1", "a=2"], "twice for a")):
        with pytest.raises(AuditError, match=says):
            by_name("--mean", given, ["a", "b"])


@pytest.mark.parametrize(
    ("wanted", "given", "says"),
    [
        (["s0", 1, 8], (8, 8, 1), r"shape [s0, 1, 8], got [8, 8, 1]. Try --layout NHWC, NCHW or as-is"),
        ([1, 8, 8], (8, 8, 1), "Try --layout NCHW (of"),
        ([8, 8, 3], (3, 8, 8), "Try --layout NHWC (of"),
        ([3, 9, 9], (8, 8, 3), "Try --layout NHWC, NCHW or as-is (of"),
        ([64], (8, 8), "Try --layout NHWC, NCHW or as-is (of"),
    ],
)
def test_what_to_try_is_what_fits(wanted, given, says):
    text = str(misfit(Path("o.pt2"), wanted, given))
    assert says in text and "'" not in text
