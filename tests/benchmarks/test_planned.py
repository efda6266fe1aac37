"""What a suite alone says: its rows, its run, the command to do it again."""

import shlex

import numpy as np
import pytest
import yaml

from compleak.benchmarks.plan import make_plan
from compleak.benchmarks.planned import code_of, command_for, expectation
from compleak.benchmarks.suite_files import asked_by, load_suite
from compleak.results.publishing.provenance import recipe_sha256
from compleak.results.publishing.verify import PlanError


def as_kept(suite):
    """A suite as a run's ``suite.yaml`` gives it back."""
    return yaml.safe_load(yaml.safe_dump(suite.model_dump(mode="json"), sort_keys=False))


@pytest.mark.parametrize("name", sorted(asked_by().values()))
def test_a_kept_suite_hashes_as_the_plan_does(name):
    suite = load_suite(name, ["training.weight_decay=1e-5", "training.learning_rate=1.0", "description=é"])
    assert recipe_sha256(as_kept(suite)) == make_plan(suite).recipe_sha256
    assert recipe_sha256({**as_kept(suite), "seed": 77}) != make_plan(suite).recipe_sha256


def test_a_suite_calls_for_a_row_of_each_trial_and_target():
    suite = load_suite("quickstart", ["membership.targets=2"])
    found, plan = expectation(as_kept(suite)), make_plan(suite)
    assert len(found.rows) == 3 * len(plan.trials)  # two targets and the null control
    cells = found.rows["compleak-sr2-rf", "tflite", "clustering-k16", "target-1", 2]
    assert cells["access"] == "original+compressed"
    assert cells["technique"] == "clustering"
    assert cells["baseline"].startswith("compleak-sr2-rf with the original")
    assert found.run_id == plan.run_id
    assert {stage for stage, *_ in found.nodes.values()} >= {"train", "compress", "attack", "evaluate"}


def test_each_number_of_shadows_is_a_row_of_its_own():
    suite = load_suite("quickstart", ["shadow_counts=[1,2]", "attacks=[compleak-nr-entropy]"])
    found = expectation(as_kept(suite))
    assert {name[4] for name in found.rows} == {1, 2}
    assert len(found.rows) == 2 * 2 * 9  # twice, a target and the null control, original and eight settings


def test_the_run_of_the_users_own_data_is_known_while_they_are_here(tmp_path):
    np.savez(tmp_path / "d.npz", images=np.zeros((2, 8, 8, 1), np.uint8), labels=np.arange(2))
    suite = load_suite("quickstart", ["data.name=mine", f"data.path={tmp_path / 'd.npz'}", "data.source=dir"])
    assert expectation(as_kept(suite)).run_id == make_plan(suite).run_id != ""
    np.savez(tmp_path / "d.npz", images=np.ones((2, 8, 8, 1), np.uint8), labels=np.arange(2))
    assert expectation(as_kept(suite)).run_id == make_plan(suite).run_id


def test_data_that_are_not_here_leave_the_run_unknown_and_the_rows_known(tmp_path):
    suite = as_kept(load_suite("quickstart"))
    suite["data"] = {"name": "mine", "source": "dir", "path": str(tmp_path / "gone.npz")}
    found = expectation(suite)
    assert (found.run_id, found.nodes) == ("", {})
    assert len(found.rows) == 202


@pytest.mark.parametrize("change", [{"attacks": ["no-such"]}, {"network": 3}, {"more": 1}])
def test_a_suite_of_another_program_cannot_be_planned(change):
    with pytest.raises(PlanError):
        expectation({**as_kept(load_suite("quickstart")), **change})


def test_the_code_that_made_a_run_is_known_again():
    suite = load_suite("quickstart")
    assert code_of(as_kept(suite), make_plan(suite).run_id).made_the_run
    assert not code_of(as_kept(suite), "another").made_the_run


@pytest.mark.parametrize("overrides", [[], ["membership.targets=3", "compress.tflite=[clustering-k8]", "seed=4"]])
def test_the_command_makes_the_same_suite(overrides):
    suite = load_suite("quickstart", overrides)
    program, run, name, *settings = shlex.split(command_for(as_kept(suite)))
    assert (program, run) == ("compleak", "run")
    assert load_suite(name, settings[1::2]) == suite
    assert "compleak run suite.yaml" in command_for({"name": "mine"})
