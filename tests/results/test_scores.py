"""Kept scores: they come back exactly, the same content is the same bytes, and nothing unsound is read."""

import hashlib
import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from compleak.results.metrics import ScoreError, auc
from compleak.results.scores import (
    Scores,
    paired,
    read_pack,
    read_scores,
    write_atomically,
    write_pack,
    write_scores,
)

NAMES = {"target": "target-0", "variant": "tflite/clustering-k16", "attack": "compleak-nr-loss"}


def some_scores(n=50, seed=0, **changes):
    rng = np.random.default_rng(seed)
    values = {
        "example": rng.permutation(10 * n)[:n],
        "member": np.arange(n) % 2 == 0,
        "score": rng.normal(size=n),
        "threshold": 0.25,
    }
    return Scores.of(**(values | NAMES | changes))


@given(
    score=arrays(np.float64, 8, elements=st.floats(allow_nan=False, allow_infinity=False)),
    example=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=8, max_size=8, unique=True),
    threshold=st.floats(allow_nan=False),
    target=st.text(min_size=1).filter(lambda t: t.isprintable()),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_scores_come_back_exactly(tmp_path, score, example, threshold, target):
    member = np.arange(8) < 3
    before = some_scores(example=np.asarray(example), score=score, member=member, threshold=threshold, target=target)
    write_scores(before, tmp_path / "scores.parquet")
    after = read_scores(tmp_path / "scores.parquet")
    assert after.score.tobytes() == before.score.tobytes()
    np.testing.assert_array_equal(after.example, np.sort(example))
    np.testing.assert_array_equal(after.member, member[np.argsort(example)])
    assert (after.target, after.threshold, after.sha256) == (target, threshold, before.sha256)


def test_any_order_of_the_examples_makes_the_same_bytes(tmp_path):
    first = some_scores()
    order = np.random.default_rng(1).permutation(50)
    second = some_scores(example=first.example[order], member=first.member[order], score=first.score[order])
    write_scores(first, tmp_path / "a" / "first.parquet")
    write_scores(second, tmp_path / "b" / "second.parquet")
    assert (tmp_path / "a" / "first.parquet").read_bytes() == (tmp_path / "b" / "second.parquet").read_bytes()


@pytest.mark.parametrize(
    "change",
    [{"threshold": 0.26}, {"attack": "x"}, {"target": "x"}, {"variant": "x"}, {"member": np.arange(50) % 2 == 1}],
)
def test_the_hash_tells_every_difference(change):
    assert some_scores(**change).sha256 != some_scores().sha256
    assert some_scores(seed=1).sha256 != some_scores().sha256


def test_the_hash_is_what_its_documentation_says():
    scores = some_scores(example=np.arange(50))
    metadata = json.dumps({"format": 1, "threshold": 0.25, **NAMES}, sort_keys=True).encode()
    columns = np.arange(50, dtype="<i8").tobytes() + scores.member.tobytes() + scores.score.astype("<f8").tobytes()
    assert scores.sha256 == hashlib.sha256(metadata + b"\0" + columns).hexdigest()


def test_another_reader_finds_plain_columns(tmp_path):
    write_scores(some_scores(), tmp_path / "s.parquet")
    table = pq.read_table(tmp_path / "s.parquet")
    assert table.schema.names == ["example", "member", "score"]
    assert table.schema.types == [pa.int64(), pa.bool_(), pa.float64()]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"example": np.zeros(50, dtype=np.int64)}, "unique"),
        ({"example": np.arange(50.0)}, "integers"),
        ({"example": np.arange(49)}, "integers"),
        ({"score": np.full(50, np.nan)}, "not finite"),
        ({"threshold": float("nan")}, "NaN"),
        ({"attack": ""}, "attack"),
        ({"member": np.ones(50, dtype=bool)}, "non-members"),
    ],
)
def test_unsound_scores_are_refused(change, words):
    with pytest.raises(ScoreError, match=words):
        some_scores(**change)


def test_a_damaged_file_is_an_error_never_other_scores(tmp_path):
    path = tmp_path / "s.parquet"
    write_scores(some_scores(), path)
    whole, before = path.read_bytes(), some_scores().sha256
    for cut in range(0, len(whole), 97):
        path.write_bytes(whole[:cut])
        with pytest.raises(ScoreError, match=r"s\.parquet"):
            read_scores(path)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            after = read_scores(path)
        except ScoreError:
            refused += 1
        else:
            # What still reads has the same columns (pages carry checksums), or the hash tells.
            assert after.sha256 != before or after.score.tobytes() == some_scores().score.tobytes()
    assert refused > 100


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        b"",
        b"null",
        b"[]",
        b"{}",
        b"not json",
        b'{"format": 1}',
        b'{"format": 2}',
        b"\xff",
        b"[" * 100_000,
        b'{"format": 1, "target": 3, "variant": "v", "attack": "a", "threshold": 0}',
    ],
)
def test_other_parquet_files_are_refused(tmp_path, metadata):
    columns = {"example": [1, 2], "member": [True, False], "score": [0.1, 0.2]}
    fields = [pa.field(n, pa.array(v).type, nullable=False) for n, v in columns.items()]
    schema = pa.schema(fields, metadata=None if metadata is None else {b"compleak.scores": metadata})
    pq.write_table(pa.table(columns, schema=schema), tmp_path / "s.parquet")
    with pytest.raises(ScoreError, match=r"s\.parquet"):
        read_scores(tmp_path / "s.parquet")


def test_other_columns_are_refused(tmp_path):
    pq.write_table(pa.table({"example": [1, 2], "score": [0.1, 0.2]}), tmp_path / "s.parquet")
    with pytest.raises(ScoreError, match="must hold the columns"):
        read_scores(tmp_path / "s.parquet")
    with pytest.raises(FileNotFoundError):
        read_scores(tmp_path / "none.parquet")


def test_pairs_need_the_same_examples_and_membership():
    first, second = some_scores(), some_scores(score=np.arange(50.0), variant="original")
    baseline, scores, member, refits = paired(second, first)
    np.testing.assert_array_equal(baseline, second.score)
    np.testing.assert_array_equal(scores, first.score)
    np.testing.assert_array_equal(member, first.member)
    assert refits == ()
    with pytest.raises(ScoreError, match="different examples"):
        paired(first, some_scores(seed=1))
    with pytest.raises(ScoreError, match="different examples"):
        paired(first, some_scores(member=np.arange(50) % 2 == 1))


def test_refits_are_kept_hashed_and_paired(tmp_path):
    plain, fitted = some_scores(), some_scores(refits=[[0.5, 0.75]])
    assert plain.sha256 != fitted.sha256
    write_scores(fitted, tmp_path / "a.parquet")
    write_pack([plain, fitted], tmp_path / "pack.parquet")
    assert read_scores(tmp_path / "a.parquet").refits == ((0.5, 0.75),)
    assert {s.sha256 for s in read_pack(tmp_path / "pack.parquet")} == {plain.sha256, fitted.sha256}
    assert paired(some_scores(refits=[[0.25, 1.0]]), fitted).refits == ((0.25, -0.25),)
    assert paired(plain, fitted).refits == paired(some_scores(refits=[[0.5] * 3]), fitted).refits == ()
    for wrong in ([[0.5, 1.5]], [[0.5]]):
        with pytest.raises(ScoreError, match="refits must be AUCs"):
            some_scores(refits=wrong)


def test_beside_refits_another_attack_that_was_not_fitted_stays_as_it_is():
    plain, fitted = some_scores(attack="lm-loss"), some_scores(refits=[[0.5, 0.75]])
    alone = auc(plain.score, plain.member)
    assert paired(plain, fitted).refits == ((0.5 - alone, 0.75 - alone),)
    assert paired(fitted, plain).refits == ((alone - 0.5, alone - 0.75),)


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "f"
    write_atomically(path, b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
