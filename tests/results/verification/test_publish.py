"""What is published is verified, whole, the same bytes for the same rows, and never of two recipes."""

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from compleak.results.leaderboard import read_leaderboard
from compleak.results.publishing.provenance import Code, read_provenance
from compleak.results.publishing.publish import PublishError, UnverifiedError, publish
from compleak.results.scores import read_pack
from compleak.results.store import ResultsError, open_results


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def summary(folder):
    with (folder / "quick-v1.summary.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_five_files_travel_together_and_are_read_as_results(run, to_publish, tmp_path, check):
    (changes,) = publish([run], tmp_path / "boards", **to_publish)
    assert sorted(contents(tmp_path / "boards")) == [
        "quick-v1.csv", "quick-v1.null.csv", "quick-v1.provenance.json", "quick-v1.scores.parquet",
        "quick-v1.summary.csv",
    ]  # fmt: skip
    assert (tmp_path / "boards/quick-v1.csv").read_bytes() == (run / "leaderboard.csv").read_bytes()
    assert (tmp_path / "boards/quick-v1.null.csv").read_bytes() == (run / "null_control.csv").read_bytes()
    assert (len(changes.added), changes.removed, changes.changed) == (6, (), ())
    ours, theirs = open_results(tmp_path / "boards/quick-v1.csv"), open_results(run)
    assert ours.rows == theirs.rows
    assert ours.suite == theirs.suite
    for row in (*ours.rows, *ours.null_rows):
        assert np.array_equal(ours.scores_of(row).score, theirs.scores_of(row).score)
        assert (ours.baseline_of(row) is None) == (row.attack == "nr" and row.setting == "original")


def test_only_the_scores_that_rows_need_travel(make_run, to_publish, tmp_path):
    run, older = make_run("new"), make_run("old", draw=1)
    for folder in older.glob("nodes/*/*"):
        folder.rename(run / folder.relative_to(older))
    publish([run], tmp_path / "boards", **to_publish)
    rows = open_results(tmp_path / "boards/quick-v1.csv")
    needed = {s for r in (*rows.rows, *rows.null_rows) for s in (r.scores_sha256, r.baseline_sha256) if s}
    assert {s.sha256 for s in read_pack(tmp_path / "boards/quick-v1.scores.parquet")} == needed
    assert len(list(run.glob("nodes/attack/*/*.parquet"))) == 2 * len(needed)


def test_the_provenance_says_where_everything_comes_from(run, to_publish, tmp_path):
    publish([run], tmp_path / "boards", **to_publish)
    found = read_provenance(tmp_path / "boards/quick-v1.provenance.json")
    (one,) = found.runs
    assert found.suite == one.suite == open_results(run).suite
    assert found.suite["description"] == "made up"
    assert one.data.sha256 == "ab" * 32
    assert one.seeds == {"target-0": 10, "null": 11}
    assert one.versions == "numpy=2.0 python=3.11"
    assert one.reproduce == "compleak run quick"
    assert one.code == Code(version="0")
    manifests = list(run.glob("nodes/*/*/manifest.json"))
    assert (one.nodes, one.seconds) == (len(manifests), 1.5 * len(manifests))
    assert [m.model_dump() for m in one.machines] == [
        {"system": "Linux", "machine": "x86_64", "cores": 2, "nodes": len(manifests)}
    ]
    artifact = next(run.glob("nodes/compress/target-0__*pruning*/model.tflite"))
    (variant,) = (v for v in one.variants if v.target == "target-0" and "pruning" in v.setting)
    assert variant.artifact_sha256 == hashlib.sha256(artifact.read_bytes()).hexdigest()
    assert variant.facts["bytes"] == len(artifact.read_bytes())
    for file in found.files.values():
        assert hashlib.sha256((tmp_path / "boards" / file.name).read_bytes()).hexdigest() == file.sha256
    assert any("recomputed" in sentence for sentence in found.verified)


def test_the_same_again_changes_no_byte(run, to_publish, tmp_path):
    publish([run], tmp_path / "boards", **to_publish)
    before = contents(tmp_path / "boards")
    later = {**to_publish, "describe": lambda suite, run_id: ("compleak run quick", Code(version="99"))}
    for sources in ([run], [run, run], [tmp_path / "boards/quick-v1.csv"]):
        (changes,) = publish(sources, tmp_path / "boards", **later)
        assert changes.nothing
        assert changes.lines() == ["nothing changed"]
        assert contents(tmp_path / "boards") == before


def test_the_order_of_publishing_does_not_matter_for_rows(make_run, to_publish, tmp_path):
    one, three = make_run("one"), make_run("three", membership__targets=3)
    publish([one], tmp_path / "a", **to_publish)
    (changes,) = publish([three], tmp_path / "a", **to_publish)
    assert len(changes.added) == 12
    assert "rows added" in changes.lines()[0]
    publish([one, three], tmp_path / "b", **to_publish)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_runs_with_other_targets_and_shadows_are_merged(make_run, to_publish, tmp_path, check):
    two, more = make_run("two", membership__targets=2), make_run("more", membership__shadows=4)
    (changes,) = publish([two, more], tmp_path / "boards", **to_publish)
    rows = read_leaderboard(tmp_path / "boards/quick-v1.csv")
    assert (changes.rows, changes.targets) == (18, 2)
    assert {(r.target, r.shadows) for r in rows} == {("target-0", 2), ("target-1", 2), ("target-0", 4)}
    assert len({r.recipe_sha256 for r in rows}) == 2
    assert check(tmp_path / "boards/quick-v1.csv").sound
    # Aggregated apart: an attacker with four shadows is another attacker.
    assert sorted({(line["shadows"], line["targets"]) for line in summary(tmp_path / "boards")}) == [
        ("2", "2"),
        ("4", "1"),
    ]


def test_a_new_run_of_the_recipe_replaces_the_old_and_says_what_changed(make_run, to_publish, tmp_path):
    first, second = make_run("first"), make_run("second", draw=5)
    publish([first], tmp_path / "boards", **to_publish)
    (changes,) = publish([second], tmp_path / "boards", **to_publish)
    assert (changes.added, changes.removed) == ((), ())
    assert {"auc", "scores_sha256", "run_id"} <= {column for _, column, _, _ in changes.changed}
    assert "bytes" not in {column for _, column, _, _ in changes.changed}
    text = "\n".join(changes.lines())
    assert "0 rows added, 0 removed, 6 changed" in text
    assert "auc 6" in text
    assert (tmp_path / "boards/quick-v1.csv").read_bytes() == (second / "leaderboard.csv").read_bytes()
    assert len(read_pack(tmp_path / "boards/quick-v1.scores.parquet")) == 16
    assert [r.run_id for r in read_provenance(tmp_path / "boards/quick-v1.provenance.json").runs] == [
        read_leaderboard(second / "leaderboard.csv")[0].run_id
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("training__learning_rate", 0.5),
        ("seed", 3),
        ("compress__tflite", ["pruning-magnitude-0.6", "clustering-k8"]),
        ("statistics__resamples", 200),
    ],
)
def test_other_recipes_are_refused_and_the_field_is_named(make_run, to_publish, tmp_path, field, value):
    one, other = make_run("one"), make_run("other", **{field: value})
    with pytest.raises(PublishError, match=field.replace("__", r"\.")) as error:
        publish([one, other], tmp_path / "boards", **to_publish)
    assert str(value) in str(error.value)
    assert not (tmp_path / "boards").exists()
    publish([one], tmp_path / "boards", **to_publish)
    before = contents(tmp_path / "boards")
    with pytest.raises(PublishError, match="different recipes"):
        publish([other], tmp_path / "boards", **to_publish)
    assert contents(tmp_path / "boards") == before


def test_the_text_of_a_suite_is_no_part_of_its_recipe(make_run, to_publish, tmp_path):
    runs = [make_run("one"), make_run("other", description="=said otherwise")]
    publish(runs, tmp_path / "boards", **to_publish)
    assert len(read_leaderboard(tmp_path / "boards/quick-v1.csv")) == 6


def test_two_suites_are_two_leaderboards_or_none(make_run, to_publish, tmp_path):
    one, other = make_run("one"), make_run("other", name="slow")
    changes = publish([one, other], tmp_path / "boards", **to_publish)
    assert [c.path.name for c in changes] == ["quick-v1.csv", "slow-v1.csv"]
    (other / "leaderboard.csv").write_text((other / "leaderboard.csv").read_text().replace(",0.8,", ",0.9,"))
    with pytest.raises(UnverifiedError):
        publish([one, other], tmp_path / "none", **to_publish)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", ["../out", "=x", "", "a/b"])
def test_a_suite_whose_name_is_no_file_name_is_refused(make_run, to_publish, tmp_path, name):
    with pytest.raises(PublishError, match="no file name"):
        publish([make_run(name=name)], tmp_path / "boards", **to_publish)


def test_what_does_not_verify_is_not_published(run, to_publish, tmp_path):
    next(run.glob("nodes/compress/target-0*/model.tflite")).write_bytes(b"other")
    with pytest.raises(UnverifiedError) as error:
        publish([run], tmp_path / "boards", **to_publish)
    assert "model.tflite" in str(error.value.verification.problems[0])
    assert not (tmp_path / "boards").exists()


def test_nothing_is_added_to_a_leaderboard_that_does_not_verify(make_run, to_publish, tmp_path):
    publish([make_run("one")], tmp_path / "boards", **to_publish)
    board = tmp_path / "boards/quick-v1.csv"
    board.write_text(board.read_text().replace("note 0", "note 9"))
    before = contents(tmp_path / "boards")
    with pytest.raises(UnverifiedError, match="quick-v1"):
        publish([make_run("two", membership__targets=2)], tmp_path / "boards", **to_publish)
    assert contents(tmp_path / "boards") == before


def test_somebody_elses_leaderboard_is_verified_and_merged(make_run, to_publish, tmp_path):
    publish([make_run("theirs", membership__targets=2)], tmp_path / "submitted", **to_publish)
    submitted = tmp_path / "submitted/quick-v1.csv"
    publish([submitted], tmp_path / "ours", **to_publish)
    ours, theirs = contents(tmp_path / "ours"), contents(tmp_path / "submitted")
    sidecars = [json.loads(c.pop("quick-v1.provenance.json")) for c in (ours, theirs)]
    assert ours == theirs
    # Whoever merges it has not seen the run.
    assert [s["runs"][0].pop("verified_from") for s in sidecars] == ["published files", "run folder"]
    assert sidecars[0] == sidecars[1]
    (changes,) = publish([tmp_path / "theirs"], tmp_path / "ours", **to_publish)
    assert changes.other == ("the provenance",)
    assert contents(tmp_path / "ours") == contents(tmp_path / "submitted")
    submitted.write_text(submitted.read_text().replace(",2.5,", ",1.5,").replace(",3.5,", ",1.5,"))
    with pytest.raises(UnverifiedError):
        publish([submitted], tmp_path / "more", **to_publish)


def test_scores_that_are_too_large_go_to_an_address(run, to_publish, tmp_path, check):
    boards, pack = tmp_path / "boards", tmp_path / "pack.parquet"
    with pytest.raises(PublishError, match="--scores-address"):
        publish([run], boards, **to_publish, limit=1000)
    assert list(boards.iterdir()) == []
    with pytest.raises(PublishError, match="--scores FILE"):
        publish([run], boards, **to_publish, address="https://example.org/s")
    publish([run], boards, **to_publish, limit=1000, address="https://example.org/s", pack=pack)
    assert "quick-v1.scores.parquet" not in contents(boards)
    known = read_provenance(boards / "quick-v1.provenance.json").scores
    assert (known.address, known.sha256) == ("https://example.org/s", hashlib.sha256(pack.read_bytes()).hexdigest())
    assert check(boards / "quick-v1.csv", pack=pack).sound
    with pytest.raises(ResultsError, match=r"https://example.org/s"):
        check(boards / "quick-v1.csv")
    (changes,) = publish([run], boards, **to_publish, limit=1000, address="https://example.org/s", pack=pack)
    assert changes.nothing
    pack.write_bytes(pack.read_bytes() + b"x")
    assert not check(boards / "quick-v1.csv", pack=pack).sound


def test_a_failure_half_way_leaves_everything_as_it_was(make_run, to_publish, tmp_path, monkeypatch):
    publish([make_run("first")], tmp_path / "boards", **to_publish)
    before = contents(tmp_path / "boards")
    second = make_run("second", draw=5)
    replace, done = Path.replace, []

    def failing(self, target):
        if self.parent.name.startswith(".publish-") and not self.name.startswith("."):
            done.append(target)
            if len(done) == 3:
                raise OSError("disk full")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(OSError, match="disk full"):
        publish([second], tmp_path / "boards", **to_publish)
    assert len(done) == 3
    assert contents(tmp_path / "boards") == before
    done.clear()
    with pytest.raises(OSError, match="disk full"):
        publish([second], tmp_path / "new", **to_publish)
    assert contents(tmp_path / "new") == {}


def test_what_cannot_be_planned_is_published_and_said(run, to_publish, tmp_path):
    from compleak.results.publishing.verify import PlanError

    def planner(suite):
        raise PlanError("an attack of another version")

    publish([run], tmp_path / "boards", planner=planner, describe=to_publish["describe"])
    content = json.loads((tmp_path / "boards/quick-v1.provenance.json").read_text())
    assert any("another version" in note for note in content["runs"][0]["not_checked"])
