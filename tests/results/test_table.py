"""The terminal's table: narrow enough, plain enough, and honest about what it shows."""

import io

import pytest
from rich.console import Console

from compleak.results.table import leaderboard_table, significant

ATTACKS = ("compleak-nr-train2-rf", "compleak-nr-modified-entropy-global", "compleak-sr2-rf", "compleak-mr")

LONG = "pruning-magnitude-0.8+clustering-k16+quantization-int8-qat"


def printed(rows, width=80, **console):
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\n")
    Console(file=out, width=width, **console).print(leaderboard_table(rows))
    out.seek(0)
    return out.read()


@pytest.fixture
def rows(make_row):
    return [
        make_row(setting=setting, technique=setting.partition("-")[0], attack=attack, auc_minus_original_p=p)
        for setting in (LONG, "clustering-k16", "clustering-k8")
        for attack, p in zip((*ATTACKS, "compleak-nr-loss"), (1e-9, 0.04, 0.5, None, 0.9), strict=True)
    ]


def test_it_fits_and_is_plain_text_on_a_dumb_terminal(rows, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    text = printed(rows, force_terminal=True)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "\x1b" not in text
    for words in (
        "quick: digits, small-cnn, tflite, clustering",
        "clustering-k16",
        "nr-mod-entropy-global",
        "0.812",
        "123",
    ):
        assert words in text


def test_it_shows_fixed_attacks_and_says_so(rows):
    text = printed(rows)
    assert "nr-loss" not in text
    assert "12 of 15 rows: the attacks" in text
    assert "not the strongest of all" in text
    assert text.index("clustering-k8") < text.index("clustering-k16") < text.index("pruning-magnitude-0.8+")


def test_rows_of_none_of_these_attacks_are_all_shown(make_row):
    text = printed([make_row(attack=attack) for attack in ("lpla-l2-kde-known", "lira-offline")])
    assert "lpla-l2-kde-known" in text and "2 of 2 rows: the attacks lira-offline, lpla-l2-kde-known," in text


def test_a_star_needs_significance_after_the_correction(rows):
    assert {(r.attack, r.auc_minus_original_p) for r in significant(rows)} == {("compleak-nr-train2-rf", 1e-9)}
    assert len(significant(rows)) == 3
    starred = [line for line in printed(rows).splitlines() if line.rstrip().count("*") == 1 and "nr-" in line]
    assert len(starred) == 3
    assert all("nr-train2-rf" in line for line in starred)


def test_less_is_marked_where_the_leak_is_gone_and_nothing_where_there_never_was_one(make_row):
    chance = {"auc": 0.49, "auc_low": 0.46, "auc_high": 0.52, "auc_minus_original_p": 1e-6}
    base = make_row(setting="original", scores_sha256="0" * 64, auc=0.7, auc_low=0.68, auc_minus_original_p=None)
    cured = make_row(scores_sha256="1" * 64, baseline_sha256=base.scores_sha256, **chance)
    assert significant([base, cured]) == {cured}
    blind = base.model_copy(update={"auc": 0.51, "auc_low": 0.48})
    assert significant([blind, cured]) == frozenset()


def test_models_held_together_are_counted_apart_from_the_original(make_row):
    held = "tflite/clustering-k8;tflite/clustering-k16"
    several = make_row(attack="compleak-mr", technique="multiple", setting=held)
    with_original = several.model_copy(update={"setting": f"original;{held}"})
    assert "2 compressed models" in printed([several]) and "original and 2 others" in printed([with_original])


def test_an_attack_that_is_compared_with_another_is_named(make_row):
    same = make_row(attack="lm-loss", baseline="lm-loss on the original")
    other = make_row(attack="lm-reference-compressed", baseline="lm-loss on the original")
    said = [line for line in printed([same, other]).splitlines() if "is compared with" in line]
    assert said == ["lm-reference-compressed is compared with lm-loss on the original."]


def test_targets_are_averaged_and_the_control_left_out(make_row):
    rows = [
        make_row(target="target-0", auc=0.6, auc_low=0.58, auc_high=0.62),
        make_row(target="target-1", auc=0.7, auc_low=0.68, auc_high=0.72),
        make_row(target="null", auc=0.5, auc_low=0.48, auc_high=0.52),
    ]
    assert "0.650 0.580-0.720" in printed(rows)
    assert "2 of 3 rows" in printed(rows)


def test_undefined_and_absent_cells_are_told_apart(make_row):
    text = printed([make_row(tpr_at_1pct="n/a", accuracy=None, auc_minus_original=None, auc_minus_original_p=None)])
    assert "n/a" in text
    assert "None" not in text
    assert "nan" not in text


def test_text_is_never_read_as_markup(make_row):
    assert "[red]x[/red]" in printed([make_row(setting="[red]x[/red]")])


def test_no_rows_make_no_table():
    assert printed([]).startswith("0 of 0 rows")
