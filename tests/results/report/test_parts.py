"""The parts of the page: numbers that stand elsewhere too must be the same."""

from pathlib import Path

import numpy as np
import pytest

from compleak.results.metrics import tpr_at_fpr
from compleak.results.report.classes import by_class
from compleak.results.report.columns import number, table, text
from compleak.results.report.compression import compression, remarks
from compleak.results.report.configuration import configuration
from compleak.results.report.examples import examples, pairs
from compleak.results.report.exposure import exposed
from compleak.results.report.labels import labels
from compleak.results.report.leaderboard import leaderboard, shared
from compleak.results.report.libraries import LibraryError, datatables, inline, plotly
from compleak.results.report.models import models
from compleak.results.report.names import attack_names, target_names, variant_names
from compleak.results.report.overview import overview
from compleak.results.report.tradeoff import tradeoff
from compleak.results.store import Results
from compleak.results.table import significant

from .conftest import HOSTILE, N


def column(made, title):
    found = next(c for c in made["columns"] if c["title"] == title)
    if found["kind"] == "text":
        return [found["values"][code] for code in found["codes"]]
    return found["values"]


def test_the_leaderboard_keeps_rows_and_order(results):
    made = leaderboard(results.rows, significant(results.rows))
    assert made["rows"] == len(results.rows)
    assert column(made, "AUC") == pytest.approx([r.auc for r in results.rows], rel=1e-5)
    assert column(made, "Target") == [r.target for r in results.rows]
    assert "target" not in shared(results.rows) and shared(results.rows)["data"] == "digits"
    assert "more" in " ".join(column(made, "Than the original"))


def test_a_text_is_kept_once_and_columns_must_match():
    assert text("t", ["b", "a", "b"])["values"] == ["b", "a"]
    with pytest.raises(ValueError, match="make no table"):
        table([text("t", ["a"]), number("n", [1, 2], "integer")])


def test_sets_of_models_never_share_a_name(make_row):
    rows = [make_row(technique="multiple", setting=f"original;{a};b", framework="tflite", attack=a) for a in ("x", "y")]
    assert list(variant_names(rows).values()) == ["original + 2 of tflite", "original + 2 of tflite (2)"]


def test_what_differs_between_rows_is_part_of_a_name(make_row):
    rows = [make_row(shadows=n, model=m) for n, m in ((2, "a"), (4, "b"))]
    assert list(attack_names(rows).values()) == ["nr-train2-rf, 2 shadows", "nr-train2-rf, 4 shadows"]
    assert list(target_names(rows).values()) == ["target-0, a", "target-0, b"]
    assert list(target_names(rows[:1]).values()) == ["target-0"]
    assert list(attack_names(rows[:1]).values()) == ["nr-train2-rf"]


def test_classes_partition_the_examples(results):
    (label,) = labels(results).values()
    scores = results.scores_of(results.rows[0])
    found = by_class(scores, label)
    assert [c["class"] for c in found] == [0, 1, 2, 3]
    assert sum(c["members"] for c in found) == N and sum(c["nonmembers"] for c in found) == N
    called = exposed(scores, 0.01)
    assert sum(c["tp"] for c in found) == int((called & scores.member).sum())
    assert sum(c["fp"] for c in found) == tpr_at_fpr(scores.score, scores.member, 0.01).fp
    here = np.array([label[e] for e in scores.example.tolist()]) == 2
    wins = np.mean(scores.score[here & scores.member][:, None] > scores.score[here & ~scores.member][None, :])
    assert found[2]["auc"] == pytest.approx(wins, rel=1e-5)
    assert by_class(scores, {}) == []


def test_classes_that_contradict_each_other_are_not_used(results, tmp_path):
    import zarr

    for name, shift in (("one", 0), ("two", 1)):
        group = zarr.open_group(tmp_path / "nodes" / "collect" / name / "observations.zarr", mode="w")
        group["example"], group["label"] = np.arange(3), np.arange(3) + shift
    assert labels(Results(tmp_path, results.rows)) == {}
    assert labels(Results(tmp_path / "published.csv", results.rows)) == {}


def test_pareto_fronts_by_hand(make_row):
    costs = {"a": (0.6, 100, 0.8), "b": (0.7, 50, 0.8), "c": (0.7, 100, 0.9), "d": (0.8, 120, 0.7)}
    rows = [make_row(setting=s, auc=a, bytes_gzip=b, accuracy=c) for s, (a, b, c) in costs.items()]
    found = tradeoff(rows)[0]
    assert found["rows"] == [0, 1, 2, 3]
    assert found["size"] == [True, True, False, False]
    assert found["accuracy"] == [True, False, True, False]
    assert found["all"] == [True, True, True, False]


def originals(make_row, found, **facts):
    """Rows of originals, from suite to (accuracy, AUC)."""
    return [
        make_row(
            framework="none",
            setting="original",
            suite=s,
            accuracy=a,
            auc=auc,
            n_nonmembers=100,
            scores_sha256=f"{place:064x}",
            **facts,
        )
        for place, (s, (a, auc)) in enumerate(found.items())
    ]


def test_originals_are_ranked_by_what_they_are_good_for(make_row):
    rising = {"encoders-moco": (0.5, 0.51), "encoders-mae": (0.6, 0.53), "encoders-dino": (0.7, 0.55)}
    [found] = models(originals(make_row, rising))
    assert [m["name"] for m in found["models"]] == ["moco", "mae", "dino"]
    # Wilson (1927) for 50 of 100; of the 3! orders of three, two are as far from none as this one.
    assert found["models"][0]["accuracy"] == pytest.approx([0.5, 0.4038, 0.5962], abs=1e-4)
    again = originals(make_row, {f"other-{suite}": cells for suite, cells in rising.items()})
    assert models([*originals(make_row, rising), *again]) == [found]
    assert (found["tau"], found["p"]) == (pytest.approx(1), pytest.approx(2 / 6))


def test_only_what_can_be_held_against_each_other_is(make_row):
    three = {f"s-{i}": (0.5 + i / 10, 0.5) for i in range(3)}
    assert models(originals(make_row, dict(list(three.items())[:2]))) == []
    rows = [*originals(make_row, three, data="digits"), *originals(make_row, three, data="letters")]
    assert [(f["attack"], len(f["models"]), f["tau"]) for f in models(rows)] == [
        ("nr-train2-rf, digits", 3, None), ("nr-train2-rf, letters", 3, None),
    ]  # fmt: skip
    assert models([row.model_copy(update={"setting": "clustering-k16"}) for row in rows]) == []


def test_examples_stand_beside_what_chance_would_expose(results):
    listed, tallies = examples(results.rows, results.scores, labels(results))
    one = next(t for t in tallies if t.fpr == "1 %")
    assert one.target == "target-0" and (one.one_model, one.several) == (6, 3)
    rows = [r for r in results.rows if r.target == "target-0"]
    seen = {access: np.zeros(2 * N, bool) for access in ("one-model", "several")}
    for row in rows:
        seen["one-model" if row.access == "one-model" else "several"] |= exposed(results.scores_of(row), 0.01)
    only, member = seen["several"] & ~seen["one-model"], results.scores_of(rows[0]).member
    assert (one.members, one.nonmembers) == (int((only & member).sum()), int((only & ~member).sum()))
    assert one.expected == pytest.approx(one.nonmembers)
    assert column(listed, "Exposed with").count("several models only") == int(only.sum())
    assert pairs(results.rows, results.scores)["rows"] == 3 * 2
    assert pairs(results.rows, {}) is None and examples(results.rows, {}, {}) == (None, [])


def test_each_artifact_is_listed_once(results):
    made = compression(results.rows)
    assert made["rows"] == 3 * 2
    assert HOSTILE in " ".join(column(made, "Artifact"))
    assert remarks(results.rows) == [(f"Pruned {HOSTILE}.", ["tflite pruning-magnitude-0.6"])]


def test_the_overview_does_not_overstate(results, make_row):
    said = overview(results, significant(results.rows))
    assert said.control_passed is True and "1 of 1" in " ".join(said.control)
    assert "2 targets" in said.attacked and "4 attacks" in said.attacked
    assert "noisy" in " ".join(said.sure)
    alone = overview(Results(Path("x.csv"), (make_row(auc_minus_original=None),)), frozenset())
    assert alone.control_passed is None and "No null control" in " ".join(alone.control)
    assert "nothing can be said" in alone.found and "one target" in " ".join(alone.sure)


def test_the_configuration_is_the_suite_as_it_ran(results):
    import yaml

    (ran,) = configuration(results).suites
    assert yaml.safe_load(ran.suite) == results.suite
    assert any("compleak run suite.yaml" in c for c in ran.commands)


def test_libraries_are_what_they_say():
    assert "Plotly" in plotly().script and "MIT" in plotly().licence
    assert "globalThis.DataTable=" in datatables().script and "export{" not in datatables().script
    assert "MIT" in datatables().licence


def test_a_script_that_would_end_its_element_is_refused():
    with pytest.raises(LibraryError):
        inline("x = '</SCRIPT>'")
    assert inline("a = /<!--/;\r\nb") == "a = /\\x3c!--/;\nb"
