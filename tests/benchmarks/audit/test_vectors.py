"""Dumped outputs, file by file or as a folder, and what is missing or doubled."""

import shutil

import numpy as np
import pytest

from compleak.benchmarks.audit import AuditError
from compleak.benchmarks.audit.names import checked_name, named_paths
from compleak.benchmarks.audit.vectors import paired_files, pairs_in, read_subject


def test_a_folder_holds_the_original_and_a_folder_for_each_compressed_model(dump, save_pair, tmp_path):
    save_pair(dump(n=20), tmp_path)
    save_pair(dump(n=20), tmp_path / "int8")
    (tmp_path / "notes, not a model").mkdir()
    pairs = pairs_in(tmp_path)
    assert list(pairs) == ["original", "int8"]
    found = read_subject(pairs, dict.fromkeys(pairs, "logits"))
    np.testing.assert_array_equal(found.logits["int8"], dump(n=20).logits)


def test_files_of_labels_serve_every_model(dump, tmp_path):
    made = dump(n=20)
    for name in ("members", "nonmembers"):
        np.save(tmp_path / f"{name}.npy", getattr(made, name)[0])
        np.save(tmp_path / f"{name}-labels.npy", getattr(made, name)[1])
    pairs = paired_files(
        *({"original": tmp_path / f"{n}.npy", "b": tmp_path / f"{n}.npy"} for n in ("members", "nonmembers"))
    )
    labels = (tmp_path / "members-labels.npy", tmp_path / "nonmembers-labels.npy")
    np.testing.assert_array_equal(read_subject(pairs, dict.fromkeys(pairs, "logits"), labels).labels, made.labels)
    with pytest.raises(AuditError, match="no labels"):
        read_subject(pairs, dict.fromkeys(pairs, "logits"))


def test_incomplete_folders_are_refused(dump, save_pair, tmp_path):
    with pytest.raises(AuditError, match="no folder"):
        pairs_in(tmp_path / "a")
    (tmp_path / "a").mkdir()
    with pytest.raises(AuditError, match="holds no outputs"):
        pairs_in(tmp_path / "a")
    save_pair(dump(n=20), tmp_path / "a")
    save_pair(dump(n=20), tmp_path / "a" / "original")
    with pytest.raises(AuditError, match="the original twice"):
        pairs_in(tmp_path / "a")
    shutil.rmtree(tmp_path / "a" / "original")
    (tmp_path / "a" / "members.csv").touch()
    with pytest.raises(AuditError, match=r"members\.npz and members\.csv"):
        pairs_in(tmp_path / "a")
    (tmp_path / "a" / "members.csv").unlink()
    (tmp_path / "a" / "nonmembers.npz").unlink()
    with pytest.raises(AuditError, match=r"members\.npz only"):
        pairs_in(tmp_path / "a")
    save_pair(dump(n=20), tmp_path / "b" / "a;b")
    with pytest.raises(AuditError, match="no name"):
        pairs_in(tmp_path / "b")


def test_both_groups_are_needed_for_each_model(tmp_path):
    with pytest.raises(AuditError, match=r"Only the members of b .* add --compressed-nonmembers b=FILE"):
        paired_files({"original": tmp_path, "b": tmp_path}, {"original": tmp_path})


def test_names_of_files():
    found = named_paths("--compressed", ["int8=x/a.tflite", "x/b.ptl", "./c=d/e.tflite"])
    assert {name: str(path) for name, path in found.items()} == {
        "int8": "x/a.tflite",
        "b": "x/b.ptl",
        "e": "c=d/e.tflite",
    }
    for given, says in (
        (["a/m.tflite", "b/m.tflite"], "both called m"),
        (["original.tflite"], "cannot be called 'original'"),
        (["my model.tflite"], "NAME=FILE"),
        (["a;b=m.tflite"], "no name"),
    ):
        with pytest.raises(AuditError, match=says):
            named_paths("--compressed", given)
    for name in ("", "a b", "a/b", "../a", "=x", "-x", "x" * 81):
        with pytest.raises(AuditError, match="no name"):
            checked_name(name)
