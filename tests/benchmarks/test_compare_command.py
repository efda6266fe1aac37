"""`compleak compare` from outside: what it prints and writes, and its exit codes."""

import csv
import hashlib
import json
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from rich.console import Console

from compleak.benchmarks import cli
from compleak.results.leaderboard import write_leaderboard
from compleak.results.records import SCHEMA_VERSION, Row, compare_to, evaluate
from compleak.results.scores import Scores, write_pack


@dataclass
class Shown:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def compleak(monkeypatch, capsys):
    """Run the command in this process, which saves its start."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["compleak", *arguments])
        monkeypatch.setattr(cli, "errors", Console(stderr=True, highlight=False))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Shown(ended.value.code or 0, *capsys.readouterr())

    return run


def row(setting, own, base=None, **cells):
    original = setting == "original"
    facts = {
        "schema_version": SCHEMA_VERSION, "suite": "s", "data": "d", "data_source": "x", "data_version": "1",
        "data_sha256": "ab", "model": "m", "framework": "none" if original else "tflite",
        "technique": "none" if original else "clustering", "setting": setting, "attack": "compleak-nr-train2-rf",
        "access": "one-model", "queries": 1, "shadows": 2, "target": "target-0", "target_seed": 1,
        "recipe_sha256": "cd", "scores_sha256": own.sha256, "baseline_sha256": base.sha256 if base else "",
        "resamples": 100, "accuracy_original": 0.8, "accuracy": 0.8, "agreement": 1.0, "bytes": 900, "bytes_gzip": 500,
    }  # fmt: skip
    found = evaluate(own.score, own.member, 0.0, seed=0, resamples=100).cells
    versus = compare_to(base.score, own.score, own.member).cells if base else {}
    return Row.model_validate(facts | found | versus | cells)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two published runs; in the second the compressed model leaks more."""
    folder, rng = tmp_path_factory.mktemp("runs"), np.random.default_rng(0)
    member = np.repeat([True, False], 1000)

    def scores(values, name):
        return Scores.of(
            np.arange(2000), member, values, target="target-0", variant=name, attack="a", threshold=0.0
        )  # fmt: skip

    base = rng.normal(size=2000) + 0.7 * member
    original, same = scores(base, "original"), scores(base + 0.01 * rng.normal(size=2000), "k16")
    leaky = scores(base + 0.5 * member, "k16")
    for name, own in (("yesterday", same), ("today", leaky)):
        made = [row("original", original), row("=clustering-k16", own, original, bytes=300, bytes_gzip=200)]
        write_leaderboard(made, folder / f"{name}.csv")
        write_pack([original, own], folder / f"{name}.scores.parquet")
    return folder


def test_one_run_is_answered_in_words(runs, compleak):
    shown = compleak("compare", str(runs / "yesterday.csv"))
    assert shown.returncode == 0, shown.stderr
    text = " ".join(shown.stdout.split())
    assert "the smallest artifact that loses < 1 point of accuracy and leaks no more than the original is" in text
    assert "no artifact is shown" in " ".join(compleak("compare", str(runs / "today.csv")).stdout.split())


def test_a_leaderboard_that_was_changed_by_hand_is_compared_with_a_warning(runs, compleak, tmp_path):
    for name in ("yesterday.csv", "yesterday.scores.parquet"):
        (tmp_path / name).write_bytes((runs / name).read_bytes())
    named = {"rows": {"sha256": hashlib.sha256((runs / "yesterday.csv").read_bytes()).hexdigest()}}
    (tmp_path / "yesterday.provenance.json").write_text(json.dumps({"suite": {}, "files": named}))
    rows = tmp_path / "yesterday.csv"
    assert compleak("compare", str(rows)).stderr == ""
    rows.write_text(rows.read_text().replace(",200,", ",100,"))
    for arguments in (["compare", str(rows)], ["compare", str(rows), "--json"], ["curve", str(rows)]):
        shown = compleak(*arguments)
        assert shown.returncode == 0
        assert f"Warning: {rows} is not the file that its provenance names: run compleak verify." in shown.stderr
    shown = compleak("report", str(rows), "-o", str(tmp_path / "page"))
    assert "is not the file that its provenance names" in shown.stderr
    assert "Changed after publication." in (tmp_path / "page" / "index.html").read_text()
    assert "Changed after" not in _page(compleak, runs / "yesterday.csv", tmp_path / "sound")


def _page(compleak, rows, folder):
    assert compleak("report", str(rows), "-o", str(folder)).stderr == ""
    return (folder / "index.html").read_text()


def test_json_and_csv_hold_the_same_numbers(runs, compleak, tmp_path):
    shown = compleak("compare", str(runs / "yesterday.csv"), "--json", "--csv", str(tmp_path / "out" / "c.csv"))
    (comparison,) = json.loads(shown.stdout)
    (effect,) = comparison["effects"]
    assert comparison["answers"][0]["chosen"] == effect["group"] == "tflite =clustering-k16"
    with (tmp_path / "out" / "c.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert float(line["difference"]) == pytest.approx(effect["difference"], rel=1e-5)
    assert (line["bytes_gzip"], line["on_front"]) == ("200", "True")


def test_a_regression_fails_a_build_only_when_asked_to(runs, compleak, tmp_path):
    pair = [str(runs / "yesterday.csv"), str(runs / "today.csv")]
    assert compleak("compare", *pair).returncode == 0
    shown = compleak("compare", *pair, "--fail-on-regression", "--csv", str(tmp_path / "c.csv"))
    assert shown.returncode == 1
    assert "Regression: AUC of tflite" in shown.stdout
    assert compleak("compare", *pair[::-1], "--fail-on-regression").returncode == 0
    assert compleak("compare", *pair, "--fail-on-regression", "--margin", "0.5").returncode == 0
    with (tmp_path / "c.csv").open(newline="") as file:
        lines = {line["state"]: line for line in csv.DictReader(file)}
    assert set(lines) == {"same scores", "changed"}
    assert lines["changed"]["setting"] == "'=clustering-k16"
    found = json.loads(compleak("compare", *pair, "--json").stdout)
    assert found["regressions"][0]["metric"] == "auc"


def test_an_artifacts_accuracy_stands_beside_its_own_suites_rows(compleak, tmp_path):
    own = Scores.of(
        np.arange(40), np.arange(40) < 20, np.linspace(0, 1, 40), target="t", variant="v", attack="a", threshold=0.0
    )
    for name, accuracies in (("was", (0.8, 0.8)), ("now", (0.7, 0.5))):
        made = [
            row("k16", own, suite=suite, shadows=shadows, accuracy=accuracy)
            for suite, accuracy in zip(("one", "two"), accuracies, strict=True)
            for shadows in (1, 2)
        ]
        write_leaderboard(made, tmp_path / f"{name}.csv")
    pair = [str(tmp_path / f"{name}.csv") for name in ("was", "now")]
    found = json.loads(compleak("compare", *pair, "--json").stdout)
    told = [(line["suite"], line["shadows"], round(line["accuracy_difference"], 6)) for line in found["changes"]]
    assert told == [("one", 1, -0.1), ("one", 2, -0.1), ("two", 1, -0.3), ("two", 2, -0.3)]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "no run and no leaderboard"),
        (["yesterday.csv", "--fail-on-regression"], "needs two runs"),
        (["yesterday.csv", "today.csv", "--by", "technique"], "two runs were given"),
        (["yesterday.csv", "--by", "model"], "'model' is not one of"),
        (["yesterday.csv", "--baseline", "clustering-k8"], "There are"),
        (["yesterday.csv", "--attack", "nr"], "has no row of the attack"),
        (["yesterday.csv", "--accuracy-loss", "3"], "fraction between 0 and 1"),
        (["yesterday.csv", "--margin", "0"], "margin must be above 0"),
        (["yesterday.csv", "today.csv", "--attack", "nr"], "no row in common"),
    ],
)
def test_a_mistake_ends_with_code_2_and_no_traceback(runs, compleak, arguments, says):
    places = [str(runs / a) if a.endswith(".csv") or a == "nowhere" else a for a in arguments]
    shown = compleak("compare", *places)
    assert shown.returncode == 2, shown.stdout
    assert says in " ".join(shown.stderr.split())
    assert "Traceback" not in shown.stderr
