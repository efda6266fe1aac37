"""Means over targets, with intervals over targets where there is more than one."""

import csv
from statistics import fmean

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from compleak.results.publishing.publish import publish
from compleak.results.publishing.summary import ONE_TARGET, resample_auc_difference, summary_columns, summary_csv
from compleak.results.store import open_results


def lines_of(results):
    return list(csv.DictReader(summary_csv(results.rows, results.scores).splitlines()))


def test_one_target_has_no_interval_and_says_so(run):
    for line in lines_of(open_results(run)):
        assert line["targets"] == "1"
        assert line["interval"] == ONE_TARGET
        assert line["auc_low"] == line["auc_high"] == line["tpr_at_1pct_low"] == "n/a"
        assert line["auc_minus_original_low"] == ("" if line["setting"] == "original" else "n/a")


@pytest.mark.parametrize("text", ["=1+1", "+1", "@SUM(A1)", "-x"])
def test_no_text_is_executed_by_a_spreadsheet(run, text):
    results = open_results(run)
    rows = [row.model_copy(update={"setting": text, "suite": text}) for row in results.rows if row.attack == "mr"]
    for line in csv.DictReader(summary_csv(rows, results.scores).splitlines()):
        assert (line["setting"], line["suite"]) == (f"'{text}", f"'{text}")


def test_over_targets_the_mean_lies_within_its_interval(make_run):
    results = open_results(make_run(membership__targets=4, membership__null=False))
    for line in lines_of(results):
        own = [r for r in results.rows if (r.attack, r.setting) == (line["attack"], line["setting"])]
        assert line["targets"] == "4"
        assert float(line["auc"]) == pytest.approx(fmean(r.auc for r in own), rel=1e-5)
        assert float(line["auc_low"]) < float(line["auc"]) < float(line["auc_high"])
        assert float(line["balanced_accuracy_low"]) < float(line["balanced_accuracy_high"])
        if line["auc_minus_original"]:
            low, high = float(line["auc_minus_original_low"]), float(line["auc_minus_original_high"])
            assert low < float(line["auc_minus_original"]) < high
        assert line["tpr_at_1pct_low"] == "n/a"  # 120 non-members allow one false positive
        assert line["interval"].startswith("clustered bootstrap over 4 targets (too narrow")
        if line["attack"] != "mr":
            assert float(line["accuracy"]) == pytest.approx(fmean(r.accuracy for r in own), rel=1e-5)
    assert list(lines_of(results)[0]) == summary_columns()


def test_the_rows_order_does_not_matter(make_run):
    results = open_results(make_run(membership__targets=2))
    assert summary_csv(results.rows[::-1], results.scores) == summary_csv(results.rows, results.scores)


def test_the_paired_resamples_spread_as_resampled_examples_do():
    rng = np.random.default_rng(0)
    member = np.arange(200) % 2 == 0
    first = rng.normal(size=200) + member
    second = first + 0.5 * rng.normal(size=200)
    drawn = resample_auc_difference(np.stack([first, second]), member, np.random.default_rng(1), 2000)
    by_hand = []
    for _ in range(2000):
        inside, outside = (rng.choice(np.flatnonzero(m), 100) for m in (member, ~member))
        # The definition of the AUC, without ties: how many pairs are ordered rightly.
        right = [(scores[inside][:, None] > scores[outside]).mean() for scores in (first, second)]
        by_hand.append(right[0] - right[1])
    assert drawn.mean() == pytest.approx(np.mean(by_hand), abs=0.002)
    assert drawn.std() == pytest.approx(np.std(by_hand), rel=0.08)
    same = resample_auc_difference(np.stack([first, first]), member, rng, 50)
    assert np.all(same == 0)


def test_a_fixed_draw_of_everyone_once_is_the_difference_itself(monkeypatch):
    import compleak.results.publishing.summary as module

    monkeypatch.setattr(module, "multiplicities", lambda n, count, rng: np.ones((count, n), dtype=np.int64))
    rng = np.random.default_rng(3)
    member = rng.random(90) < 0.4
    scores = np.round(rng.normal(size=(2, 90)), 1)  # with ties
    found = resample_auc_difference(scores, member, rng, 3)
    assert found == pytest.approx(roc_auc_score(member, scores[0]) - roc_auc_score(member, scores[1]), abs=1e-12)


def test_published_it_is_the_same(make_run, to_publish, tmp_path):
    run = make_run(membership__targets=2)
    publish([run], tmp_path / "boards", **to_publish)
    results = open_results(run)
    assert (tmp_path / "boards/quick-v1.summary.csv").read_text() == summary_csv(results.rows, results.scores)
