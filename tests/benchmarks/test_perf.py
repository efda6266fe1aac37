"""The benchmarks of the program compare like with like, and keep what they found."""

import csv
from pathlib import Path

import pytest

from compleak.benchmarks.perf import __main__, bootstrap, features, lira, partcrop, rmia
from compleak.benchmarks.perf.comparison import append, compare

SMALL = {
    "lira": lambda: lira.run(examples=200, models=16, looped=50),
    "rmia": lambda: rmia.run(examples=1_000, population=500),
    "bootstrap": lambda: bootstrap.run(examples=2_000, resamples=400, looped=40),
    "features": lambda: features.run(records=200, walked=50),
    "partcrop": lambda: partcrop.run(images=4, crops=8, looped=4),
}


@pytest.mark.parametrize("name", SMALL)
def test_every_benchmark_agrees_with_its_baseline_and_is_faster(name: str) -> None:
    assert set(SMALL) == set(__main__.BENCHMARKS)
    for row in SMALL[name]():
        assert row.ratio == pytest.approx(row.baseline_seconds / row.ours_seconds)
        assert row.ratio > 1


def test_a_baseline_that_disagrees_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lira, "lira_scores", lambda target, shadows, member: target * 0)
    with pytest.raises(AssertionError):
        SMALL["lira"]()


def test_rows_are_appended_under_one_header(tmp_path: Path) -> None:
    row = compare("sum", lambda: sum(range(1_000)), ("longer sum", lambda: sum(range(50_000))), share=0.5, goal=1)
    path = tmp_path / "new" / "results.csv"
    append([row], path)
    append([row, row], path)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["benchmark"] for r in rows] == ["sum"] * 3
    assert float(rows[0]["baseline_share"]) == 0.5
    assert str(row).endswith("reached") or str(row).endswith("MISSED")


def test_unknown_benchmark_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["perf", "lara"])
    with pytest.raises(SystemExit):
        __main__.main()
    assert "no benchmark lara; there are lira, rmia" in capsys.readouterr().err
