from types import SimpleNamespace
from typing import Any

from compleak.results.null_control import covering, outside_together, summarise


def row(auc: float, half: float = 0.025) -> Any:
    return SimpleNamespace(
        auc=auc, auc_low=auc - half, auc_high=auc + half, attack="a", framework="tflite", setting="clustering-k4"
    )


def test_one_miss_in_many_is_chance_and_a_leak_is_not() -> None:
    chance = [row(0.5)] * 19 + [row(0.53)]
    assert len(covering(chance)) == 19
    assert outside_together(chance) == []
    assert "19 of 20 AUC intervals cover 0.5" in summarise(chance)
    assert "passed" in summarise(chance)
    leak = [row(0.5)] * 19 + [row(0.60)]
    assert outside_together(leak) == leak[19:]
    assert "FAILED, do not trust these rows: a on tflite clustering-k4 (AUC 0.600)" in summarise(leak)


def test_the_correction_is_bonferronis() -> None:
    # 20 rows at 5 % in all: two-sided 0.25 % each, z = 3.0233 (normal table), against 1.95996 for one row.
    edge = 0.025 * 3.0233 / 1.95996
    assert outside_together([row(0.5)] * 19 + [row(0.5 + edge - 1e-4)]) == []
    assert len(outside_together([row(0.5)] * 19 + [row(0.5 + edge + 1e-4)])) == 1
