"""The fixed formulas, against numbers worked out by hand."""

import math

import numpy as np
import pytest

from compleak.benchmarks.audit.attacked import attack_by_formula
from compleak.benchmarks.audit.formulas import FORMULAS, held_by
from compleak.benchmarks.audit.subject import Subject

# Softmax of log p is p: original (.8, .2) and (.5, .5), compressed (.6, .4) and (.9, .1); both of class 0.
ORIGINAL = np.log([[0.8, 0.2], [0.5, 0.5]])
FIRST = np.log([[0.6, 0.4], [0.9, 0.1]])
SECOND = np.log([[0.5, 0.5], [0.75, 0.25]])
LABELS = np.zeros(2, dtype=np.int64)


@pytest.mark.parametrize(
    ("name", "held", "expected"),
    [
        ("audit-nr-loss", [ORIGINAL], [math.log(4), 0.0]),
        ("audit-nr-entropy", [ORIGINAL], [-math.log(0.5004024235), -math.log(math.log(2))]),
        # -(1 - .8) log .8 - .2 log(1 - .2) = .4 * .2231435513 and log 2
        ("audit-nr-modified-entropy", [ORIGINAL], [-math.log(0.0892574205), -math.log(math.log(2))]),
        ("audit-nr-correctness", [np.log([[0.8, 0.2], [0.1, 0.9]])], [1.0, 0.0]),
        ("audit-sr-corrected", [ORIGINAL, FIRST], [2 * math.log(4) - math.log(1.5), -math.log(9)]),
        (
            "audit-mr-corrected",
            [ORIGINAL, FIRST, SECOND],
            [2 * math.log(4) - math.log(1.5) / 2, -(math.log(9) + math.log(3)) / 2],
        ),
        ("audit-mr-no-original", [FIRST, SECOND], [math.log(1.5) / 2, (math.log(9) + math.log(3)) / 2]),
    ],
)
def test_scores_are_those_of_the_formula(name, held, expected):
    np.testing.assert_allclose(FORMULAS[name].score(np.stack(held), LABELS), expected, rtol=1e-7, atol=1e-12)


def test_thresholds_are_where_they_are_said_to_be():
    half = np.log([[0.5, 0.5]])
    for name in ("audit-nr-loss", "audit-nr-entropy", "audit-nr-modified-entropy"):
        score = FORMULAS[name].score(half[None], LABELS[:1])[0]
        assert score == pytest.approx(FORMULAS[name].threshold, abs=1e-12)


def subject_of(*variants):
    rng = np.random.default_rng(0)
    return Subject(
        {v: rng.normal(size=(40, 3)) for v in variants}, rng.integers(0, 3, 40), np.repeat([True, False], 20)
    )


def test_each_access_holds_what_there_is():
    full, compressed = subject_of("original", "a", "b"), subject_of("a", "b")
    assert list(held_by("one-model", full)) == [("original",), ("a",), ("b",)]
    assert list(held_by("original+compressed", full)) == [("original", "a"), ("original", "b")]
    assert list(held_by("multiple+original", full)) == [("original", "a", "b")]
    assert list(held_by("multiple", full)) == [("a", "b")]
    assert list(held_by("original+compressed", compressed)) == []
    assert list(held_by("multiple+original", compressed)) == []
    assert list(held_by("multiple", compressed)) == [("a", "b")]


def test_baselines_are_the_same_formula_on_the_original_alone():
    subject = subject_of("original", "a", "b")
    found = {(a.attack, a.variants): a for a in attack_by_formula(subject, {"a": "x/a", "b": "y/b"})}
    alone = found["audit-nr-loss", ("original",)]
    assert alone.baseline is None
    assert found["audit-nr-loss", ("a",)].baseline.sha256 == alone.scores.sha256
    assert found["audit-nr-loss", ("a",)].baseline_name == "audit-nr-loss on the original"
    for name, held, copies in (
        ("audit-sr-corrected", ("original", "a"), "original;copy-1"),
        ("audit-mr-corrected", ("original", "a", "b"), "original;copy-1;copy-2"),
        ("audit-mr-no-original", ("a", "b"), "copy-1;copy-2"),
    ):
        one = found[name, held]
        np.testing.assert_allclose(one.baseline.score, alone.scores.score, rtol=1e-12)
        assert (one.baseline.attack, one.baseline.variant) == (name, copies)
    assert found["audit-mr-no-original", ("a", "b")].scores.variant == "x/a;y/b"
    without = list(attack_by_formula(subject_of("a", "b"), {}))
    assert len(without) == 9
    assert all(a.baseline is None for a in without)


def test_the_corrected_formulas_are_the_loss_where_nothing_was_compressed():
    same = np.random.default_rng(1).normal(size=(1, 30, 4)).repeat(3, axis=0)
    labels = np.arange(30) % 4
    loss = FORMULAS["audit-nr-loss"].score(same, labels)
    for name in ("audit-sr-corrected", "audit-mr-corrected", "audit-mr-no-original"):
        np.testing.assert_allclose(FORMULAS[name].score(same, labels), loss, rtol=1e-12)
