"""Outputs of several models side by side: kinds, classes, order and labels are checked before anything is computed."""

import numpy as np
import pytest
from scipy.special import softmax

from compleak.attacks.signals import logit_confidence
from compleak.benchmarks.audit import AuditError
from compleak.benchmarks.audit.subject import make_subject
from compleak.benchmarks.audit.tables import Table


def pair(members, nonmembers, where="a.npz"):
    return Table(*members, where), Table(*nonmembers, where)


def subject(made, kind="logits", outputs=lambda x: x, **more):
    return make_subject({"original": pair(*((outputs(x), y) for x, y in (made.members, made.nonmembers)))}, {
        "original": kind}, **more)  # fmt: skip


def test_members_come_first_and_counts_are_right(dump):
    found = subject(dump(n=20, leak=3.0))
    assert (found.members, found.nonmembers, found.classes) == (20, 20, 5)
    np.testing.assert_array_equal(found.logits["original"], dump(n=20, leak=3.0).logits.astype(np.float64))
    right = dump(n=20, leak=3.0).logits.argmax(1) == dump(n=20, leak=3.0).labels
    assert found.accuracy("original", member=True) == right[:20].mean()
    assert found.accuracy("original", member=False) == right[20:].mean()
    assert found.agreement("original") == 1.0


def test_probabilities_give_the_log_odds_of_their_logits(dump):
    made = dump(n=30)
    found = subject(made, "probabilities", lambda x: softmax(x.astype(np.float64), axis=1))
    expected = logit_confidence(made.logits, made.labels)
    np.testing.assert_allclose(logit_confidence(found.logits["original"], made.labels), expected, rtol=1e-9)


def test_one_output_is_that_of_class_1(dump):
    rng = np.random.default_rng(0)
    z, labels = rng.normal(size=(40, 1)), rng.integers(0, 2, 40)
    groups = (z[:20], labels[:20]), (z[20:], labels[20:])
    expected = np.where(labels == 1, z[:, 0], -z[:, 0])
    logits = make_subject({"original": pair(*groups)}, {"original": "logits"}).logits["original"]
    np.testing.assert_allclose(logit_confidence(logits, labels), expected)
    sigmoid = tuple((1 / (1 + np.exp(-x)), y) for x, y in groups)
    found = make_subject({"original": pair(*sigmoid)}, {"original": "probabilities"})
    np.testing.assert_allclose(logit_confidence(found.logits["original"], labels), expected, rtol=1e-9)
    assert "class 1 of two" in found.notes[0]


def test_one_number_for_many_classes_is_said_to_be_taken_as_binary(dump):
    made = dump(n=20)
    one = pair(*((x[:, :1], y) for x, y in (made.members, made.nonmembers)), where="one.npz")
    with pytest.raises(AuditError, match=r"one\.npz holds one number .* binary .* up to 4\. Dump .* all classes"):
        make_subject({"original": one}, {"original": "logits"})


def test_a_probability_of_zero_is_half_the_least_positive_one():
    rows = np.array([[1.0, 0.0], [0.75, 0.25]]).repeat(10, axis=0)
    labels = np.zeros(20, dtype=np.int64)
    found = make_subject({"original": pair((rows, labels), (rows, labels))}, {"original": "probabilities"})
    assert found.logits["original"][0, 1] == np.log(0.125)
    assert "50%" in found.notes[0] and "tie" in found.notes[0]


@pytest.mark.parametrize("kind", ["logits", "probabilities"])
def test_the_wrong_kind_is_refused(dump, kind):
    other = (lambda x: x) if kind == "probabilities" else (lambda x: softmax(x, axis=1))
    with pytest.raises(AuditError, match=f"said to be {kind}"):
        subject(dump(n=20), kind, other)


def test_a_single_row_that_does_not_sum_to_1_is_refused_with_its_number(dump):
    made = dump(n=20)
    rows = softmax(made.logits, axis=1)
    rows[25] = [0.5, 0.5, 0.5, 0.0, 0.0]
    table = pair((rows[:20], made.labels[:20]), (rows[20:], made.labels[20:]))
    with pytest.raises(AuditError, match=r"1 of 20 rows .* row 5 \(from 0\) sums to 1.5"):
        make_subject({"original": table}, {"original": "probabilities"})


def test_int8_probabilities_may_stray_a_little(dump):
    rounded = subject(dump(n=50), "probabilities", lambda x: np.rint(softmax(x, axis=1) * 256) / 256)
    assert np.isfinite(rounded.logits["original"]).all()


def test_models_must_fit_together(dump):
    made = dump(n=20)
    own, kinds = pair(made.members, made.nonmembers), {"original": "logits", "int8": "logits"}
    short = pair(tuple(x[:15] for x in made.members), made.nonmembers, "short.npz")
    with pytest.raises(AuditError, match=r"20 rows and short\.npz has 15"):
        make_subject({"original": own, "int8": short}, kinds)
    turned = pair(tuple(x[::-1] for x in made.members), made.nonmembers, "turned.npz")
    with pytest.raises(AuditError, match=r"turned\.npz have different labels"):
        make_subject({"original": own, "int8": turned}, kinds)
    narrow = pair(*((x[:, :4], None) for x, _ in (made.members, made.nonmembers)))
    with pytest.raises(AuditError, match="different numbers of classes"):
        make_subject({"original": own, "int8": narrow}, kinds)
    with pytest.raises(AuditError, match="same model"):
        make_subject({"original": (own[0], narrow[1])}, kinds)


def test_labels_and_numbers_are_needed(dump):
    made = dump(n=20)
    nameless = pair(*((x, None) for x, _ in (made.members, made.nonmembers)))
    with pytest.raises(AuditError, match="no labels"):
        make_subject({"original": nameless}, {"original": "logits"})
    with pytest.raises(AuditError, match="count from 1"):
        make_subject({"original": pair(*((x, y + 1) for x, y in (made.members, made.nonmembers)))}, {
            "original": "logits"})  # fmt: skip
    with pytest.raises(AuditError, match="Only 5 members"):
        make_subject({"original": pair(tuple(x[:5] for x in made.members), made.nonmembers)}, {"original": "logits"})
    with pytest.raises(AuditError, match="no model"):
        make_subject({}, {})


def test_labels_of_one_model_serve_the_others(dump):
    made = dump(n=20)
    nameless = pair(*((x, None) for x, _ in (made.members, made.nonmembers)))
    found = make_subject(
        {"int8": nameless, "original": pair(made.members, made.nonmembers)},
        dict.fromkeys(("int8", "original"), "logits"),
    )
    assert found.variants == ("original", "int8")
    np.testing.assert_array_equal(found.labels, made.labels)
