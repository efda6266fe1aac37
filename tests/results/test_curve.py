"""The curve over shadows: which rows are held against which, and that the figures are those of the scores."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from compleak.benchmarks.cli import app
from compleak.results.curve import contrasts, holds, points
from compleak.results.curve_table import _counted, contrast_tables, point_tables
from compleak.results.leaderboard import write_leaderboard
from compleak.results.metrics import auc
from compleak.results.scores import Scores, write_pack
from compleak.results.store import open_results

MEMBER = np.repeat([True, False], 200)


def scores(attack, variant, lift, seed):
    score = np.random.default_rng(seed).normal(size=400) + lift * MEMBER
    return Scores.of(np.arange(400), MEMBER, score, target="t", variant=variant, attack=attack, threshold=0.0)


@pytest.fixture
def results(tmp_path, make_row):
    """Two targets, two numbers of shadows, an attack on the original and SR on a compressed model beside it."""
    rows, kept = [], []
    for target in range(2):
        for shadows, lift in ((2, 0.5), (4, 1.5)):
            for attack, access, framework, setting in (
                ("compleak-nr-train2-rf", "one-model", "none", "original"),
                ("joint-online-nr", "one-model", "none", "original"),
                ("joint-online-nr", "one-model", "tflite", "clustering-k16"),
                ("joint-online-sr", "original+compressed", "tflite", "clustering-k16"),
            ):
                lifted = lift + 1.0 * (attack != "compleak-nr-train2-rf")
                kept.append(scores(attack, setting, lifted, len(kept)))
                cells = {"attack": attack, "access": access, "framework": framework, "setting": setting}
                cells |= {"shadows": shadows, "target": f"t-{target}", "auc": auc(kept[-1].score, MEMBER)}
                cells |= {"technique": "none" if framework == "none" else "clustering", "baseline_sha256": ""}
                rows.append(make_row(**cells, scores_sha256=kept[-1].sha256))
    write_leaderboard(rows, tmp_path / "quick.csv")
    write_pack(kept, tmp_path / "quick.scores.parquet")
    return open_results(tmp_path / "quick.csv")


def test_an_attack_is_held_against_another_at_equal_access_else_against_the_original_alone(results):
    pairs = {(c.attack, c.holds, c.baseline, c.baseline_holds) for c in contrasts(results)}
    assert pairs == {
        ("joint-online-nr", "original", "compleak-nr-train2-rf", "original"),
        ("joint-online-sr", "original and tflite clustering-k16", "joint-online-nr", "original"),
        ("joint-online-nr", "tflite clustering-k16", "joint-online-nr", "original"),
    }


def test_a_difference_is_the_mean_over_targets_with_the_same_shadows(results):
    found = [c for c in contrasts(results) if c.baseline == "compleak-nr-train2-rf"]
    assert [(c.shadows, c.targets) for c in found] == [(2, 2), (4, 2)]
    for contrast in found:
        by_target = {
            (r.target, r.attack): r.auc for r in results.rows if r.shadows == contrast.shadows and r.framework == "none"
        }
        differences = [by_target[t, "joint-online-nr"] - by_target[t, "compleak-nr-train2-rf"] for t in ("t-0", "t-1")]
        assert contrast.difference == pytest.approx(np.mean(differences), abs=1e-5)
        assert contrast.low < contrast.difference < contrast.high
        assert contrast.p_holm < 0.05


def test_points_are_means_over_targets(results):
    point = next(p for p in points(results.rows) if p.attack == "joint-online-sr" and p.shadows == 4)
    own = [r.auc for r in results.rows if r.attack == "joint-online-sr" and r.shadows == 4]
    assert (point.targets, point.holds) == (2, "original and tflite clustering-k16")
    assert point.auc == pytest.approx(np.mean(own))


def test_several_models_are_counted_and_named_by_framework(make_row):
    several = {"framework": "tflite+pytorch-mobile", "technique": "multiple"}
    assert holds(make_row(**several, setting="original;a/x;b/y", access="multiple+original")) == (
        "original and 2 compressed, tflite+pytorch-mobile"
    )
    assert holds(make_row(**several, setting="a/x;b/y", access="multiple")) == "2 compressed, tflite+pytorch-mobile"


def test_tables_have_a_column_for_each_number_of_shadows_and_survive_markdown(results, tmp_path):
    tables = [*point_tables(points(results.rows)), *contrast_tables(contrasts(results))]
    assert all(t.headings[-2:] == ("2 shadows", "4 shadows") for t in tables)
    assert all(len(line) == len(t.headings) for t in tables for line in t.lines)
    run = CliRunner().invoke(app, ["curve", str(results.path), "--markdown", str(tmp_path / "power.md")])
    assert run.exit_code == 0
    written = (tmp_path / "power.md").read_text()
    assert written == "\n".join(t.markdown() for t in tables)
    assert all(
        line.count("|") == len(tables[0].headings) + 1
        for line in written.splitlines()
        if "AUC" in line and line[0] == "|"
    )


def words(text):
    """The text's words; a folded one is two."""
    return set(text.split())


@pytest.mark.parametrize(("width", "intervals"), [(80, True), (70, False), (200, True)])
def test_tables_fit_the_terminal_without_a_folded_word(results, monkeypatch, width, intervals):
    monkeypatch.setenv("COLUMNS", str(width))
    run = CliRunner().invoke(app, ["curve", str(results.path)])
    assert run.exit_code == 0, run.output
    assert max(map(len, run.output.splitlines())) <= width
    assert {"compleak-nr-train2-rf", "joint-online-nr", "clustering-k16", "original"} <= words(run.output)
    assert ("AUC (95 %)" in run.output) is intervals
    assert ("Intervals are left out: they need" in run.output) is not intervals
    for p in points(results.rows):
        assert f"{p.auc:.3f}" in words(run.output)


def test_a_table_of_nothing_is_one_line(make_row, tmp_path):
    write_leaderboard([make_row(**{"tpr_at_0.1pct": "n/a"}, baseline_sha256="")], tmp_path / "q.csv")
    run = CliRunner().invoke(app, ["curve", str(tmp_path / "q.csv")])
    assert "TPR at FPR 0.1 %: n/a, too few non-members for so low a rate." in run.output
    assert run.output.count("compleak-nr-train2-rf") == 2 and "p < 0.05" not in run.output


def test_one_of_anything_is_one_and_none_are_many(make_row):
    assert _counted((0, 1, 2)) == ("0 shadows", "1 shadow", "2 shadows")


def test_a_framework_that_nobody_knows_is_not_named(make_row):
    row = make_row(framework="unknown", setting="int8", access="original+compressed")
    assert holds(row) == "original and int8"
    several = {
        "framework": "unknown",
        "technique": "multiple",
        "setting": "original;a;b",
        "access": "multiple+original",
    }
    assert holds(make_row(**several)) == "original and 2 compressed"


def test_the_tables_of_the_documentation_are_those_of_the_published_rows():
    root = Path(__file__).parents[2]
    published = open_results(root / "results" / "leaderboards" / "power-fashion-v1.csv")
    text = (root / "docs" / "power.md").read_text()
    tables = [*point_tables(points(published.rows)), *contrast_tables(contrasts(published))]
    assert [line for line in text.splitlines() if line.startswith("### ")] == [f"### {t.title}" for t in tables]
    for table in tables:
        assert table.markdown() in text + "\n"


@pytest.mark.parametrize(
    ("cell", "values", "named"),
    [
        ("suite", ("one", "two"), ("one", "two")),
        ("model", ("resnet8", "vgg11"), ("resnet8", "vgg11")),
        ("data_sha256", ("12" * 32, "34" * 32), ("data 12121212", "data 34343434")),
        ("recipe_sha256", ("12" * 32, "34" * 32), ("recipe 12121212", "recipe 34343434")),
    ],
)
def test_nothing_is_averaged_over_what_differs_in_more_than_the_target(make_row, tmp_path, cell, values, named):
    rows, kept = [], []
    for value, aucs in zip(values, ((0.6, 0.7), (0.8, 0.9)), strict=True):
        for target, auc_ in enumerate(aucs):
            for attack in ("compleak-nr-train2-rf", "joint-online-nr"):
                kept.append(scores(attack, "original", auc_, len(kept)))
                facts = {"framework": "none", "setting": "original", "attack": attack, "target": f"t-{target}"}
                facts |= {"scores_sha256": kept[-1].sha256, "auc": auc_, "shadows": 2, cell: value}
                rows.append(make_row(**facts))
    write_leaderboard(rows, tmp_path / "quick.csv")
    write_pack(kept, tmp_path / "quick.scores.parquet")
    found = points(rows)
    assert [(p.part, p.targets) for p in found if p.attack == "joint-online-nr"] == [(name, 2) for name in named]
    assert [p.auc for p in found if p.attack == "joint-online-nr"] == pytest.approx([0.65, 0.85])
    pairs = contrasts(open_results(tmp_path / "quick.csv"))
    assert [(c.part, c.targets) for c in pairs] == [(name, 2) for name in named]
    assert [table.title for table in point_tables(found)][::3] == [f"AUC (95 %): {name}" for name in named]
    assert [table.title.rpartition(": ")[2] for table in contrast_tables(pairs)] == list(named)
