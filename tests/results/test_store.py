"""Results are read alike from a run's folder and from a published file, and never without their scores."""

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from compleak.results.leaderboard import write_leaderboard
from compleak.results.scores import ScoreError, Scores, read_pack, write_pack, write_scores
from compleak.results.store import ResultsError, changed_since_published, open_results, open_together


def scores(attack="a", shift=0.0):
    member = np.repeat([True, False], 10)
    return Scores.of(
        np.arange(20), member, np.linspace(0, 1, 20) + shift, target="t", variant="v", attack=attack, threshold=np.inf
    )


def test_a_pack_gives_back_each_content_once_in_one_order(tmp_path):
    both = [scores("a"), scores("b", 0.5)]
    write_pack([*both, both[0]], tmp_path / "one.parquet")
    write_pack(both[::-1], tmp_path / "two.parquet")
    found = read_pack(tmp_path / "one.parquet")
    assert sorted(s.sha256 for s in found) == sorted(s.sha256 for s in both)
    assert {s.attack: s.threshold for s in found} == {"a": np.inf, "b": np.inf}
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_a_file_of_one_attack_is_no_pack(tmp_path):
    write_scores(scores(), tmp_path / "one.parquet")
    with pytest.raises(ScoreError, match="write_pack"):
        read_pack(tmp_path / "one.parquet")
    (tmp_path / "none.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(ScoreError, match="no readable"):
        read_pack(tmp_path / "none.parquet")


def test_a_run_and_a_published_file_give_the_same_results(tmp_path, make_row):
    row = make_row(scores_sha256=scores().sha256, baseline_sha256=scores("b", 0.5).sha256)
    run, published = tmp_path / "run", tmp_path / "quick.csv"
    write_leaderboard([row], run / "leaderboard.csv")
    (run / "suite.yaml").write_text("name: quick\n")
    write_scores(scores(), run / "nodes/attack/1/t.parquet")
    write_scores(scores("b", 0.5), run / "nodes/attack/2/t.parquet")
    write_leaderboard([row], published)
    write_pack([scores(), scores("b", 0.5)], tmp_path / "quick.scores.parquet")
    (tmp_path / "quick.provenance.json").write_text(json.dumps({"suite": {"name": "quick"}}))
    for results in (open_results(run), open_results(published)):
        assert results.rows[0].auc == pytest.approx(row.auc, rel=1e-5)
        assert results.suite == {"name": "quick"}
        assert results.scores_of(results.rows[0]).attack == "a"
        assert results.baseline_of(results.rows[0]).attack == "b"


def test_several_results_stand_together_and_none_twice(tmp_path, make_row):
    runs = [tmp_path / name for name in ("a", "b")]
    for run in runs:
        kept = scores(run.name)
        write_scores(kept, run / "nodes/attack/1/t.parquet")
        write_leaderboard([make_row(suite=run.name, scores_sha256=kept.sha256)], run / "leaderboard.csv")
    both = open_together(runs)
    assert [row.suite for row in both.rows] == ["a", "b"]
    assert [both.scores_of(row).sha256 for row in both.rows] == [row.scores_sha256 for row in both.rows]
    assert open_together(runs[:1]).path == runs[0]
    with pytest.raises(ResultsError, match="hold the same rows more than once"):
        open_together([runs[0], runs[0]])


def test_a_copy_from_another_run_holds_the_same_rows(tmp_path, make_row):
    for name, cells in (("one", {"run_id": "1"}), ("copy", {"run_id": "2"}), ("other", {"target_seed": 18})):
        write_leaderboard([make_row(**cells)], tmp_path / f"{name}.csv")
    paths = [tmp_path / f"{name}.csv" for name in ("one", "other", "copy")]
    with pytest.raises(ResultsError, match=r"one\.csv and \S+copy\.csv hold the same rows") as raised:
        open_together(paths)
    assert "other.csv" not in str(raised.value)
    assert len(open_together(paths[:2]).rows) == 2


def test_some_may_be_named_from_here_and_some_from_the_root(tmp_path, make_row, monkeypatch):
    for name in ("one", "two"):
        write_leaderboard([make_row(suite=name)], tmp_path / name / "quick.csv")
    monkeypatch.chdir(tmp_path)
    assert open_together([Path("one/quick.csv"), tmp_path / "two" / "quick.csv"]).path == tmp_path
    assert open_together([Path("one/quick.csv"), Path("two/quick.csv")]).path == tmp_path


def test_a_runs_own_leaderboard_stands_for_its_folder_and_its_control_for_nothing(tmp_path, make_row):
    run = tmp_path / "run"
    write_scores(scores(), run / "nodes/attack/1/t.parquet")
    write_leaderboard([make_row(scores_sha256=scores().sha256)], run / "leaderboard.csv")
    write_leaderboard([make_row()], run / "null_control.csv")
    assert open_results(run / "leaderboard.csv").path == run / "leaderboard.csv"  # no suite, so no run
    (run / "suite.yaml").write_text("name: quick\n")
    results = open_results(run / "leaderboard.csv")
    assert results.path == run and len(results.null_rows) == 1
    assert results.scores_of(results.rows[0]).attack == "a"
    with pytest.raises(ResultsError, match=r"null control of a run. Give the run's folder: .*run$"):
        open_results(run / "null_control.csv")
    (run / "leaderboard.provenance.json").write_text("{}")
    assert open_results(run / "leaderboard.csv").path == run / "leaderboard.csv"


@pytest.mark.parametrize(("suffix", "what"), [("null", "the null control"), ("summary", "the means over targets")])
def test_what_lies_beside_a_leaderboard_names_the_leaderboard(tmp_path, make_row, suffix, what):
    rows = tmp_path / "crops-0.5-v1.csv"
    write_leaderboard([make_row()], rows)
    write_leaderboard([make_row()], tmp_path / f"crops-0.5-v1.{suffix}.csv")
    with pytest.raises(ResultsError, match=f"is {what} of a published leaderboard. Give the leaderboard: {rows}"):
        open_results(tmp_path / f"crops-0.5-v1.{suffix}.csv")
    assert open_results(rows).path == rows


def test_a_file_that_was_changed_after_publication_is_found(tmp_path, make_row):
    rows, null, notes = (tmp_path / f"q{suffix}" for suffix in (".csv", ".null.csv", ".provenance.json"))
    for file in (rows, null):
        write_leaderboard([make_row()], file)
    assert changed_since_published(open_results(rows)) == []
    named = {role: {"sha256": sha256(file.read_bytes()).hexdigest()} for role, file in (("rows", rows), ("null", null))}
    notes.write_text(json.dumps({"suite": {}, "files": named}))
    assert changed_since_published(open_results(rows)) == []
    for file in (null, rows):
        file.write_text(file.read_text().replace("0.8125", "0.9125"))
    assert changed_since_published(open_results(rows)) == [rows, null]
    write_leaderboard([make_row(suite="other")], tmp_path / "other.csv")
    assert changed_since_published(open_together([rows, tmp_path / "other.csv"])) == [rows, null]
    notes.write_text(json.dumps({"suite": {}, "files": ["rows"]}))
    assert rows in changed_since_published(open_results(rows))


def test_scores_that_are_not_kept_are_said_to_be_missing(tmp_path, make_row):
    write_leaderboard([make_row()], tmp_path / "quick.csv")
    results = open_results(tmp_path / "quick.csv")
    with pytest.raises(ScoreError, match="keeps no scores"):
        results.scores_of(results.rows[0])
    assert results.baseline_of(results.rows[0]) is None


@pytest.mark.parametrize("name", ["absent", "empty", "text.csv"])
def test_what_is_no_result_is_said_to_be_none(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ResultsError, match=name):
        open_results(tmp_path / name)
