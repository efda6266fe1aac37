"""Every query is counted for its example, and no answer is taken on trust."""

import numpy as np
import pytest

from compleak.attacks.encoder.access import CountedEncoder, EncoderError
from compleak.attacks.encoder.crops import CropRecipe
from compleak.attacks.encoder.partcrop import query_partcrop


def test_queries_of_an_example(encoder, images):
    counted = CountedEncoder(encoder)
    ids = np.array([4, 9])
    counted.embed(images(6), np.repeat(ids, 3))
    counted.feature_map(images(2), ids)
    assert counted.per_example == 3 + 1


def test_partcrop_asks_one_and_m(encoder, images):
    counted = CountedEncoder(encoder)
    query_partcrop(counted, images(5), np.arange(5), CropRecipe(size=8, count=128))
    assert counted.per_example == 129


def test_uneven_queries_have_no_number(encoder, images):
    counted = CountedEncoder(encoder)
    with pytest.raises(EncoderError, match="0 examples had none"):
        _ = counted.per_example
    counted.embed(images(3), np.array([1, 1, 2]))
    with pytest.raises(EncoderError, match=r"2 examples had \[1, 2\]"):
        _ = counted.per_example


def test_answers_are_those_of_the_encoder(encoder, images):
    counted, ids = CountedEncoder(encoder), np.arange(3)
    np.testing.assert_array_equal(counted.embed(images(3), ids), encoder.embed(images(3)))
    np.testing.assert_array_equal(counted.feature_map(images(3), ids), encoder.feature_map(images(3)))


def test_an_encoder_without_a_feature_map(encoder, images):
    class VectorsOnly:
        embed = encoder.embed

        def feature_map(self, images):
            raise NotImplementedError

    counted = CountedEncoder(VectorsOnly())
    with pytest.raises(EncoderError, match=r"gives out no feature map.*EncoderMI or LpLA"):
        query_partcrop(counted, images(2), np.arange(2), CropRecipe(size=8, count=2))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.zeros((3, 4, 5)), r"shape \[3, 4, 5\], expected \[3, 'any'\]"),
        (np.zeros((2, 4)), r"shape \[2, 4\]"),
        (np.full((3, 4), np.nan), "not finite"),
    ],
)
def test_an_answer_that_does_not_fit(answer, message, images):
    class Wrong:
        def embed(self, images):
            return answer

        def feature_map(self, images):
            return answer

    with pytest.raises(EncoderError, match=message):
        CountedEncoder(Wrong()).embed(images(3), np.arange(3))


def test_an_id_too_few(encoder, images):
    with pytest.raises(EncoderError, match="3 images and 2 ids"):
        CountedEncoder(encoder).embed(images(3), np.arange(2))
