"""Reading examples: npz files and folders of images, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from compleak.benchmarks.audit import AuditError
from compleak.benchmarks.audit.examples import read_examples, read_groups


def save_images(folder, names, count=2, size=(5, 4), mode="L"):
    for value, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            Image.new(mode, size, 10 * value + i if mode == "L" else (value, i, 7)).save(folder / name / f"{i}.png")
    return folder


def test_folders_are_classes_in_alphabetical_order(tmp_path):
    found = read_examples(save_images(tmp_path, ["cat", "ant"]))
    assert found.classes == ("ant", "cat")
    np.testing.assert_array_equal(found.labels, [0, 0, 1, 1])
    np.testing.assert_array_equal(found.inputs[:, 0, 0, 0], [10, 11, 0, 1])
    assert found.inputs.shape == (4, 4, 5, 1)


def test_folders_named_by_numbers_are_those_classes(tmp_path):
    found = read_examples(save_images(tmp_path, ["10", "2"], mode="RGB"))
    np.testing.assert_array_equal(found.labels, [10, 10, 2, 2])
    assert found.classes == ()
    assert found.inputs.shape == (4, 4, 5, 3)


def test_npz_is_read_as_it_is(tmp_path):
    inputs = np.random.default_rng(0).normal(size=(3, 7)).astype(np.float32)
    np.savez(tmp_path / "a.npz", x=inputs, labels=[1, 0, 2], other=[1])
    found = read_examples(tmp_path / "a.npz")
    np.testing.assert_array_equal(found.inputs, inputs)
    np.testing.assert_array_equal(found.labels, [1, 0, 2])


def test_groups_must_number_the_classes_alike(tmp_path):
    save_images(tmp_path / "m", ["ant", "cat"])
    save_images(tmp_path / "n", ["ant", "dog"])
    with pytest.raises(AuditError, match=r"ant, cat.* ant, dog"):
        read_groups(tmp_path / "m", tmp_path / "n")
    save_images(tmp_path / "o", ["ant", "cat"], size=(6, 4))
    with pytest.raises(AuditError, match="Prepare both in the same way"):
        read_groups(tmp_path / "m", tmp_path / "o")


def test_what_is_not_in_the_layout_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "no-images" / "a").mkdir(parents=True)
    save_images(tmp_path / "sizes", ["a"])
    Image.new("L", (9, 9)).save(tmp_path / "sizes" / "a" / "z.png")
    save_images(tmp_path / "modes", ["a"], mode="RGB")
    Image.new("RGBA", (5, 4)).save(tmp_path / "modes" / "a" / "z.png")
    save_images(tmp_path / "broken", ["a"])
    (tmp_path / "broken" / "a" / "z.png").write_bytes(b"no image")
    np.savez(tmp_path / "a.npz", images=np.zeros((2, 3, 3)), labels=[0])
    np.savez(tmp_path / "b.npz", pictures=np.zeros((2, 3, 3)), labels=[0, 1])
    np.savez(tmp_path / "c.npz", x=np.full((2, 3), np.inf), labels=[0, 1])
    (tmp_path / "d.npz").write_bytes(b"PK")
    for name, says in {
        "empty": "no folders",
        "no-images": "no images",
        "sizes": "differ in shape",
        "modes": "mode is RGBA",
        "broken": "not a readable image",
        "a.npz": "for 1 labels",
        "b.npz": "holds pictures, labels",
        "c.npz": "infinite",
        "d.npz": "is no .npz file",
        "e.npz": "no file",
        "e.csv": "neither a folder",
    }.items():
        with pytest.raises(AuditError, match=says):
            read_examples(tmp_path / name)
