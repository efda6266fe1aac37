"""Two runs: what is matched, what is paired, and what counts as a regression."""

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy.stats import binomtest

from compleak.results.comparison.changes import changes
from compleak.results.comparison.changes_table import changes_table
from compleak.results.comparison.compare import CompareError
from compleak.results.delong import delong_paired_test
from compleak.results.leaderboard import write_leaderboard
from compleak.results.records import evaluate
from compleak.results.scores import Scores, write_pack
from compleak.results.store import open_results

PUBLISHED = Path(__file__).parents[3] / "results" / "leaderboards"
MEMBER = np.repeat([True, False], 500)


def scores(seed, shift, member=MEMBER, first=0):
    values = np.random.default_rng(seed).normal(size=len(member)) + shift * member
    ids = np.arange(first, first + len(member))
    return Scores.of(ids, member, values, target="t", variant="v", attack="a", threshold=0.0)


@pytest.fixture
def run(make_row, tmp_path):
    """Make a run of some rows, each a setting with its scores and cells."""

    def made(name, rows, keep=True):
        all_rows = []
        for setting, (own, cells) in rows.items():
            found = evaluate(own.score, own.member, own.threshold, seed=0, resamples=200).cells
            facts = {"scores_sha256": own.sha256, "accuracy": 0.8, "bytes": 1000, "n_nonmembers": 500}
            all_rows.append(make_row(setting=setting, **found | facts | cells))
        write_leaderboard(all_rows, tmp_path / f"{name}.csv")
        if keep:
            write_pack([own for own, _ in rows.values()], tmp_path / f"{name}.scores.parquet")
        return open_results(tmp_path / f"{name}.csv")

    return made


def test_rows_are_matched_by_name(run):
    one, two = scores(1, 0.5), scores(2, 0.5)
    found = changes(run("a", {"k4": (one, {}), "k8": (two, {})}), run("b", {"k8": (two, {}), "k16": (one, {})}))
    assert [c.now.setting for c in found.changes] == ["k8"]
    assert ([r.setting for r in found.new], [r.setting for r in found.gone]) == (["k16"], ["k4"])
    assert found.changes[0].same_scores
    assert found.changes[0].auc.difference == 0
    assert not found.regressions


def test_the_same_examples_are_compared_in_pairs(run):
    before, after = scores(1, 0.5), scores(2, 1.0)
    (change,) = changes(run("a", {"k4": (before, {})}), run("b", {"k4": (after, {})})).changes
    test = delong_paired_test(after.score, before.score, MEMBER)
    assert change.paired
    assert (change.auc.difference, change.auc.low, change.auc.high) == (test.difference, test.low, test.high)


@pytest.mark.parametrize("how", ["other examples", "other data", "not kept"])
def test_what_cannot_be_paired_is_compared_unpaired_and_said_to_be(run, how):
    before = scores(1, 0.5)
    after = scores(2, 1.0, first=7 if how == "other examples" else 0)
    cells = {"data_sha256": "99" * 32} if how == "other data" else {}
    found = changes(run("a", {"k4": (before, {})}), run("b", {"k4": (after, cells)}, keep=how != "not kept"))
    (change,) = found.changes
    assert not change.paired
    was, now = change.was, change.now
    # Newcombe's square-and-add, written out.
    low = now.auc - was.auc - ((now.auc - now.auc_low) ** 2 + (was.auc_high - was.auc) ** 2) ** 0.5
    assert change.auc.low == pytest.approx(low)
    assert "1 of 1 row compared unpaired" in " ".join(found.notes)


def test_growth_beyond_the_margin_is_a_regression_and_within_it_is_none(run):
    before, after = run("a", {"k4": (scores(1, 0.3), {})}), run("b", {"k4": (scores(2, 1.2), {})})
    (regression, *_) = changes(before, after, margin=0.01).regressions
    assert (regression.metric, regression.row.setting) == ("auc", "k4")
    assert regression.delta.low > 0.01
    assert not changes(before, after, margin=0.5).regressions
    assert not changes(after, before, margin=0.01).regressions


def test_growth_that_may_be_chance_is_none(run):
    small = np.repeat([True, False], 25)
    before = run("a", {"k4": (scores(1, 0.5, small), {})})
    after = run("b", {"k4": (scores(5, 1.0, small), {})})
    found = changes(before, after)
    assert found.changes[0].auc.difference > 0.01
    assert not found.regressions


def test_many_rows_make_chance_finds_rarer(run):
    """The same growth is a regression alone, and none among a hundred that did not grow."""
    grown = (scores(1, 0.5), scores(5, 0.85))
    alone = changes(run("a", {"k1": (grown[0], {})}), run("b", {"k1": (grown[1], {})}))
    assert [r.metric for r in alone.regressions] == ["auc"]
    others = {f"k{k}": (scores(100 + k, 0.5), scores(300 + k, 0.5)) for k in range(2, 60)} | {"k1": grown}
    before = run("c", {k: (v[0], {}) for k, v in others.items()})
    after = run("d", {k: (v[1], {}) for k, v in others.items()})
    assert not changes(before, after).regressions


def test_a_fall_of_accuracy_is_a_regression_once_an_artifact(run):
    own = scores(1, 0.5)
    rows = {"k4": (own, {"accuracy": 0.9, "n_nonmembers": 5000})}
    worse = {"k4": (own, {"accuracy": 0.8, "n_nonmembers": 5000, "bytes": 1500})}
    found = changes(run("a", rows), run("b", worse))
    assert [(r.metric, round(r.delta.difference, 6)) for r in found.regressions] == [("accuracy", -0.1)]
    assert found.artifacts[0].bytes == 500
    assert not changes(run("c", worse), run("d", rows)).regressions
    assert not changes(run("e", rows), run("f", {"k4": (own, {"accuracy": 0.895, "n_nonmembers": 5000})})).regressions


@pytest.mark.parametrize(("name", "artifacts"), [("power-fashion-v1", 8), ("encoders-simclr-v1", 7)])
def test_an_artifact_is_one_whatever_the_number_of_shadows(name, artifacts):
    published = open_results(PUBLISHED / f"{name}.csv")
    counted = {(r.target, r.framework, r.setting) for r in published.rows if r.technique != "multiple"}
    assert len(changes(published, published).artifacts) == len(counted) == artifacts


def test_an_accuracy_is_tested_once_whatever_the_number_of_shadows(make_row, tmp_path):
    for name, accuracy in (("was", 0.9), ("now", 0.8)):
        rows = [
            make_row(attack=attack, shadows=shadows, accuracy=accuracy)
            for attack in ("a", "b")
            for shadows in (1, 2, 4)
        ]
        write_leaderboard(rows, tmp_path / f"{name}.csv")
    found = changes(open_results(tmp_path / "was.csv"), open_results(tmp_path / "now.csv"))
    assert (len(found.changes), len(found.artifacts)) == (6, 1)
    assert [r.metric for r in found.regressions] == ["accuracy"]


@pytest.mark.parametrize("attacks", [[], ["lpla-known"]])
def test_an_accuracy_is_that_of_all_non_members_though_an_attack_scored_half(make_row, tmp_path, attacks):
    for name, accuracy in (("was", 0.8), ("now", 0.7)):
        rows = [
            make_row(attack="lpla-known", access="partial-known", shadows=0, n_nonmembers=100, accuracy=accuracy),
            make_row(attack="lpla-shadow", access="shadow", shadows=1, n_nonmembers=200, accuracy=accuracy),
        ]
        write_leaderboard(rows, tmp_path / f"{name}.csv")
    found = changes(open_results(tmp_path / "was.csv"), open_results(tmp_path / "now.csv"), attacks=attacks)
    # Wilson's intervals for 160 and 140 of 200, put together by Newcombe's square-and-add.
    was, now = (binomtest(right, 200).proportion_ci(method="wilson") for right in (160, 140))
    low = -0.1 - ((0.7 - now.low) ** 2 + (was.high - 0.8) ** 2) ** 0.5
    assert found.artifacts[0].accuracy.low == pytest.approx(low, abs=1e-9)


def test_recipes_and_versions_that_differ_are_named(run):
    own = scores(1, 0.5)
    before = run("a", {"k4": (own, {"versions": "numpy=2.0 torch=2.6"})})
    after = run("b", {"k4": (own, {"versions": "numpy=2.1 torch=2.6", "recipe_sha256": "00" * 32})})
    notes = " ".join(changes(before, after).notes)
    assert "recipes are not the same" in notes
    assert "numpy=2.0 became numpy=2.1" in notes
    assert "torch" not in notes


def test_mistakes_are_answered(run):
    first, second = run("a", {"k4": (scores(1, 0.5), {})}), run("b", {"k8": (scores(1, 0.5), {})})
    with pytest.raises(CompareError, match="no row in common"):
        changes(first, second)
    with pytest.raises(CompareError, match=r"no row in common.*among the attacks mine"):
        changes(first, first, attacks=["mine"])
    with pytest.raises(CompareError, match="margin must be 0 or more"):
        changes(first, first, margin=-0.1)


def test_rows_that_cannot_be_told_apart_are_refused(make_row, tmp_path):
    write_leaderboard([make_row(target_seed=1), make_row(target_seed=2)], tmp_path / "a.csv")
    twice = open_results(tmp_path / "a.csv")
    with pytest.raises(CompareError, match="several rows"):
        changes(twice, twice)


def test_the_table_fits_and_names_regressions(run):
    before = run("a", {"k4": (scores(1, 0.3), {"accuracy": 0.9}), "gone": (scores(7, 0.3), {})})
    after = run("b", {"k4": (scores(2, 1.2), {"bytes": 1500}), "[red]new": (scores(7, 0.3), {})})
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\n")
    Console(file=out, width=80).print(changes_table(changes(before, after)))
    out.seek(0)
    text = out.read()
    assert max(map(len, text.splitlines())) <= 80
    for words in ("Regression: AUC of tflite k4", "new: tflite [red]new", "gone: tflite gone", "+500", "1 new, 1 gone"):
        assert words in text
