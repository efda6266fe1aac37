import subprocess
import sys

import pytest

from compleak.benchmarks import nodes
from compleak.benchmarks.plan import Plan, make_plan
from compleak.benchmarks.rows import planned_cells
from compleak.benchmarks.suite_files import load_suite


def plan(*overrides: str) -> Plan:
    return make_plan(load_suite("quickstart", overrides))


def keys(plan: Plan, stage: str) -> dict[str, str]:
    return {n.name: n.key for n in plan.nodes if n.stage == stage}


def test_a_sweep_trains_each_model_once() -> None:
    p = plan()
    assert sorted(keys(p, "train")) == ["null", "shadow-0", "shadow-1", "target-0"]
    assert len(keys(p, "compress")) == 4 * 8
    assert len(keys(p, "observe")) == 4 * 9
    assert len({n.key for n in p.nodes}) == len(p.nodes) == len({n.folder for n in p.nodes})


def test_parents_come_before_children() -> None:
    seen: set[str] = set()
    for node in plan().nodes:
        assert {p.key for p in node.parents.values()} <= seen
        seen.add(node.key)


def test_every_attack_meets_every_set_of_variants_its_access_allows() -> None:
    p = plan()
    met = {(t.attack, tuple(v.name for v in t.variants)) for t in p.trials}
    names = [v.name for v in p.variants]
    assert {v for a, v in met if a == "compleak-nr-entropy"} == {(n,) for n in names}
    assert {v for a, v in met if a == "compleak-sr2-rf"} == {("original", n) for n in names[1:]}
    tflite = tuple(n for n in names if n.startswith("tflite"))
    mobile = tuple(n for n in names if n.startswith("pytorch-mobile"))
    groups = {tflite, mobile, tflite + mobile}
    assert {v for a, v in met if a == "compleak-mr-no-original"} == groups
    assert {v for a, v in met if a == "compleak-mr"} == {("original", *g) for g in groups}


def test_every_attack_is_compared_with_itself_on_the_original_alone() -> None:
    for trial in plan().trials:
        if [v.name for v in trial.variants] == ["original"]:
            assert trial.baseline_node is None
            continue
        assert trial.baseline_node is not None
        below, own = trial.baseline_node.config, trial.attack_node.config
        assert (below["factory"], below["arguments"]) == (own["factory"], own["arguments"])
        assert all(name == "original" or name.startswith("copy-") for name in below["variants"])
        assert ("original" in below["variants"]) is ("original" in own["variants"] or len(own["variants"]) == 1)


def test_a_framework_without_settings_is_no_framework() -> None:
    one = plan("compress.tflite=[]")
    assert len({t.attack_node.name for t in one.trials}) == len(one.trials)


def test_more_shadows_retrain_nothing() -> None:
    few, many = plan(), plan("membership.shadows=6")
    for stage in ("train", "compress", "observe"):
        before, after = keys(few, stage), keys(many, stage)
        assert before.items() <= after.items()
    assert keys(few, "collect") != keys(many, "collect")


def test_a_change_of_recipe_reruns_what_it_touches_only() -> None:
    base = plan()
    tuned = plan("finetuning.epochs=9")
    assert keys(base, "train") == keys(tuned, "train")
    assert not keys(base, "compress").items() & keys(tuned, "compress").items()
    assert plan("training.epochs=9").recipe_sha256 != base.recipe_sha256
    assert keys(base, "train").items().isdisjoint(keys(plan("execution.threads=2"), "train").items())
    renamed = plan("description=other")
    assert (renamed.run_id, renamed.recipe_sha256) == (base.run_id, base.recipe_sha256)


def test_a_network_that_changes_is_built_anew_wherever_it_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def made() -> dict[tuple[str, str], str]:
        nodes.code_version.cache_clear()
        return {(n.stage, n.name): n.key for n in make_plan(load_suite("text-quickstart/gpt2-lm")).nodes}

    before, meaning = made(), nodes._meaning
    monkeypatch.setattr(nodes, "_meaning", lambda path: "new" if path.name == "gpt2.py" else meaning(path))
    after = made()
    nodes.code_version.cache_clear()
    assert {stage for stage, name in before if before[stage, name] == after[stage, name]} == {"data"}


def test_planning_imports_no_framework() -> None:
    code = (
        "import sys; from compleak.benchmarks.plan import make_plan;"
        "from compleak.benchmarks.suite_files import load_suite;"
        "make_plan(load_suite('quickstart'));"
        "print([m for m in ('torch', 'tensorflow', 'tf_keras', 'sklearn', 'datasets') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"


def power(*overrides: str) -> Plan:
    return make_plan(load_suite("power-fashion", overrides))


def test_an_attack_is_tried_with_each_number_of_shadows_that_defines_it() -> None:
    p = power("shadow_counts=[1,2,4]")
    counts = {t.attack: set() for t in p.trials}
    for trial in p.trials:
        counts[trial.attack].add(len(trial.shadows))
    assert counts["compleak-mr"] == {1, 2, 4}
    assert counts["rmia-online"] == {2, 4}
    assert counts["lira-online"] == counts["joint-online-mr"] == {4}
    assert len({n.key for n in p.nodes}) == len(p.nodes) == len({n.folder for n in p.nodes})


def test_fewer_shadows_are_the_first_of_the_many_and_train_nothing_else() -> None:
    few, many = power("shadow_counts=[4]"), power("shadow_counts=[16]")
    assert keys(few, "observe") == keys(many, "observe")
    shadows = {t.targets: t.shadows for t in many.trials}
    assert all(shadows[t.targets][:4] == t.shadows for t in few.trials)
    assert {t.targets for t in few.trials} == {("pool-0", "null"), ("pool-2",)}


def test_without_counts_all_shadows_are_used_and_names_are_short() -> None:
    assert {len(t.shadows) for t in power("shadow_counts=[]").trials} == {16}
    assert "pool-0/compleak-nr-loss/original" in keys(power("shadow_counts=[]"), "attack")


def test_who_knows_part_of_the_answer_has_one_row_however_many_shadows_others_have() -> None:
    plan = make_plan(load_suite("encoders/simclr", ["membership.shadows=2", "shadow_counts=[1,2]"]))
    names = [(t.attack, t.attack_node.name) for t in plan.trials]
    assert len(names) == len(set(names))
    known = [t for t in plan.trials if t.attack.endswith("-known")]
    assert {t.attack for t in known} == {"lpla-linf-kde-known", "partcrop-v1-known"}
    assert len(known) == 2 * len(plan.variants)
    assert {t.attack_node.key for t in known} <= {n.key for n in plan.nodes}
    assert all(plan.node("attack", t.attack_node.name).key == t.attack_node.key for t in plan.trials)


def test_a_compressed_reference_is_held_against_the_loss_on_the_original() -> None:
    """Beside a copy of itself a model has no score at all: an AUC of 0.5, which anything would seem to beat."""
    plan = make_plan(load_suite("text-quickstart/gpt2-lm"))
    found = [t for t in plan.trials if t.attack == "lm-reference-compressed"]
    (loss,) = [t for t in plan.trials if t.attack == "lm-loss" and t.variants[0].name == "original"]
    assert {t.baseline_node.key for t in found if t.baseline_node} == {loss.attack_node.key}
    assert planned_cells(plan, found[0], "target-0")["baseline"] == "lm-loss on the original"
    assert not any("copies" in n.name for n in plan.nodes if "lm-reference-compressed" in n.name)


def test_several_models_are_held_against_as_many_copies_of_the_original() -> None:
    plan = make_plan(load_suite("text-quickstart/bert"))
    found = [t for t in plan.trials if t.attack.startswith("compleak-mr") and t.baseline_node]
    counts = {t.attack_node.name: sum(v.name != "original" for v in t.variants) for t in found}
    assert {t.attack_node.name: t.baseline_node.config["copies"]["count"] for t in found} == counts
    assert len(set(counts.values())) > 1


def test_what_is_learned_is_learned_again_on_parts_the_same_for_all_models() -> None:
    trials = make_plan(load_suite("quickstart")).trials
    divisions: dict[str, set[str]] = {}
    for trial in trials:
        for node in filter(None, (trial.attack_node, trial.baseline_node)):
            divisions.setdefault(trial.attack, set()).add(str(node.config.get("divisions")))
    assert all(len(found) == 1 for found in divisions.values())
    assert divisions["compleak-nr-train2-rf"] == divisions["compleak-sr2-rf"] != {"None"}
    assert divisions["compleak-nr-entropy"] == divisions["compleak-mr"] == divisions["compleak-sr2-rf"]
    assert divisions["compleak-nr-modified-entropy-global"] == {"None"}
