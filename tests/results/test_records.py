"""The row and how its cells are computed."""

import subprocess
import sys
import time

import numpy as np
import pytest
from pydantic import ValidationError

from compleak.results.metrics import ScoreError
from compleak.results.records import Row, columns, compare_to, evaluate

ORDER = [
    "schema_version",
    "suite",
    "data",
    "data_source",
    "data_version",
    "data_sha256",
    "model",
    "framework",
    "technique",
    "setting",
    "attack",
    "access",
    "queries",
    "shadows",
    "target",
    "target_seed",
    "auc",
    "auc_low",
    "auc_high",
    "balanced_accuracy",
    "balanced_accuracy_low",
    "balanced_accuracy_high",
    "tpr_at_1pct",
    "tpr_at_1pct_low",
    "tpr_at_1pct_high",
    "tpr_at_1pct_fpr",
    "tpr_at_1pct_tp",
    "tpr_at_1pct_fp",
    "tpr_at_1pct_threshold",
    "tpr_at_0.1pct",
    "tpr_at_0.1pct_low",
    "tpr_at_0.1pct_high",
    "tpr_at_0.1pct_fpr",
    "tpr_at_0.1pct_tp",
    "tpr_at_0.1pct_fp",
    "tpr_at_0.1pct_threshold",
    "n_members",
    "n_nonmembers",
    "auc_minus_original",
    "auc_minus_original_low",
    "auc_minus_original_high",
    "auc_minus_original_p",
    "baseline",
    "baseline_sha256",
    "accuracy_original",
    "accuracy",
    "accuracy_members",
    "agreement",
    "sparsity",
    "distinct_values",
    "weight_dtypes",
    "bytes",
    "bytes_gzip",
    "compression_ratio",
    "latency_ms",
    "latency_best_ms",
    "latency_best_batch",
    "recipe_sha256",
    "scores_sha256",
    "resamples",
    "versions",
    "notes",
    "run_id",
]


def known(n, separation=0.5, seed=0):
    member = np.repeat([True, False], n)
    return np.random.default_rng(seed).normal(size=2 * n) + separation * member, member


def test_columns_are_fixed_and_each_has_a_meaning():
    assert list(columns()) == ORDER
    assert all(columns().values())


def test_evaluation_and_comparison_fill_exactly_the_statistical_cells():
    scores, member = known(1000)
    cells = evaluate(scores, member, 0.25, seed=0).cells | compare_to(scores, -scores, member).cells
    assert set(cells) == set(ORDER[ORDER.index("auc") : ORDER.index("baseline")])


def test_each_metric_lies_within_its_interval():
    cells = evaluate(*known(1000), 0.25, seed=0).cells
    for name in ("auc", "balanced_accuracy", "tpr_at_1pct", "tpr_at_0.1pct"):
        assert cells[f"{name}_low"] < cells[name] < cells[f"{name}_high"]
    assert cells["tpr_at_1pct_fp"] <= 10
    assert cells["tpr_at_1pct_fpr"] == cells["tpr_at_1pct_fp"] / 1000
    assert cells["tpr_at_1pct"] == cells["tpr_at_1pct_tp"] / 1000


def test_below_the_resolution_a_metric_is_undefined_never_zero():
    cells = evaluate(*known(999), 0.25, seed=0).cells
    assert {cells[name] for name in ORDER if name.startswith("tpr_at_0.1pct")} == {"n/a"}
    assert isinstance(cells["tpr_at_1pct"], float)
    cells = evaluate(*known(99), 0.25, seed=0).cells
    assert cells["tpr_at_1pct"] == "n/a"


def test_the_same_seed_gives_the_same_cells_in_any_order_of_examples():
    scores, member = known(500)
    order = np.random.default_rng(1).permutation(1000)
    first = evaluate(scores, member, 0.25, seed=3).cells
    assert evaluate(scores[order], member[order], 0.25, seed=3).cells == first
    assert evaluate(scores, member, 0.25, seed=4).cells != first


def test_a_difference_is_this_attack_less_the_baseline():
    strong, member = known(1000, 1.5)
    weak = strong + 2 * np.random.default_rng(1).normal(size=2000)
    cells = compare_to(weak, strong, member).cells
    assert cells["auc_minus_original"] > 0
    assert cells["auc_minus_original_low"] > 0
    assert cells["auc_minus_original_p"] < 1e-6


def test_evaluation_takes_less_than_a_third_of_a_second():
    scores, member = known(1000)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        evaluate(scores, member, 0.25, seed=0, resamples=1000)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.3


def test_unusable_scores_are_refused():
    scores, member = known(10)
    with pytest.raises(ScoreError, match="not finite"):
        evaluate(np.full(20, np.nan), member, 0.0, seed=0)
    with pytest.raises(ScoreError, match="NaN"):
        evaluate(scores, member, float("nan"), seed=0)
    with pytest.raises(ScoreError, match="two members"):
        evaluate(scores[9:], member[9:], 0.0, seed=0)


@pytest.mark.parametrize(
    "change", [{"auc": float("nan")}, {"auc": "n/a"}, {"tpr_at_1pct": "none"}, {"color": "red"}, {"queries": -1}]
)
def test_a_row_refuses_what_is_no_result(make_row, change):
    with pytest.raises(ValidationError):
        make_row(**change)


def test_text_stays_on_one_line(make_row):
    assert make_row(notes="first\r\n\tsecond\0").notes == "first second"


def test_cells_make_the_row_again(make_row):
    row = make_row()
    assert Row.model_validate(row.cells()) == row
    assert list(row.cells()) == ORDER


def test_importing_the_room_loads_no_heavy_library():
    code = (
        "import sys, compleak.results.records, compleak.results.scores, compleak.results.leaderboard;"
        "print([m for m in ('torch', 'pandas', 'pyarrow', 'sklearn', 'scipy.stats', 'tensorflow') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
