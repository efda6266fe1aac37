"""``compleak verify`` and ``compleak publish`` as they are typed: what is said, and the exit code."""

import json
import sys

import pytest

from compleak.benchmarks import cli


@pytest.fixture
def compleak(monkeypatch, capsys):
    """Run the command in this process: exit code and everything it said, in one line."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["compleak", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return ended.value.code, said.out, " ".join(said.err.split())

    return call


def test_verify_says_in_one_line_that_all_agrees(compleak, run, board):
    for path in (run, board, board.parent):
        code, out, _ = compleak("verify", path)
        assert code == 0
        assert out.splitlines()[-1].endswith("files hashed")
        assert ": verified; 6 rows and 6 of the null control against 16 sets of scores" in out


def test_the_files_beside_a_leaderboard_stand_for_it(compleak, board):
    code, out, _ = compleak("verify", *sorted(board.parent.glob("*.csv")))
    assert (code, out.count("verified")) == (0, 1)


def test_a_runs_own_leaderboard_stands_for_its_folder(compleak, run):
    for name in ("leaderboard.csv", "null_control.csv"):
        code, out, _ = compleak("verify", run / name)
        assert code == 0
        assert out.startswith(f"{run}: verified; 6 rows") or f"\n{run}: verified; 6 rows" in out


def test_verify_names_every_disagreement(compleak, board):
    text = board.read_text().replace("note 0", "note 9").replace(",0.9,", ",0.8,")
    board.write_text(text)
    code, out, _ = compleak("verify", board)
    assert code == 1
    assert "notes is note 9; another; 2 of 9 texts were cut off., the provenance says note 0; another; 2 of 9" in out
    assert "accuracy_members is 0.8, the provenance says 0.9" in out
    assert "problems; 6 rows" in out
    code, out, _ = compleak("verify", "--json", board)
    content = json.loads(out)
    assert (code, content["sound"]) == (1, False)
    (one,) = content["verified"]
    notes = [p for p in one["problems"] if p["cell"] == "notes"]
    cut = "2 of 9 texts were cut off."
    assert [(p["file"], p["stated"], p["found"]) for p in notes] == [
        ("quick-v1.csv", f"note 9; another; {cut}", f"note 0; another; {cut}")
    ] * 2  # the rows of nr and sr


def test_json_of_what_agrees_is_for_machines(compleak, board):
    code, out, _ = compleak("verify", board, "--json")
    content = json.loads(out)
    assert (code, content["sound"], content["verified"][0]["rows"]) == (0, True, 6)
    assert content["verified"][0]["problems"] == []


@pytest.mark.parametrize("command", ["verify", "publish"])
def test_nothing_there_is_the_users_mistake(compleak, tmp_path, command):
    code, _, err = compleak(command, tmp_path / "absent")
    assert code == 2
    assert "no run and no leaderboard" in err


def test_publish_says_what_changed_and_then_that_nothing_did(compleak, run, tmp_path):
    code, out, _ = compleak("publish", run, "--to", tmp_path / "boards")
    assert code == 0
    assert "quick-v1.csv: 6 rows of 1 target, 6 of the null control" in out
    assert "6 rows added, 0 removed, 0 changed" in out
    code, out, _ = compleak("publish", run, "--to", tmp_path / "boards")
    assert code == 0
    assert "nothing changed" in out
    provenance = json.loads((tmp_path / "boards/quick-v1.provenance.json").read_text())
    assert provenance["runs"][0]["reproduce"].startswith("save the key 'suite'")
    assert provenance["runs"][0]["code"]["made_the_run"] is False


def test_publish_refuses_what_does_not_verify_with_1(compleak, run, tmp_path):
    next(run.glob("nodes/compress/*/model.tflite")).write_bytes(b"x")
    code, out, _ = compleak("publish", run, "--to", tmp_path / "boards")
    assert code == 1
    assert "model.tflite: its sha256 is" in out
    assert "Nothing was written" in out
    assert not (tmp_path / "boards").exists()


def test_publish_refuses_other_recipes_with_2(compleak, run, make_run, tmp_path):
    other = make_run("other", training__learning_rate=0.25)
    code, _, err = compleak("publish", run, other, "--to", tmp_path / "boards")
    assert code == 2
    assert "training.learning_rate: 1e-05 in" in err
    assert "0.25 in" in err


@pytest.mark.parametrize("command", ["verify", "publish"])
def test_help_says_what_the_exit_codes_mean(compleak, command):
    code, out, _ = compleak(command, "--help")
    assert code == 0
    assert "Exit code 0" in out
    if command == "verify":
        assert "cannot prove" in out
