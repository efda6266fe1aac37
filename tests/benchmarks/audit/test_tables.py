"""Reading dumped outputs: every format gives the same arrays, and what could be read in two ways is refused."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from compleak.benchmarks.audit import AuditError
from compleak.benchmarks.audit.tables import labels_of, read_labels, read_table

LOGITS = np.array([[1.5, -2.25, 0.125], [0.0, 3.0, -1e-3]])
LABELS = np.array([2, 0])


def as_npz(path):
    np.savez(path, logits=LOGITS, labels=LABELS)


def as_csv(path):
    pd.DataFrame(LOGITS, columns=["logit_0", "logit_1", "logit_2"]).assign(label=LABELS).to_csv(path, index=False)


def as_wide_parquet(path):
    pd.DataFrame(LOGITS, columns=["p1", "p2", "p3"]).assign(labels=LABELS).to_parquet(path)


def as_list_parquet(path):
    pq.write_table(pa.table({"label": LABELS, "outputs": pa.array(LOGITS.tolist())}), path)


def as_fixed_list_parquet(path):
    lists = pa.FixedSizeListArray.from_arrays(pa.array(LOGITS.ravel()), 3)
    pq.write_table(pa.table({"label": LABELS, "logits": lists}), path)


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (as_npz, "a.npz"),
        (as_csv, "a.csv"),
        (as_wide_parquet, "a.parquet"),
        (as_list_parquet, "a.parquet"),
        (as_fixed_list_parquet, "a.parquet"),
    ],
)
def test_every_format_gives_the_same_arrays(write, name, tmp_path):
    write(tmp_path / name)
    table = read_table(tmp_path / name, "logits")
    np.testing.assert_array_equal(table.outputs, LOGITS)
    np.testing.assert_array_equal(table.labels, LABELS)


def test_labels_in_a_file_of_their_own(tmp_path):
    np.save(tmp_path / "a.npy", LOGITS)
    np.save(tmp_path / "y.npy", LABELS.astype(np.float32))
    pd.DataFrame({"label": LABELS}).to_csv(tmp_path / "y.csv", index=False)
    for name in ("y.npy", "y.csv"):
        np.testing.assert_array_equal(read_table(tmp_path / "a.npy", "logits", tmp_path / name).labels, LABELS)
    assert read_table(tmp_path / "a.npy", "logits").labels is None


def test_an_only_array_may_have_any_name_and_one_of_two_is_chosen_by_what_it_is_said_to_be(tmp_path):
    np.savez(tmp_path / "one.npz", preds=LOGITS, label=LABELS)
    np.testing.assert_array_equal(read_table(tmp_path / "one.npz", "logits").outputs, LOGITS)
    np.savez(tmp_path / "two.npz", logits=LOGITS, probabilities=LOGITS * 0 + 1 / 3, label=LABELS)
    assert read_table(tmp_path / "two.npz", "probabilities").outputs[0, 0] == 1 / 3


def refused(arrays, says, tmp_path, kind="logits"):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(AuditError, match=says):
        read_table(tmp_path / "a.npz", kind)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"logits": np.full((2, 3), np.nan), "labels": LABELS}, "2 of 2 rows hold NaN.* row 0"),
        ({"logits": LOGITS.astype(np.int8), "labels": LABELS}, "Dequantize"),
        ({"logits": LOGITS[:, :, None, None], "labels": LABELS}, r"shape \[2, 3, 1, 1\]"),
        ({"logits": LOGITS[:0], "labels": LABELS[:0]}, r"shape \[0, 3\]"),
        ({"logits": LOGITS, "labels": np.eye(3)[LABELS]}, "argmax"),
        ({"logits": LOGITS, "labels": LABELS + 0.5}, "whole numbers"),
        ({"logits": LOGITS, "labels": LABELS - 1}, "whole numbers"),
        ({"logits": LOGITS, "labels": np.array(["a", "b"])}, "class numbers"),
        ({"logits": LOGITS, "labels": LABELS[:1]}, "1 labels for 2 rows"),
        ({"logits": LOGITS, "label": LABELS, "labels": LABELS}, "holds logits, label, labels"),
        ({"a": LOGITS, "b": LOGITS, "labels": LABELS}, "holds a, b, labels"),
        ({"probabilities": LOGITS, "labels": LABELS}, "calls its outputs 'probabilities'"),
        ({"logits": np.array([None, "x"], dtype=object), "labels": LABELS}, "not a readable .npz"),
    ],
)
def test_what_cannot_be_read_in_one_way_only_is_refused(arrays, says, tmp_path):
    refused(arrays, says, tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0.5,1.5,2\n0.25,3.5,1\n", "first line is numbers"),
        ("id,logit_0,logit_1,label\n7,1,2,0\n", "drop the rest"),
        ("logit_0,logit_2,label\n1.0,2.0,0\n", "in their order"),
        ("logit_0,logit_1,label\n1.0,x,0\n", "not floating point"),
        ("logit_0,logit_1,label\n1.0,,0\n", "NaN"),
        ("", "is empty"),
        ("a,b\n1,2\n1,2,3\n", "not a readable .csv .*Expected 2 fields"),
    ],
)
def test_csv_without_plain_named_columns_is_refused(text, says, tmp_path):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(AuditError, match=says):
        read_table(tmp_path / "a.csv", "logits")


def test_labels_twice_or_in_a_crowd_are_refused(tmp_path):
    as_npz(tmp_path / "a.npz")
    np.save(tmp_path / "y.npy", LABELS)
    with pytest.raises(AuditError, match="Give one of them"):
        read_table(tmp_path / "a.npz", "logits", tmp_path / "y.npy")
    pd.DataFrame({"a": LABELS, "b": LABELS}).to_csv(tmp_path / "y.csv", index=False)
    with pytest.raises(AuditError, match="holds a, b"):
        read_labels(tmp_path / "y.csv")


def test_ragged_lists_and_empty_cells_are_refused(tmp_path):
    pq.write_table(pa.table({"label": [0, 1], "logits": [[1.0, 2.0], [1.0]]}), tmp_path / "a.parquet")
    with pytest.raises(AuditError, match="differ in length"):
        read_table(tmp_path / "a.parquet", "logits")
    pq.write_table(pa.table({"label": [0, None], "logits": [[1.0], [1.0]]}), tmp_path / "a.parquet")
    with pytest.raises(AuditError, match="empty cells"):
        read_table(tmp_path / "a.parquet", "logits")


def test_other_and_missing_files_are_named(tmp_path):
    with pytest.raises(AuditError, match=r"none of \.npz, \.npy"):
        read_table(tmp_path / "a.pkl", "logits")
    with pytest.raises(AuditError, match="no file"):
        read_table(tmp_path / "a.npz", "logits")
    with pytest.raises(AuditError, match="one-hot"):
        labels_of(np.eye(3), "here")


def valid(suffix):
    buffer = io.BytesIO()
    if suffix == ".npz":
        np.savez(buffer, logits=LOGITS, labels=LABELS)
    elif suffix == ".npy":
        np.save(buffer, LOGITS)
    elif suffix == ".csv":
        pd.DataFrame(LOGITS, columns=["z0", "z1", "z2"]).to_csv(buffer, index=False)
    else:
        pd.DataFrame(LOGITS, columns=["z0", "z1", "z2"]).to_parquet(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".csv", ".parquet"])
def test_a_damaged_file_is_read_or_refused_and_never_anything_else(suffix, tmp_path):
    """Cut short, with bytes changed, or replaced by noise: an ``AuditError`` or finite numbers."""
    rng = np.random.default_rng(0)
    content, path = valid(suffix), tmp_path / f"a{suffix}"
    refusals = 0
    for trial in range(120):
        damaged = bytearray(content if trial % 3 else rng.bytes(int(rng.integers(0, 200))))
        if trial % 3 == 1:
            damaged = damaged[: int(rng.integers(0, len(damaged)))]
        if trial % 3 == 2:
            for place in rng.integers(0, len(damaged), 4):
                damaged[place] = int(rng.integers(0, 256))
        path.write_bytes(damaged)
        try:
            assert np.isfinite(read_table(path, "logits").outputs).all()
        except AuditError:
            refusals += 1
    assert refusals > 60
