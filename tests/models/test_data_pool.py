"""One pool: duplicates, canonical order, content hash, and the file it is kept in."""

import hashlib
import json
import struct

import numpy as np
import pytest

from compleak.models.data.pool import (
    DataError,
    Examples,
    build_pool,
    checked,
    content_sha256,
    read_notes,
    read_pool,
    save_pool,
)


def pictures(*shades: int) -> np.ndarray:
    """One 2x2 grey image of each shade."""
    return np.repeat(np.array(shades, np.uint8), 4).reshape(-1, 2, 2, 1)


def pool_of(shades, labels):
    return build_pool(Examples(pictures(*shades), np.array(labels, np.int64), "v1"), "mine", "dir")


def random_examples(n: int, seed: int) -> Examples:
    rng = np.random.default_rng(seed)
    return Examples(rng.integers(0, 256, (n, 4, 3, 3), dtype=np.uint8), rng.integers(0, 5, n), "v1")


def test_one_of_equal_images_is_kept_and_none_where_their_labels_disagree():
    pool = pool_of([10, 20, 10, 20, 30, 40, 20], [1, 2, 1, 3, 0, 0, 2])
    kept = dict(zip(pool.inputs[:, 0, 0, 0].tolist(), pool.labels.tolist(), strict=True))
    assert kept == {10: 1, 30: 0, 40: 0}
    assert pool.duplicates_dropped == 4
    assert pool.ids.tolist() == [0, 1, 2]


def test_ids_follow_the_sha256_of_the_pixels():
    examples = random_examples(50, seed=1)
    pool = build_pool(examples, "mine", "dir")
    by_digest = sorted(range(50), key=lambda i: hashlib.sha256(examples.inputs[i].tobytes()).digest())
    assert np.array_equal(pool.inputs, examples.inputs[by_digest])
    assert np.array_equal(pool.labels, examples.labels[by_digest])


@pytest.mark.parametrize(("shades", "labels"), [([1, 2], [3, 3]), ([1, 1], [0, 1]), ([1, 1, 2], [0, 1, 1])])
def test_fewer_than_two_classes_are_no_task(shades, labels):
    with pytest.raises(DataError, match="at least two classes"):
        pool_of(shades, labels)


@pytest.mark.parametrize("seed", range(5))
def test_row_order_and_repetition_change_nothing_but_the_count(seed):
    examples = random_examples(40, seed=2)
    rows = np.random.default_rng(seed).permutation(np.r_[0:40, 3:9])
    pool = build_pool(examples, "mine", "dir")
    other = build_pool(Examples(examples.inputs[rows], examples.labels[rows], "v2"), "theirs", "hub")
    assert other.sha256 == pool.sha256
    assert np.array_equal(other.inputs, pool.inputs)
    assert np.array_equal(other.labels, pool.labels)
    assert (pool.duplicates_dropped, other.duplicates_dropped) == (0, 6)


def test_content_hash_is_the_documented_one():
    images, labels = pictures(7, 200), np.array([4, 258], np.int64)
    expected = hashlib.sha256(
        b'["compleak-pool-1", 2, 2, 2, 1]' + bytes([7] * 4 + [200] * 4) + struct.pack("<2q", 4, 258)
    )
    assert content_sha256(images, labels) == expected.hexdigest()


def test_content_hash_sees_labels_and_shape():
    images, labels = pictures(1, 2), np.array([0, 1], np.int64)
    hashes = {
        content_sha256(images, labels),
        content_sha256(images, labels[::-1]),
        content_sha256(images.reshape(2, 4, 1, 1), labels),
    }
    assert len(hashes) == 3


def test_saved_pool_comes_back_whole_and_read_only(tmp_path):
    pool = build_pool(random_examples(30, seed=3), "mine", "hub")
    file = tmp_path / "a" / "pool.safetensors"
    save_pool(pool, file)
    again = read_pool(file)
    assert again is not None
    assert np.array_equal(again.inputs, pool.inputs)
    assert np.array_equal(again.labels, pool.labels)
    facts = ("name", "source", "version", "sha256", "duplicates_dropped")
    assert [getattr(again, f) for f in facts] == [getattr(pool, f) for f in facts]
    assert [p.name for p in file.parent.iterdir()] == ["pool.safetensors"]
    for array in (pool.inputs, pool.labels, again.inputs, again.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize("damage", ["missing", "cut", "pixel", "empty", "foreign"])
def test_a_damaged_pool_is_no_pool(tmp_path, damage):
    file = tmp_path / "pool.safetensors"
    save_pool(build_pool(random_examples(30, seed=4), "mine", "dir"), file)
    content = bytearray(file.read_bytes())
    if damage == "missing":
        file.unlink()
    elif damage == "pixel":
        content[-1] ^= 1
        file.write_bytes(content)
        assert read_notes(file) is not None
    elif damage == "foreign":
        header = json.dumps({"weights": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}).encode()
        file.write_bytes(struct.pack("<Q", len(header)) + header + b"\0")
    else:
        file.write_bytes(content[: len(content) // 2 if damage == "cut" else 0])
    assert read_pool(file) is None


GREY, TWO = np.zeros((2, 2, 2), np.uint8), np.array([0, 1])


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ([], "no example"),
        ([(GREY[:0], TWO[:0])], "no example"),
        ([(GREY / 255, TWO)], "float64; give uint8"),
        ([(GREY.astype(np.int32), TWO)], "int32; give uint8"),
        ([(GREY[0], TWO)], "shape"),
        ([(np.zeros((2, 3, 8, 8), np.uint8), TWO)], "channels, last"),
        ([(GREY, TWO / 1.0)], "labels are float64"),
        ([(GREY, np.array(["cat", "dog"], object))], "labels are object"),
        ([(GREY, np.array([True, False]))], "labels are bool"),
        ([(GREY, np.array([0, 1, 2]))], "2 images but labels of the shape"),
        ([(GREY, np.eye(2, dtype=int))], "2 images but labels of the shape"),
        ([(GREY, np.array([-1, 1]))], "labels run from -1"),
        ([(GREY, np.array([0, 10**9]))], "labels run from 0 to 1000000000"),
        ([(np.zeros((2, 0, 4), np.uint8), TWO)], "shape"),
        ([(GREY, TWO), (np.zeros((2, 2, 3), np.uint8), TWO)], "differ in shape"),
    ],
)
def test_what_is_no_data_set_is_refused_with_the_reason(parts, complaint):
    with pytest.raises(DataError, match=complaint) as raised:
        checked(parts, "v1", "here")
    assert str(raised.value).startswith("here: ")


def test_splits_are_joined_and_grey_images_get_their_channel():
    examples = checked([(GREY, TWO[:, None]), (pictures(5, 6, 7), np.array([2, 0, 1], np.uint8))], "v1", "here")
    assert examples.inputs.shape == (5, 2, 2, 1)
    assert examples.labels.tolist() == [0, 1, 2, 0, 1]
    assert examples.labels.dtype == np.int64
