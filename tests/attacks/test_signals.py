"""Signals against closed forms, worked fixtures, and 60-digit arithmetic."""

from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose

from compleak.attacks import signals

LOGITS = np.array([[2.0, 0, -1], [0.5, 1.5, 0], [-3, 4, 40]])
LABELS = np.array([0, 0, 1])


def exact(row: np.ndarray, label: int) -> dict[str, mpmath.mpf]:
    """Every signal from its definition, with more digits than a float64 can lose."""
    with mpmath.workdps(2000):
        e = [mpmath.exp(mpmath.mpf(float(x)) - mpmath.mpf(float(row.max()))) for x in row]
        p = [x / sum(e) for x in e]
        others = [k for k in range(len(p)) if k != label]
        modified = -(1 - p[label]) * mpmath.log(p[label]) - sum(p[k] * mpmath.log(1 - p[k]) for k in others)
        entropy = -sum(x * mpmath.log(x) for x in p)
        return {
            "logit_confidence": mpmath.log(p[label]) - mpmath.log(1 - p[label]),
            "cross_entropy": -mpmath.log(p[label]),
            "log_entropy": mpmath.log(entropy),
            "log_modified_entropy": mpmath.log(modified),
        }


def test_worked_fixture() -> None:
    assert_allclose(signals.logit_confidence(LOGITS, LABELS), [1.6867383125, -1.201413278, -36], rtol=1e-9)
    assert_allclose(signals.cross_entropy(LOGITS, LABELS), [0.1698460196, 1.4643687841, 36], rtol=1e-9)
    assert_allclose(signals.hinge(LOGITS, LABELS), [2, -1, -36], rtol=1e-12)
    assert_allclose(signals.entropy(LOGITS)[:2], [0.52426661673, 0.90595925648], rtol=1e-10)
    assert_allclose(signals.modified_entropy(LOGITS, LABELS)[:2], [0.042180988725, 1.7693934554], rtol=1e-10)


def test_where_one_minus_p_loses_all_digits() -> None:
    """Logits (−3, 4, 40), y = 1, from the definitions in 50 digits; a naive 1 − p makes the second one 72.0436."""
    assert_allclose(signals.entropy(LOGITS)[2], 8.59154104846660552e-15, rtol=1e-12)
    assert_allclose(signals.modified_entropy(LOGITS, LABELS)[2], 71.9990885335462095, rtol=1e-13)


@pytest.mark.parametrize("spread", [0.01, 1, 10, 100, 700, 3000])
def test_exact_at_any_saturation(spread: float) -> None:
    rng = np.random.default_rng(int(spread))
    logits, labels = rng.normal(size=(8, 4)) * spread, rng.integers(0, 4, 8)
    for i, (row, label) in enumerate(zip(logits, labels, strict=True)):
        for name, value in exact(row, int(label)).items():
            arguments = (logits,) if name == "log_entropy" else (logits, labels)
            got = getattr(signals, name)(*arguments)[i]
            # A value near 0 carries the rounding of the logits it is the difference of.
            assert got == pytest.approx(float(value), rel=1e-12, abs=1e-15 * max(spread, 1)), (name, row, label)


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
def test_uniform_closed_form(classes: int) -> None:
    logits, labels = np.full((1, classes), 7.0), np.array([classes - 1])
    k = classes
    assert_allclose(signals.softmax(logits), 1 / k)
    assert_allclose(signals.cross_entropy(logits, labels), np.log(k))
    assert_allclose(signals.entropy(logits), np.log(k))
    assert_allclose(signals.logit_confidence(logits, labels), -np.log(k - 1), atol=1e-15)
    assert_allclose(signals.hinge(logits, labels), 0)
    expected = (1 - 1 / k) * np.log(k) - (k - 1) / k * np.log(1 - 1 / k)
    assert_allclose(signals.modified_entropy(logits, labels), expected)


def test_two_classes_closed_form() -> None:
    gap = np.linspace(-5, 5, 11)
    logits, labels = np.column_stack([gap, np.zeros(11)]), np.zeros(11, dtype=int)
    p = 1 / (1 + np.exp(-gap))
    assert_allclose(signals.logit_confidence(logits, labels), gap, atol=1e-15)
    assert_allclose(signals.cross_entropy(logits, labels), -np.log(p), rtol=1e-12)
    assert_allclose(signals.entropy(logits), -p * np.log(p) - (1 - p) * np.log(1 - p), rtol=1e-12)
    assert_allclose(signals.modified_entropy(logits, labels), -2 * (1 - p) * np.log(p), rtol=1e-12)


def test_confident_records_never_tie() -> None:
    """A float32 sigmoid of the entropy (CompLeak's ranking) makes one value of these 2,000 records."""
    gap = np.linspace(30, 900, 2000)
    logits, labels = np.column_stack([gap, np.zeros(2000), np.zeros(2000)]), np.zeros(2000, dtype=int)
    assert (np.diff(signals.log_entropy(logits)) < 0).all()
    assert (np.diff(signals.log_modified_entropy(logits, labels)) < 0).all()
    assert (np.diff(signals.logit_confidence(logits, labels)) > 0).all()
    sigmoid = 1 / (1 + np.exp(signals.entropy(logits).astype(np.float32)))
    assert len(np.unique(sigmoid)) == 1


def test_largest_float32_logits_stay_finite() -> None:
    huge = np.finfo(np.float32).max
    logits = np.array([[huge, -huge, 0], [-huge, huge, 0], [huge, huge, huge]], dtype=np.float32)
    labels = np.array([0, 0, 2])
    for signal in (
        signals.logit_confidence,
        signals.cross_entropy,
        signals.hinge,
        signals.modified_entropy,
        signals.log_modified_entropy,
    ):
        assert np.isfinite(signal(logits, labels)).all(), signal
    assert np.isfinite(signals.log_entropy(logits)).all()
    assert_allclose(signals.entropy(logits)[2], np.log(3))


def test_shift_and_class_order_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(50, 6)) * 5, rng.integers(0, 6, 50)
    order = rng.permutation(6)
    renamed = np.argsort(order)[labels]
    for signal in (signals.logit_confidence, signals.cross_entropy, signals.hinge, signals.modified_entropy):
        assert_allclose(signal(logits + 11, labels), signal(logits, labels), rtol=1e-10, atol=1e-12)
        assert_allclose(signal(logits[:, order], renamed), signal(logits, labels), rtol=1e-10, atol=1e-12)


def test_leading_axes_are_kept_and_inputs_not_written() -> None:
    rng = np.random.default_rng(1)
    logits, labels = rng.normal(size=(3, 2, 7, 4)).astype(np.float32), rng.integers(0, 4, 7)
    before = logits.copy()
    for signal in (signals.logit_confidence, signals.cross_entropy, signals.hinge, signals.modified_entropy):
        values = signal(logits, labels)
        assert values.dtype == np.float64
        assert values.shape == (3, 2, 7)
        assert_allclose(values[2, 1], signal(logits[2, 1], labels), rtol=1e-12)
    assert signals.entropy(logits).shape == (3, 2, 7)
    assert signals.softmax(logits).shape == signals.log_odds(logits).shape == logits.shape
    assert np.array_equal(logits, before)


@pytest.mark.parametrize(
    ("logits", "labels", "says"),
    [
        (np.zeros((3, 4)), np.array([0, 1, 4]), "0..3 for 4 classes, got 0..4"),
        (np.zeros((3, 4)), np.array([0, 1, -1]), "got -1..1"),
        (np.zeros((3, 4)), np.array([0, 1]), r"\[3\] for logits \[3, 4\], got \[2\]"),
        (np.zeros((3, 4)), np.array([0.0, 1, 2]), "integers"),
        (np.zeros(4), np.array([0]), "examples, classes"),
        (np.zeros((3, 1)), np.array([0, 0, 0]), "two classes"),
        (np.array([[0, np.nan], [0, 1]]), np.array([0, 0]), "1 of 4 logits are not finite"),
        (np.array([[0, np.inf], [0, 1]]), np.array([0, 0]), "not finite"),
    ],
)
@pytest.mark.parametrize(
    "signal",
    [signals.logit_confidence, signals.cross_entropy, signals.hinge, signals.modified_entropy],
)
def test_bad_input_is_named(
    signal: Callable[..., np.ndarray], logits: np.ndarray, labels: np.ndarray, says: str
) -> None:
    with pytest.raises(signals.SignalError, match=says):
        signal(logits, labels)
