"""One file for both groups is an all-clear for any model; rows that recur by themselves are no reason to refuse."""

import numpy as np
import pytest

from compleak.benchmarks.audit import AuditError
from compleak.benchmarks.audit.api import Shadow, audit, conduct
from compleak.benchmarks.audit.files import run_files
from compleak.benchmarks.audit.groups import check_files, check_inputs, check_outputs, shared_rows
from compleak.benchmarks.audit.subject import Subject
from compleak.benchmarks.audit.vectors import read_subject


def subject(members, nonmembers, **compressed):
    """Of outputs and labels on both groups; of a compressed model, outputs on both."""
    logits = {"original": np.concatenate([members[0], nonmembers[0]]).astype(np.float64)}
    logits |= {name: np.concatenate(pair).astype(np.float64) for name, pair in compressed.items()}
    sides = np.repeat([True, False], [len(members[1]), len(nonmembers[1])])
    return Subject(logits, np.concatenate([members[1], nonmembers[1]]), sides)


def part(made, *rows):
    return made.logits[slice(*rows)], made.labels[slice(*rows)]


def summary_of(one):
    kinds = dict.fromkeys(one.variants, "logits")
    return " ".join(conduct(one, [], kinds=kinds, source="vectors", resamples=100).summary.split())


@pytest.mark.parametrize(
    ("members", "nonmembers", "says"),
    [
        ((0, 40), (0, 40), "Members and non-members are the same"),
        ((0, 40), (40, 0, -1), "Members and non-members are the same"),
        ((0, 80), (10, 30), "All 20 non-members are among the members"),
        ((10, 30), (0, 80), "All 20 members are among the non-members"),
        ((0, 10), (0, 10), "Members and non-members are the same"),
    ],
)
def test_the_same_rows_are_refused(members, nonmembers, says, dump):
    made = dump(n=50, leak=2.0)
    made.logits[0] = made.logits[40]
    with pytest.raises(AuditError, match=f"{says}.*original.*same to the last bit"):
        summary_of(subject(part(made, *members), part(made, *nonmembers)))


def test_one_models_file_given_twice_is_refused_by_name(dump):
    made = dump(n=40)
    inside, outside = part(made, 40), part(made, 40, None)
    with pytest.raises(AuditError, match="outputs of int8 are the same"):
        check_outputs(subject(inside, outside, int8=(inside[0], inside[0])))


@pytest.mark.parametrize("order", [False, True])
def test_outputs_that_recur_by_themselves_are_not_refused(order):
    """Constant ones, and those that saturate at one-hot, with the classes at random and in order."""
    rng = np.random.default_rng(0)
    labels = [rng.integers(0, 4, 200) for _ in range(2)]
    if order:
        labels = [np.repeat(np.arange(4), 50)] * 2
    constant = subject(*((np.tile([1.0, 0, 0, 0], (200, 1)), y) for y in labels))
    onehot = subject(*(((np.eye(4) * 9)[y], y) for y in labels))
    for one in (constant, onehot):
        check_outputs(one)
        assert shared_rows(one) == 200
    text = summary_of(constant)
    assert "Nothing was found" in text and "Some non-members may be members" in text
    assert "200 of 200 non-members have a member's label and, to the last bit, its outputs" in text


def test_a_copy_of_outputs_that_mostly_recur_is_refused():
    rng = np.random.default_rng(0)
    rows, labels = (9 * np.eye(4))[rng.integers(0, 4, 200)], rng.integers(0, 4, 200)
    with pytest.raises(AuditError, match="are the same"):
        check_outputs(subject((rows, labels), (rows, labels)))
    check_outputs(subject((rows, labels), (rows[::-1], labels[::-1])))


def test_rows_in_both_groups_are_counted_and_warned_of(dump):
    made = dump(n=100)
    overlapping = subject(part(made, 100), part(made, 70, 200))
    assert shared_rows(overlapping) == 30
    assert "30 of 130 non-members have a member's label" in summary_of(overlapping)
    other = overlapping.labels.copy()
    other[100:105] = (other[100:105] + 1) % 5
    assert shared_rows(Subject(overlapping.logits, other, overlapping.member)) == 25
    assert "to the last bit" not in summary_of(subject(part(made, 100), part(made, 100, 200)))


def test_functions_on_the_same_inputs_are_refused_before_they_are_called(dump):
    made, inputs = dump(n=30), np.random.default_rng(0).normal(size=(60, 3))
    group = (inputs[:30], made.labels[:30])

    def never(_):
        raise AssertionError

    with pytest.raises(AuditError, match="the examples are the same to the last bit"):
        audit(never, members=group, nonmembers=group, outputs="logits")
    rows = (np.arange(30), made.labels[:30])
    with pytest.raises(AuditError, match="outputs of original are the same"):
        audit(lambda x: made.logits[x], members=rows, nonmembers=rows, outputs="logits")


def test_a_shadow_with_one_group_twice_is_refused(dump):
    made, other, rows = dump(n=30), dump(n=30, seed=1), np.arange(60)
    groups = {"members": (rows[:30], made.labels[:30]), "nonmembers": (rows[30:], made.labels[30:])}
    twice = (rows[:30], other.labels[:30])
    shadow = Shadow(twice, twice, original=lambda x: other.logits[x])
    with pytest.raises(AuditError, match="Shadow 0: Members and non-members are the same"):
        audit(lambda x: made.logits[x], outputs="logits", shadows=[shadow], **groups)


def test_inputs_that_differ_are_let_pass_and_those_that_recur_too():
    inputs = np.random.default_rng(0).integers(0, 256, (40, 3, 3))
    check_inputs((inputs[:20], inputs[20:]))
    check_inputs((inputs[:25], inputs[15:]))
    check_inputs((np.zeros((20, 3, 3)), np.zeros((20, 3, 3))))
    with pytest.raises(AuditError, match="All 20 non-members"):
        check_inputs((inputs, inputs[5:25]))


def test_the_same_file_by_another_name_is_refused(tmp_path):
    np.savez(tmp_path / "m.npz", logits=np.zeros((20, 3)), labels=np.zeros(20, int))
    (tmp_path / "n.npz").symlink_to(tmp_path / "m.npz")
    with pytest.raises(AuditError, match="are both"):
        check_files(tmp_path / "m.npz", tmp_path / "n.npz")
    pair = {"original": (tmp_path / "m.npz", tmp_path / "n.npz")}
    with pytest.raises(AuditError, match="are both"):
        read_subject(pair, {"original": "logits"})
    with pytest.raises(AuditError, match="are both"):
        run_files({}, tmp_path / "m.npz", tmp_path / "m.npz", {}, {}, timeout=1)
    check_files(tmp_path / "a.npz", tmp_path / "a.npz")
