"""The CSV: one text for the same rows, back without loss, and safe to open in a spreadsheet."""

import csv

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compleak.results.leaderboard import (
    LeaderboardError,
    format_cell,
    leaderboard_csv,
    read_leaderboard,
    sort_rows,
    write_leaderboard,
)
from compleak.results.records import columns


def test_the_same_rows_in_any_order_are_the_same_text(make_row):
    rows = [make_row(attack=attack, target=f"target-{i}") for attack in ("b", "a") for i in range(3)]
    assert leaderboard_csv(rows) == leaderboard_csv(rows[::-1])


def test_numbers_in_names_sort_as_numbers(make_row):
    names = ["clustering-k16", "clustering-k8", "pruning-magnitude-0.75", "clustering-k128", "pruning-magnitude-0.6"]
    rows = sort_rows([make_row(setting=name) for name in names])
    assert [row.setting for row in rows] == [
        "clustering-k8", "clustering-k16", "clustering-k128", "pruning-magnitude-0.6", "pruning-magnitude-0.75"
    ]  # fmt: skip


def test_what_is_written_is_read_and_written_again_the_same(make_row, tmp_path):
    rows = [
        make_row(attack="a", tpr_at_1pct="n/a", tpr_at_1pct_tp="n/a", sparsity=None, latency_best_batch=8),
        make_row(attack="b", tpr_at_1pct_threshold=float("inf"), auc_minus_original=-0.0, notes='say "no", or\nelse'),
    ]
    write_leaderboard(rows, tmp_path / "leaderboard.csv")
    back = read_leaderboard(tmp_path / "leaderboard.csv")
    assert leaderboard_csv(back) == (tmp_path / "leaderboard.csv").read_text()
    assert (back[0].tpr_at_1pct, back[0].tpr_at_1pct_tp, back[0].sparsity) == ("n/a", "n/a", None)
    assert (back[0].latency_best_batch, back[1].tpr_at_1pct_threshold) == (8, float("inf"))
    assert back[1].notes == rows[1].notes
    assert back[0].auc == pytest.approx(rows[0].auc, rel=1e-6)


def test_thresholds_are_written_in_full(make_row, tmp_path):
    write_leaderboard([make_row(tpr_at_1pct_threshold=0.9999999123456789)], tmp_path / "l.csv")
    assert read_leaderboard(tmp_path / "l.csv")[0].tpr_at_1pct_threshold == 0.9999999123456789


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1234567891, "0.123457"),
        (0.5, "0.5"),
        (-0.0, "0"),
        (1e-20, "1e-20"),
        (12, "12"),
        (None, ""),
        ("n/a", "n/a"),
        (float("inf"), "inf"),
        (123_456_789, "123456789"),
    ],
)
def test_a_number_is_written_in_one_way(value, text):
    assert format_cell(value) == text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "'=1", "''-1", "＝1", "'plain", "a=b"])
def test_no_text_is_executed_by_a_spreadsheet_and_none_is_changed(make_row, tmp_path, text):
    row = make_row(notes=text, setting=text)
    write_leaderboard([row], tmp_path / "l.csv")
    with (tmp_path / "l.csv").open(newline="") as file:
        cell = next(csv.DictReader(file))["notes"]
    assert cell[0] not in "=+-@\t\r＝"
    assert read_leaderboard(tmp_path / "l.csv")[0].notes == row.notes


@given(st.text(), st.text())
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_survives(make_row, tmp_path, notes, versions):
    row = make_row(notes=notes, versions=versions)
    write_leaderboard([row], tmp_path / "l.csv")
    back = read_leaderboard(tmp_path / "l.csv")[0]
    assert (back.notes, back.versions) == (row.notes, row.versions)


def test_pandas_reads_it_without_options(make_row, tmp_path):
    write_leaderboard([make_row(), make_row(target="target-1")], tmp_path / "l.csv")
    frame = pd.read_csv(tmp_path / "l.csv")
    assert list(frame.columns) == list(columns())
    assert frame["auc"].dtype == float
    assert frame["n_members"].tolist() == [1000, 1000]


def test_rows_are_never_merged(make_row):
    with pytest.raises(LeaderboardError, match="never merged"):
        leaderboard_csv([make_row(), make_row(auc=0.9)])
    other_recipe = leaderboard_csv([make_row(), make_row(recipe_sha256="00")])
    assert other_recipe.count("\n") == 3


def test_another_schema_version_is_refused_both_ways(make_row, tmp_path):
    with pytest.raises(LeaderboardError, match=r"\[2\]"):
        leaderboard_csv([make_row(schema_version=2)])
    path = tmp_path / "l.csv"
    path.write_text("schema_version,suite,new_column\n2,quick,x\n")
    with pytest.raises(LeaderboardError, match="schema version '2'"):
        read_leaderboard(path)


def test_no_rows_are_a_header(tmp_path):
    write_leaderboard([], tmp_path / "l.csv")
    assert read_leaderboard(tmp_path / "l.csv") == []


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda t: "", "empty"),
        (lambda t: t[:-10], "cut short"),
        (lambda t: t.replace("auc_low", "auc_lo", 1), "auc_lo"),
        (lambda t: t[:-1] + ",more\n", "64 cells, expected 63"),
        (lambda t: t.replace(",2,target-0", ",two,target-0"), "row 2, column 'shadows'"),
        (lambda t: t.replace("pruning-mag", '"pruning-mag'), "no CSV"),
        (lambda t: t.replace("digits", "digits\udcff"), "no CSV"),
    ],
)
def test_a_damaged_file_is_an_error_that_says_where(make_row, tmp_path, damage, words):
    path = tmp_path / "l.csv"
    path.write_bytes(damage(leaderboard_csv([make_row()])).encode("utf-8", "surrogateescape"))
    with pytest.raises(LeaderboardError, match=words):
        read_leaderboard(path)


@given(st.data())
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_mangled_file_gives_rows_or_a_clear_error(make_row, tmp_path, data):
    text = bytearray(leaderboard_csv([make_row()]).encode())
    for _ in range(data.draw(st.integers(1, 5))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "l.csv").write_bytes(text)
    try:
        rows = read_leaderboard(tmp_path / "l.csv")
    except LeaderboardError as error:
        assert "l.csv" in str(error)
    else:
        assert len(rows) <= 2
