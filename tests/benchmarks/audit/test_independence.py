"""A shadow that is the target is refused; unrelated models whose outputs are coarse are not taken for one another."""

import numpy as np
import pytest

from compleak.benchmarks.audit import AuditError
from compleak.benchmarks.audit.independence import check_shadows, same_outputs
from compleak.benchmarks.audit.subject import Subject


def subject(made, **more):
    n = len(made.labels) // 2
    return Subject({"original": made.logits.astype(float), **more}, made.labels, np.repeat([True, False], [n, n]))


@pytest.mark.parametrize("seed", range(3))
def test_the_target_is_no_shadow_in_whatever_order_or_part(seed, dump):
    target = subject(dump(n=100))
    rng = np.random.default_rng(seed)
    mixed = np.concatenate([rng.permutation(100), 100 + rng.permutation(100)])
    shuffled = Subject({"original": target.logits["original"][mixed]}, target.labels[mixed], target.member)
    some = np.concatenate([rng.permutation(100)[:20], 100 + rng.permutation(100)[:20]])
    part = Subject({"original": target.logits["original"][some]}, target.labels[some], target.member[some])
    with pytest.raises(AuditError, match="Shadow 1 is the audited model"):
        check_shadows(target, [subject(dump(n=100, seed=5)), target])
    for copy in (shuffled, part):
        with pytest.raises(AuditError, match="Shadow 1 gives exactly the audited model's outputs on its members"):
            check_shadows(target, [subject(dump(n=100, seed=5)), copy])


def test_one_copied_group_of_one_variant_is_enough(dump):
    target = subject(dump(n=100), int8=dump(n=100, seed=1).logits.astype(float))
    copied = dump(n=100, seed=2).logits.astype(float)
    copied[100:] = target.logits["int8"][100:]
    shadow = subject(dump(n=100, seed=3), int8=copied)
    with pytest.raises(AuditError, match=r"on its non-members \(int8\)"):
        check_shadows(target, [shadow])
    check_shadows(target, [subject(dump(n=100, seed=3), int8=dump(n=100, seed=4).logits.astype(float))])


def test_a_few_rows_in_common_are_let_pass(dump):
    target, shadow = dump(n=100), dump(n=100, seed=1)
    shadow.logits[:10] = target.logits[:10]
    check_shadows(subject(target), [subject(shadow)])


def test_saturated_outputs_do_not_hide_the_target(dump):
    """One-hot outputs all recur; unrelated ones with labels of their own are let pass."""

    def one_hot(seed):
        made = dump(n=100, seed=seed)
        made.logits[:] = 9 * np.eye(5)[made.labels]
        return subject(made)

    check_shadows(one_hot(0), [one_hot(1)])
    with pytest.raises(AuditError, match="Shadow 0 is the audited model"):
        check_shadows(one_hot(0), [one_hot(0)])


@pytest.mark.parametrize("n", [10, 30, 100, 300, 1000])
@pytest.mark.parametrize("steps", [1, 4, 256])
def test_coarse_outputs_of_unrelated_models_are_not_taken_for_copies(n, steps):
    """Of one probability in few steps: one-hot where there is one step, and int8 where there are 256."""
    rng = np.random.default_rng(n)
    for _ in range(50):
        one, other = (np.rint(rng.uniform(size=n) * steps) / steps for _ in range(2))
        assert not same_outputs(np.column_stack([1 - one, one]), np.column_stack([1 - other, other]))
