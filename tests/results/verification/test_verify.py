"""Whatever is changed in a run or a published leaderboard is found, and named."""

import csv
import hashlib
import json
from dataclasses import replace

import pytest

from compleak.results.publishing.publish import publish
from compleak.results.publishing.verify import Expectation, PlanError, verify
from compleak.results.records import columns
from compleak.results.scores import read_pack, read_scores, write_pack, write_scores
from compleak.results.store import ResultsError


def edit(path, change):
    """Change the list of a CSV file's lines in place."""
    with path.open(newline="") as stream:
        lines = list(csv.reader(stream))
    change(lines)
    with path.open("w", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(lines)


def other(cell):
    """Another value that the same column could hold."""
    if not cell:
        return "1"
    try:
        return f"{float(cell) * 0.97:.6g}" if "." in cell else str(int(cell) + 1)
    except ValueError:
        return {"n/a": "7", "inf": "9.5"}.get(cell, cell[:-1] + ("0" if cell[-1] != "0" else "1"))


def tampered_cell(path, column, line=5):
    place = list(columns()).index(column)

    def change(lines):
        lines[line][place] = other(lines[line][place])

    edit(path, change)


def line_of(path, *words):
    """The place of the first line that has all ``words``."""
    return next(i for i, line in enumerate(path.read_text().splitlines()) if all(f",{w}," in line for w in words))


def json_edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def rehash(board):
    """Make the provenance's hashes and counts fit again, as a careful forger would."""

    def change(content):
        for role, file in content["files"].items():
            path = board.with_suffix({"rows": ".csv", "null": ".null.csv", "summary": ".summary.csv"}[role])
            file["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        content["rows"] = len(board.read_text().splitlines()) - 1
        content["null_rows"] = len(board.with_suffix(".null.csv").read_text().splitlines()) - 1
        pack = board.with_suffix(".scores.parquet")
        content["scores"]["sha256"] = hashlib.sha256(pack.read_bytes()).hexdigest()

    json_edit(board.with_suffix(".provenance.json"), change)


def texts(verification):
    return "\n".join(map(str, verification.problems))


def test_an_honest_run_and_an_honest_leaderboard_verify(run, board, check):
    for path in (run, board):
        found = check(path)
        assert texts(found) == ""
        assert (len(found.results.rows), len(found.results.null_rows)) == (6, 6)
        assert len(found.scores) == 16
        assert found.sound
    assert check(run).files == sum(len(json.loads(m.read_text())["files"]) for m in run.rglob("manifest.json"))


@pytest.mark.parametrize("column", columns())
def test_any_changed_cell_of_a_run_is_named(run, check, column):
    tampered_cell(run / "leaderboard.csv", column)
    found = check(run)
    assert any(p.row == 6 and p.cell == column for p in found.problems) or column == "schema_version"
    assert not found.sound


@pytest.mark.parametrize("column", ["auc", "auc_high", "tpr_at_1pct_threshold", "setting", "accuracy", "latency_ms"])
def test_any_changed_cell_of_the_null_control_is_named(run, board, check, column):
    for path, place in ((run / "null_control.csv", run), (board.with_suffix(".null.csv"), board)):
        tampered_cell(path, column)
        assert any((p.file, p.row, p.cell) == (path.name, 6, column) for p in check(place).problems)


@pytest.mark.parametrize("column", columns())
def test_any_changed_cell_of_a_leaderboard_is_named_even_if_its_hashes_fit(board, check, column):
    tampered_cell(board, column)
    rehash(board)
    found = check(board)
    assert any(p.row == 6 and p.cell == column for p in found.problems) or column == "schema_version"
    assert not found.sound


def test_a_changed_cell_is_told_with_what_it_should_be(board, check):
    was = board.read_text().splitlines()[3].split(",")[list(columns()).index("auc")]
    edit(board, lambda lines: lines[3].__setitem__(list(columns()).index("auc"), "0.999"))
    (problem,) = (p for p in check(board).problems if p.cell == "auc" and p.file == board.name)
    assert (problem.row, problem.stated, problem.found) == (4, "0.999", was)
    assert "row 4" in str(problem)
    assert "0.999, recomputed from its scores " + was in str(problem)


@pytest.mark.parametrize("cell", ["auc", "auc_minus_original_high", "interval", "bytes", "setting"])
def test_a_changed_cell_of_the_summary_is_named(board, check, cell):
    path = board.with_suffix(".summary.csv")
    place = path.read_text().splitlines()[0].split(",").index(cell)
    edit(path, lambda lines: lines[3].__setitem__(place, other(lines[3][place])))
    rehash(board)
    assert [(p.file, p.row, p.cell) for p in check(board).problems] == [(path.name, 4, cell)]


@pytest.mark.parametrize("careful", [False, True])
def test_a_changed_score_in_the_pack_is_found(board, check, careful):
    path = board.with_suffix(".scores.parquet")
    pack = read_pack(path)
    changed = pack[3].score.copy()
    changed[0] += 1e-9
    write_pack([*pack[:3], replace(pack[3], score=changed), *pack[4:]], path)
    if careful:
        rehash(board)
    found = check(board)
    assert any(p.cell in ("scores_sha256", "baseline_sha256") and p.stated == pack[3].sha256 for p in found.problems)
    assert (f"{path.name}: its sha256 is" in texts(found)) is not careful or "holds scores that no row" in texts(found)


def test_a_damaged_pack_is_found(board, check):
    path = board.with_suffix(".scores.parquet")
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 3] ^= 1
    path.write_bytes(damaged)
    assert any(p.file == path.name for p in check(board).problems)
    path.unlink()
    assert "is missing: nothing can be recomputed" in texts(check(board))


@pytest.mark.parametrize("careful", [False, True])
def test_a_changed_score_in_a_run_is_found(run, check, careful):
    file = next((run / "nodes/attack").glob("*nr*pruning*/target-0.parquet"))
    scores = read_scores(file)
    changed = scores.score.copy()
    changed[7] = -3.0
    write_scores(replace(scores, score=changed), file)
    if careful:
        manifest = file.with_name("manifest.json")
        json_edit(manifest, lambda m: m["files"].update({file.name: hashlib.sha256(file.read_bytes()).hexdigest()}))
    found = check(run)
    assert any(p.cell == "scores_sha256" and p.stated == scores.sha256 for p in found.problems)
    assert ("the manifest says" in texts(found)) is not careful


@pytest.mark.parametrize("damage", ["changed", "gone", "more"])
def test_a_changed_artifact_is_found(run, check, damage):
    artifact = next((run / "nodes/compress").glob("target-0__*/model.tflite"))
    if damage == "changed":
        artifact.write_bytes(b"x" + artifact.read_bytes()[1:])
    elif damage == "gone":
        artifact.unlink()
    else:
        artifact.with_name("model2.tflite").write_bytes(b"x")
    (problem,) = check(run).problems
    assert problem.file.startswith("nodes/compress/target-0__")
    assert "model" in problem.file


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m["files"].update({"measured.json": "00" * 32}), "the manifest says 000000000000"),
        (lambda m: m["files"].pop("measured.json"), "no manifest names"),
        (lambda m: m.update(name="target-9/tflite/x"), "is not its folder"),
        (lambda m: m.update(key="00" * 32), "no node has the key"),
        (lambda m: m["parents"].update(data="00" * 32), "no node has the key 000000000000"),
        (lambda m: m["versions"].update(numpy="1.0"), "versions is numpy=2.0 python=3.11, the run's manifests say"),
        (lambda m: m.pop("stage"), "no manifest"),
    ],
)
def test_a_changed_manifest_is_found(run, check, change, words):
    json_edit(next((run / "nodes/compress").glob("target-0__*/manifest.json")), change)
    assert words in texts(check(run))


def test_a_changed_config_is_found_where_this_code_made_the_run(run):
    manifests = [json.loads(path.read_text()) for path in run.glob("nodes/*/*/manifest.json")]
    nodes = {m["key"]: (m["stage"], m["name"], m["config"], m["parents"]) for m in manifests}
    run_id = run.joinpath("leaderboard.csv").read_text().splitlines()[1].rpartition(",")[2]
    planner = lambda suite: Expectation({}, run_id, nodes)  # noqa: E731
    says = "stage, name, config or parents are not what the suite says"
    assert says not in texts(verify(run, planner=planner))
    json_edit(next(run.glob("nodes/train/target-0*/manifest.json")), lambda m: m["config"].update(epochs=99))
    assert says in texts(verify(run, planner=planner))
    other_code = verify(run, planner=lambda suite: Expectation({}, "another", nodes))
    assert any("made by other code" in note for note in other_code.notes)


def test_nodes_with_other_versions_that_the_rows_need_not_rest_on_are_noted(run, check):
    json_edit(next(run.glob("nodes/latency/*/manifest.json")), lambda m: m["versions"].update(numpy="1.0"))
    found = check(run)
    assert found.sound
    assert any("1 node of other versions" in note for note in found.notes)


@pytest.mark.parametrize("careful", [False, True])
def test_a_changed_suite_in_the_provenance_is_found(board, check, careful):
    def change(content):
        content["suite"]["training"]["learning_rate"] = 0.5
        if careful:
            content["runs"][0]["suite"]["training"]["learning_rate"] = 0.5

    json_edit(board.with_suffix(".provenance.json"), change)
    assert ("hashes to" if careful else "the suite is not that of") in texts(check(board))
    assert careful or "targets and shadows, in: training" in texts(check(board))


def test_a_changed_suite_of_a_run_is_found(run, check):
    path = run / "suite.yaml"
    path.write_text(path.read_text().replace("seed: 0", "seed: 1"))
    found = check(run)
    assert {p.cell for p in found.problems if p.row} == {"recipe_sha256"}
    path.unlink()
    assert "nothing says what was run" in texts(check(run))


@pytest.mark.parametrize("where", ["run", "published"])
def test_a_row_that_was_taken_away_is_named(run, board, check, where):
    path = run / "leaderboard.csv" if where == "run" else board
    place = line_of(path, "quantization-dynamic", "nr")
    edit(path, lambda lines: lines.pop(place))
    if where == "published":
        rehash(board)
    found = check(run if where == "run" else board)
    assert "the suite calls for a row that is not there: nr on tflite quantization-dynamic of target-0" in texts(found)
    without_planner = verify(board)
    if where == "published":
        assert "holds scores that no row states: nr on tflite/quantization-dynamic" in texts(without_planner)


@pytest.mark.parametrize("where", ["run", "published"])
def test_a_row_of_the_null_control_that_was_taken_away_is_named(run, board, check, where):
    path = run / "null_control.csv" if where == "run" else board.with_suffix(".null.csv")
    place = line_of(path, "quantization-dynamic", "nr")
    edit(path, lambda lines: lines.pop(place))
    if where == "published":
        rehash(board)
    found = verify(run if where == "run" else board)
    assert any(
        "has no null control" in p.says and "nr on tflite quantization-dynamic" in p.subject for p in found.problems
    )
    path.unlink()
    assert sum("has no null control" in p.says for p in check(run if where == "run" else board).problems) == 6


def test_a_null_control_that_fails_is_a_problem(make_run, check):
    run = make_run(null_leak=2.0)
    assert "the null control fails" in texts(check(run))


def test_a_run_without_null_control_may_have_none(make_run, check):
    assert texts(check(make_run(membership__null=False))) == ""


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "@SUM(A1)", "-2+3"])
def test_a_cell_that_a_spreadsheet_would_execute_is_found(board, check, text):
    edit(board, lambda lines: lines[2].__setitem__(list(columns()).index("notes"), text))
    rehash(board)
    (problem,) = (p for p in check(board).problems if p.cell == "notes")
    assert problem.stated == text
    assert problem.found == f"'{text}"


def test_a_row_twice_rows_in_disorder_and_other_digits_are_found(board, check):
    good = board.read_text()
    edit(board, lambda lines: lines.insert(3, lines[3]))
    assert "states the same attack on the same model as row 4" in texts(check(board))
    board.write_text(good)
    edit(board, lambda lines: lines.insert(1, lines.pop(4)))
    assert "not in the order" in texts(check(board))
    board.write_text(good.replace(",0.5,", ",0.50,"))
    if board.read_text() != good:
        assert "must be written 0.5" in texts(check(board))
    board.write_bytes(good.replace("\n", "\r\n").encode())
    assert "lines end" in texts(check(board))


@pytest.mark.parametrize("content", [None, "{", "[]", '{"format": 1}'])
def test_a_sidecar_that_is_none_is_a_problem(board, check, content):
    path = board.with_suffix(".provenance.json")
    path.unlink() if content is None else path.write_text(content)
    assert not check(board).sound


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda content: content.update(format=2), "format is 2; this version of compleak-bench reads 1"),
        (lambda content: content.update(schema_version=2), "schema_version is 2; this version"),
        (lambda content: content["runs"][0].update(nodes=9), "is 9, those of its machines are"),
    ],
)
def test_a_sidecar_of_other_definitions_or_counts_is_found(board, check, change, says):
    json_edit(board.with_suffix(".provenance.json"), change)
    assert says in texts(check(board))


def test_another_target_seed_in_the_provenance_is_found(board, check):
    json_edit(board.with_suffix(".provenance.json"), lambda c: c["runs"][0]["seeds"].update({"target-0": 1}))
    assert {p.cell for p in check(board).problems} == {"target_seed"}


def test_a_suite_that_cannot_be_planned_is_noted_and_no_problem(run):
    def planner(suite):
        raise PlanError("no such attack")

    found = verify(run, planner=planner)
    assert found.sound
    assert any("no such attack" in note for note in found.notes)


def test_what_is_not_there_is_the_users_mistake(tmp_path):
    for path in (tmp_path / "absent.csv", tmp_path, tmp_path / "x"):
        with pytest.raises(ResultsError):
            verify(path)


def test_nodes_of_an_earlier_run_in_the_folder_do_no_harm(make_run, check, tmp_path):
    run, older = make_run("new"), make_run("old", draw=1, training__learning_rate=0.1)
    for folder in older.glob("nodes/*/*"):
        folder.rename(run / folder.relative_to(older))
    assert texts(check(run)) == ""


@pytest.mark.parametrize("where", ["run", "board"])
def test_a_number_of_shadows_that_the_scores_were_not_made_with_is_found(make_run, to_publish, tmp_path, where):
    """With several numbers of shadows, the suite alone cannot say which of them a row has."""

    def lenient(suite):
        raise PlanError("planned by nobody")

    run = make_run(shadow_counts=[2, 4])
    path = run / "leaderboard.csv"
    if where == "board":
        path = publish([run], tmp_path / "boards", **(to_publish | {"planner": lenient}))[0].path
    assert verify(run if where == "run" else path, planner=lenient).sound
    place = list(columns()).index("shadows")

    def change(lines):
        lines[3][place] = "4"

    edit(path, change)
    if where == "board":
        rehash(path)
    found = verify(run if where == "run" else path, planner=lenient)
    assert "shadows is 4" in texts(found)
