"""The result row: one attack on one variant of one target, with everything needed to judge and recompute it.

``Row`` is the one definition of the leaderboard's columns: their names, order, types and meaning. The statistical cells
come from ``evaluate`` and ``compare_to``, which see nothing but scores and membership.

A cell is a value, ``n/a`` where the metric is undefined (an FPR below the resolution of the non-members), or empty
where it does not apply. A definition that changes raises ``SCHEMA_VERSION``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from .intervals import (
    balanced_accuracy_interval,
    delong_interval,
    delong_paired_test,
    tpr_interval,
)
from .metrics import Bools, Floats, auc, balanced_accuracy, resolution, tpr_at_fpr

SCHEMA_VERSION = 1
ORIGINAL = "original"  # a row's setting where the model is not compressed
UNDEFINED: Literal["n/a"] = "n/a"
FPRS = {"tpr_at_1pct": 0.01, "tpr_at_0.1pct": 0.001}

Cell = float | int | Literal["n/a"] | None


def _no_nan(value: Cell) -> Cell:
    if isinstance(value, float) and math.isnan(value):
        raise ValueError("NaN is no result; use n/a where a metric is undefined, empty where it does not apply")
    return value


def _one_line(value: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]+", " ", value).strip()


Text = Annotated[str, AfterValidator(_one_line)]
Real = Annotated[float, AfterValidator(_no_nan)]
Maybe = Annotated[float | Literal["n/a"] | None, AfterValidator(_no_nan)]
MaybeCount = int | Literal["n/a"] | None


class Row(BaseModel):
    """One row of a leaderboard. Rates and accuracies are fractions; intervals are at 95 %."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_version: int = Field(description="version of these columns' definitions")
    suite: Text = Field(description="suite that the row belongs to")
    data: Text = Field(description="data set")
    data_source: Text = Field(description="where the data set came from")
    data_version: Text = Field(description="revision of the data set")
    data_sha256: Text = Field(description="hash of the examples' pool")
    model: Text = Field(description="network architecture")
    framework: Text = Field(description="runtime of the deployed artifact")
    technique: Text = Field(description="kind of compression")
    setting: Text = Field(description="compression setting, decodable")
    attack: Text = Field(description="attack, its variant stated")
    access: Text = Field(description="models that the attacker holds")
    queries: int = Field(description="outputs of each model needed for one example", ge=0)
    shadows: int = Field(description="shadow models the attack was fitted on", ge=0)
    target: Text = Field(description="attacked model; `null` is the control trained on neither group")
    target_seed: int = Field(description="seed of the target's training")
    auc: Real = Field(description="area under the ROC curve, ties counting half")
    auc_low: Real = Field(description="its interval, lower end (DeLong, logit scale)")
    auc_high: Real = Field(description="its interval, upper end")
    balanced_accuracy: Real = Field(description="mean of TPR and TNR at the threshold from the shadows")
    balanced_accuracy_low: Real = Field(description="its interval, lower end (stratified bootstrap)")
    balanced_accuracy_high: Real = Field(description="its interval, upper end")
    tpr_at_1pct: Maybe = Field(description="largest TPR over thresholds with FPR at most 1 %")
    tpr_at_1pct_low: Maybe = Field(
        description="its interval, lower end (stratified bootstrap; order statistics below 10 allowed FP)"
    )
    tpr_at_1pct_high: Maybe = Field(description="its interval, upper end")
    tpr_at_1pct_fpr: Maybe = Field(description="FPR realised there")
    tpr_at_1pct_tp: MaybeCount = Field(description="members called members there")
    tpr_at_1pct_fp: MaybeCount = Field(description="non-members called members there")
    tpr_at_1pct_threshold: Maybe = Field(description="score from which an example is called a member there")
    tpr_at_01pct: Maybe = Field(alias="tpr_at_0.1pct", description="largest TPR over thresholds with FPR at most 0.1 %")
    tpr_at_01pct_low: Maybe = Field(
        alias="tpr_at_0.1pct_low",
        description="its interval, lower end (stratified bootstrap; order statistics below 10 allowed FP)",
    )
    tpr_at_01pct_high: Maybe = Field(alias="tpr_at_0.1pct_high", description="its interval, upper end")
    tpr_at_01pct_fpr: Maybe = Field(alias="tpr_at_0.1pct_fpr", description="FPR realised there")
    tpr_at_01pct_tp: MaybeCount = Field(alias="tpr_at_0.1pct_tp", description="members called members there")
    tpr_at_01pct_fp: MaybeCount = Field(alias="tpr_at_0.1pct_fp", description="non-members called members there")
    tpr_at_01pct_threshold: Maybe = Field(
        alias="tpr_at_0.1pct_threshold", description="score from which an example is called a member there"
    )
    n_members: int = Field(description="members scored", ge=1)
    n_nonmembers: int = Field(description="non-members scored", ge=1)
    auc_minus_original: Maybe = Field(default=None, description="AUC less the baseline's on the same examples")
    auc_minus_original_low: Maybe = Field(default=None, description="its interval, lower end (DeLong, paired; fit)")
    auc_minus_original_high: Maybe = Field(default=None, description="its interval, upper end")
    auc_minus_original_p: Maybe = Field(
        default=None, description="p-value of no difference, two-sided, not corrected for multiple tests"
    )
    baseline: Text = Field(default="", description="attack on the original that it is compared with")
    baseline_sha256: Text = Field(default="", description="hash of the baseline's scores")
    accuracy_original: Maybe = Field(default=None, description="accuracy of the uncompressed model, on the non-members")
    accuracy: Maybe = Field(default=None, description="accuracy of the deployed artifact, on the non-members")
    accuracy_members: Maybe = Field(default=None, description="accuracy of the deployed artifact, on the members")
    agreement: Maybe = Field(
        default=None, description="fraction of non-members that the artifact classifies as the original does"
    )
    sparsity: Maybe = Field(
        default=None, description="fraction of weights, embeddings included, that are zero in the artifact"
    )
    distinct_values: MaybeCount = Field(
        default=None, description="most distinct weights in a layer (in a channel, where scales are per channel)"
    )
    weight_dtypes: Text = Field(default="", description="types of the weights in the artifact")
    bytes: MaybeCount = Field(default=None, description="size of the artifact, bytes")
    bytes_gzip: MaybeCount = Field(default=None, description="size of the artifact after gzip, bytes")
    compression_ratio: Maybe = Field(default=None, description="gzip size of the original over the artifact's")
    latency_ms: Maybe = Field(default=None, description="median time for a batch of one example, ms")
    latency_best_ms: Maybe = Field(default=None, description="least time for one example over batch sizes, ms")
    latency_best_batch: MaybeCount = Field(default=None, description="batch size that reaches it")
    recipe_sha256: Text = Field(description="hash of the whole recipe; rows of different recipes are never merged")
    scores_sha256: Text = Field(description="hash of the scores that the row is recomputed from")
    resamples: int = Field(description="of the bootstrap, whose seed is the first 8 hex digits of scores_sha256", ge=1)
    versions: Text = Field(default="", description="library versions")
    notes: Text = Field(default="", description="anything else a reader must know")
    run_id: Text = Field(default="", description="run that produced the row")

    @property
    def holding(self) -> str:
        """The part of ``access`` that says how many models the attacker holds, as ``one-model``.

        Of attacks on encoders ``access`` also says where membership is known, and ``shadow`` alone means one model.
        """
        held = self.access.rpartition(", ")[2]
        return "one-model" if held in ("shadow", "partial-known") else held

    @property
    def partly_known(self) -> bool:
        """Whether the attacker knows who is a member in one half of the examples, so that only the other is scored."""
        return self.access.startswith("partial-known")

    def cells(self) -> dict[str, str | Cell]:
        """Values by column name, in the columns' order."""
        return self.model_dump(by_alias=True)


def columns() -> dict[str, str]:
    """Name and meaning of each column, in order."""
    return {field.alias or name: field.description or "" for name, field in Row.model_fields.items()}


@dataclass(frozen=True)
class Evaluation:
    """Cells computed from scores, by column name."""

    cells: dict[str, Cell]


def bootstrap_seed(scores_sha256: str) -> int:
    """The bootstrap's seed, from the scores alone: whoever holds them can recompute the intervals to the last digit."""
    return int(scores_sha256[:8], 16)


def evaluate(scores: Floats, member: Bools, threshold: float, *, seed: int, resamples: int = 1000) -> Evaluation:
    """Every metric with its interval at 95 %.

    Args:
        scores: floating point [examples], higher = member.
        member: bool [examples], at least two of each class.
        threshold: the score from which an example is called a member, calibrated on the shadows.
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Raises:
        ScoreError: see ``metrics.checked`` and ``metrics.point_at``; or fewer than two of a class.
    """
    seeds = iter(np.random.SeedSequence(seed).generate_state(1 + len(FPRS)).tolist())
    ends = delong_interval(scores, member)
    cells: dict[str, Cell] = {"auc": auc(scores, member), "auc_low": ends.low, "auc_high": ends.high}
    ends = balanced_accuracy_interval(scores, member, threshold, seed=next(seeds), resamples=resamples)
    cells["balanced_accuracy"] = balanced_accuracy(scores, member, threshold)
    cells |= {"balanced_accuracy_low": ends.low, "balanced_accuracy_high": ends.high}
    for name, fpr in FPRS.items():
        point = tpr_at_fpr(scores, member, fpr)
        ends = tpr_interval(scores, member, fpr, seed=next(seeds), resamples=resamples)
        here: dict[str, Cell] = {
            name: point.tpr,
            f"{name}_low": ends.low,
            f"{name}_high": ends.high,
            f"{name}_fpr": point.fpr,
            f"{name}_tp": point.tp,
            f"{name}_fp": point.fp,
            f"{name}_threshold": point.threshold,
        }
        measurable = resolution(point.n_nonmembers, fpr) != "undefined"
        cells |= here if measurable else dict.fromkeys(here, UNDEFINED)
        cells |= {"n_members": point.n_members, "n_nonmembers": point.n_nonmembers}
    return Evaluation(cells)


def compare_to(
    baseline_scores: Floats, scores: Floats, member: Bools, refits: Sequence[Sequence[float]] = ()
) -> Evaluation:
    """This attack's AUC less the baseline's, on the same examples in the same order (DeLong, paired, 95 %).

    Args:
        baseline_scores: floating point [examples], of the attack on the original.
        scores: floating point [examples].
        member: bool [examples].
        refits: see ``delong_paired_test``.

    Raises:
        ScoreError: see ``metrics.checked``; or fewer than two of a class.
    """
    test = delong_paired_test(scores, baseline_scores, member, refits=refits)
    return Evaluation(
        {
            "auc_minus_original": test.difference,
            "auc_minus_original_low": test.low,
            "auc_minus_original_high": test.high,
            "auc_minus_original_p": test.p_value,
        }
    )
