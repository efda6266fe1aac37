"""Stage ``evaluate``: every metric of one attack, with intervals, for each of its targets."""

from __future__ import annotations

from ...results.records import bootstrap_seed, compare_to, evaluate
from ...results.scores import paired, read_scores
from .job import Job


def run(job: Job) -> None:
    """Write ``metrics.json``: target -> the metric cells of its row."""
    config = job.config
    metrics = {}
    for target in config["targets"]:
        scores = read_scores(job.parents["attack"] / f"{target}.parquet")
        hashes = {"scores_sha256": scores.sha256}
        cells = evaluate(
            scores.score,
            scores.member,
            scores.threshold,
            seed=bootstrap_seed(scores.sha256),
            resamples=config["resamples"],
        ).cells
        if "baseline" in job.parents:
            baseline = read_scores(job.parents["baseline"] / f"{target}.parquet")
            cells |= compare_to(*paired(baseline, scores)).cells
            hashes["baseline_sha256"] = baseline.sha256
        metrics[target] = {**cells, **hashes, "resamples": config["resamples"]}
    job.write("metrics.json", metrics)
