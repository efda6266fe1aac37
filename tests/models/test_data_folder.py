"""The user's own data: npz files and parquet folders, good ones and bad ones."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from compleak.models.data import DataConfig, DataError, class_count, folder, load_pool, normalization

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (24, 8, 6, 3), dtype=np.uint8)
LABELS = RNG.permutation(np.arange(24) % 4)


def png(image: np.ndarray, mode: str | None = None) -> bytes:
    stream = io.BytesIO()
    picture = Image.fromarray(image.squeeze())
    (picture.convert(mode) if mode else picture).save(stream, "PNG")
    return stream.getvalue()


def write_parquet(path, images, labels, image="img", label="label", **more):
    cells = [{"bytes": x if isinstance(x, bytes | None) else png(x), "path": "x.png"} for x in images]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({image: pa.array(cells, kind), label: pa.array(labels), **more}), path)
    return path


def mine(path, cache, name="mine"):
    return load_pool(DataConfig(name=name, source="dir", path=path), cache)


def test_npz_and_parquet_in_another_order_are_the_same_pool(tmp_path):
    np.savez(tmp_path / "data.npz", images=IMAGES, labels=LABELS)
    rows = np.random.default_rng(1).permutation(24)
    write_parquet(tmp_path / "hf/data/train-00000-of-00001.parquet", IMAGES[rows[:15]], LABELS[rows[:15]])
    write_parquet(tmp_path / "hf/data/test-00000-of-00001.parquet", IMAGES[rows[15:]], LABELS[rows[15:]])
    one, other = mine(tmp_path / "data.npz", tmp_path / "c"), mine(tmp_path / "hf", tmp_path / "c")
    assert one.sha256 == other.sha256
    assert np.array_equal(one.inputs, other.inputs)
    assert np.array_equal(one.labels, other.labels)
    assert (one.version, other.version) == ("npz", "parquet")
    assert len(one.ids) == 24
    assert sorted(map(bytes, one.inputs)) == sorted(map(bytes, IMAGES))


def test_npz_splits_are_joined(tmp_path):
    arrays = {"train_images": IMAGES[:9], "val_images": IMAGES[9:14], "test_images": IMAGES[14:]}
    arrays |= {"train_labels": LABELS[:9, None], "val_labels": LABELS[9:14], "test_labels": LABELS[14:]}
    np.savez_compressed(tmp_path / "splits.npz", **arrays, notes=np.array("made by hand"))
    np.savez(tmp_path / "whole.npz", images=IMAGES, labels=LABELS)
    assert mine(tmp_path / "splits.npz", tmp_path).sha256 == mine(tmp_path / "whole.npz", tmp_path).sha256


def test_grey_parquet_gets_one_channel(tmp_path):
    write_parquet(tmp_path / "d/a.parquet", IMAGES[..., :1], LABELS, image="image")
    pool = mine(tmp_path / "d", tmp_path / "c")
    assert pool.inputs.shape == (24, 8, 6, 1)
    assert sorted(map(bytes, pool.inputs)) == sorted(map(bytes, IMAGES[..., :1]))
    assert normalization(pool).mean == (0.5,)


def test_unknown_data_is_normalised_to_minus_one_to_one(tmp_path):
    np.savez(tmp_path / "d.npz", images=IMAGES, labels=LABELS)
    pool = mine(tmp_path / "d.npz", tmp_path)
    extremes = normalization(pool)(np.array([0, 255], np.uint8).repeat(3).reshape(2, 1, 1, 3))
    assert np.allclose(extremes.reshape(2, 3), [[-1] * 3, [1] * 3])
    assert class_count(pool) == 4


def test_fine_labels_are_read_where_there_are_coarse_ones_too(tmp_path):
    small = np.tile(IMAGES[:, :4, :4], (1, 8, 8, 1))
    fine = np.arange(24) * 4
    write_parquet(tmp_path / "d/a.parquet", small, fine, label="fine_label", coarse_label=pa.array(fine // 20))
    for name in ("cifar100", "mine"):
        pool = mine(tmp_path / "d", tmp_path / "c", name)
        assert sorted(pool.labels.tolist()) == fine.tolist()
    assert class_count(mine(tmp_path / "d", tmp_path / "c", "cifar100")) == 100


def test_a_known_name_refuses_other_data(tmp_path):
    np.savez(tmp_path / "d.npz", images=IMAGES, labels=LABELS)
    with pytest.raises(DataError, match=r"not CIFAR-10 .*\[32, 32, 3\].*\[8, 6, 3\].*a name of your own"):
        mine(tmp_path / "d.npz", tmp_path, "cifar10")
    np.savez(tmp_path / "e.npz", images=np.tile(IMAGES[:, :4, :4], (1, 8, 8, 1)), labels=LABELS + 7)
    with pytest.raises(DataError, match="labels up to 10"):
        mine(tmp_path / "e.npz", tmp_path, "cifar10")


def test_hidden_folders_are_not_data(tmp_path):
    write_parquet(tmp_path / "d/a.parquet", IMAGES[:12], LABELS[:12])
    write_parquet(tmp_path / "d/.cache/b.parquet", IMAGES[12:], LABELS[12:])
    assert len(mine(tmp_path / "d", tmp_path / "c").labels) == 12


def test_second_load_reads_the_cache_and_changed_files_do_not(tmp_path, monkeypatch):
    path = tmp_path / "d.npz"
    np.savez(path, images=IMAGES, labels=LABELS)
    first = mine(path, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(folder, "load", lambda *_: pytest.fail("read the files again"))
        path = path.rename(tmp_path / "renamed.npz")
        again = mine(path, tmp_path, "renamed")
    assert (again.sha256, again.name) == (first.sha256, "renamed")
    np.savez(path, images=IMAGES[:20], labels=LABELS[:20])
    assert len(mine(path, tmp_path).labels) == 20


def test_a_broken_cached_pool_is_built_again(tmp_path):
    np.savez(tmp_path / "d.npz", images=IMAGES, labels=LABELS)
    first = mine(tmp_path / "d.npz", tmp_path)
    (file,) = (tmp_path / "pools").iterdir()
    file.write_bytes(file.read_bytes()[:-5])
    assert mine(tmp_path / "d.npz", tmp_path).sha256 == first.sha256


def test_objects_in_an_npz_are_not_unpickled(tmp_path):
    np.savez(tmp_path / "d.npz", images=IMAGES, labels=np.array([print] * 24, object))
    with pytest.raises(DataError, match=r"not a readable npz file of plain arrays.*allow_pickle=False"):
        mine(tmp_path / "d.npz", tmp_path)


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"x_train": IMAGES, "y_train": LABELS}, "has x_train, y_train in it"),
        ({}, "has nothing in it"),
        ({"images": IMAGES}, "no array 'labels', found images"),
        ({"train_images": IMAGES, "train_labels": LABELS, "test_labels": LABELS}, "no array 'test_images'"),
        ({"images": IMAGES / 255, "labels": LABELS}, "images are float64"),
        ({"images": IMAGES, "labels": LABELS - 1}, "labels run from -1"),
    ],
)
def test_an_npz_of_another_layout_is_refused(tmp_path, arrays, complaint):
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(DataError, match=complaint):
        mine(tmp_path / "d.npz", tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"\x93NUMPY", b"hello"])
def test_garbage_is_not_an_npz(tmp_path, content):
    (tmp_path / "d.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"d\.npz is not a readable npz"):
        mine(tmp_path / "d.npz", tmp_path)


def test_an_array_file_named_npz_is_refused(tmp_path):
    with (tmp_path / "d.npz").open("wb") as stream:
        np.save(stream, IMAGES)
    with pytest.raises(DataError, match="not a readable npz"):
        mine(tmp_path / "d.npz", tmp_path)


def test_paths_without_data(tmp_path):
    with pytest.raises(DataError, match=r"nowhere does not exist.*npz file.*folder of parquet"):
        mine(tmp_path / "nowhere", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no parquet file in it"):
        mine(tmp_path / "empty", tmp_path)
    (tmp_path / "data.csv").write_text("1,2")
    with pytest.raises(DataError, match=r"neither an \.npz nor a \.parquet"):
        mine(tmp_path / "data.csv", tmp_path)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"image": "picture"}, "no image column; looked for image or img, found picture, label"),
        ({"label": "target"}, "no label column; looked for label or fine_label, found img, target"),
        ({"labels": ["cat"] * 24}, "labels are object"),
        ({"labels": [None, *LABELS[1:].tolist()]}, "1 empty cells in the column label"),
        ({"images": [*IMAGES[:5], None, *IMAGES[6:]]}, "row 5 .*no image bytes"),
        ({"images": [*IMAGES[:5], b"no png", *IMAGES[6:]]}, "row 5 .*cannot decode"),
        ({"images": [*IMAGES[:5], png(IMAGES[5])[:-30], *IMAGES[6:]]}, "row 5 .*cannot decode"),
        ({"images": [png(x, "RGBA") for x in IMAGES]}, "mode is RGBA"),
        ({"images": [*IMAGES[:23], IMAGES[23, :4]]}, r"row 23 has \(4, 6, 3\)"),
        ({"images": [*IMAGES[:23], IMAGES[23, :, :, 0]]}, r"row 23 has \(8, 6, 1\)"),
    ],
)
def test_a_parquet_of_another_layout_is_refused(tmp_path, options, complaint):
    write_parquet(tmp_path / "d/a.parquet", **{"images": IMAGES, "labels": LABELS, **options})
    with pytest.raises(DataError, match=complaint):
        mine(tmp_path / "d", tmp_path / "c")


def test_images_that_are_not_structs_and_broken_parquet_are_refused(tmp_path):
    (tmp_path / "d").mkdir()
    pq.write_table(pa.table({"img": [1, 2], "label": [0, 1]}), tmp_path / "d/a.parquet")
    with pytest.raises(DataError, match=r"row 0 .*must be a struct"):
        mine(tmp_path / "d", tmp_path / "c")
    (tmp_path / "d/a.parquet").write_bytes(b"PAR1 not really PAR1")
    with pytest.raises(DataError, match=r"a\.parquet is not a readable parquet"):
        mine(tmp_path / "d", tmp_path / "c")


def test_an_unwritable_cache_says_what_to_do(tmp_path):
    np.savez(tmp_path / "d.npz", images=IMAGES, labels=LABELS)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="Set COMPLEAK_CACHE"):
        mine(tmp_path / "d.npz", tmp_path / "file")
