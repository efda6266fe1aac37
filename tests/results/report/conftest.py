"""A small run with scores, classes and a null control, whose names a page must not believe."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
import zarr

from compleak.results.leaderboard import write_leaderboard
from compleak.results.metrics import tpr_at_fpr
from compleak.results.records import compare_to, evaluate
from compleak.results.scores import Scores, write_scores
from compleak.results.store import open_results

N = 1000  # members, and as many non-members
HOSTILE = '</script><script>window.hit=1</script><img src=x onerror="window.hit=2">&lt'
SECOND = "target-1"


def draw(strength, seed, attack, variant, *, target="target-0", like=None):
    """Scores of 2N examples whose members are `strength` standard deviations higher, perhaps near to another's."""
    rng = np.random.default_rng(seed)
    member = np.repeat([True, False], N)
    noise = rng.normal(size=2 * N)
    score = noise + strength * member if like is None else like.score + 0.4 * noise + strength * member
    return Scores.of(
        np.arange(2 * N) * 3 + 5, member, score, target=target, variant=variant, attack=attack, threshold=0.25
    )


def cells(scores, baseline=None):
    found = evaluate(scores.score, scores.member, scores.threshold, seed=1, resamples=50).cells
    found |= {"scores_sha256": scores.sha256, "target": scores.target, "attack": scores.attack, "resamples": 50}
    if baseline is None:
        none = ("auc_minus_original", "auc_minus_original_low", "auc_minus_original_high", "auc_minus_original_p")
        return found | dict.fromkeys(none) | {"baseline": "", "baseline_sha256": ""}
    found |= compare_to(baseline.score, scores.score, scores.member).cells
    return found | {"baseline": "the original", "baseline_sha256": baseline.sha256}


@pytest.fixture(scope="session")
def run(tmp_path_factory, make_row):
    """The run's folder."""
    folder = tmp_path_factory.mktemp("run")
    rows, kept = [], []

    def add(scores, baseline=None, **facts):
        kept.extend([scores, *([baseline] if baseline else [])])
        rows.append(make_row(**cells(scores, baseline), **facts))

    original = {"framework": "none", "technique": "none", "setting": "original", "bytes_gzip": 90_000, "bytes": 100_000}
    pruned = {"setting": "pruning-magnitude-0.6", "bytes_gzip": 40_000, "sparsity": 0.6, "notes": f"Pruned {HOSTILE}."}
    hostile = {"technique": "quantization", "setting": HOSTILE, "bytes_gzip": 25_000, "weight_dtypes": HOSTILE}
    size = {"accuracy_original": 0.82, "accuracy_members": 1.0, "latency_ms": 0.5, "compression_ratio": 2.0}
    for seed, attack in enumerate(("compleak-nr-train2-rf", "compleak-nr-entropy")):
        for target in ("target-0", SECOND):
            base = draw(0.9, seed, attack, "original", target=target)
            add(base, accuracy=0.82, agreement=1.0, **original, **size)
            for i, facts in enumerate((pruned, hostile)):
                near = draw(-0.3 * (1 - i), 20 + seed + i, attack, facts["setting"], target=target, like=base)
                add(near, base, accuracy=0.80 + 0.02 * i, agreement=0.95, **facts, **size)
    alone = draw(0.9, 7, "compleak-sr2-rf", "original")
    for i, facts in enumerate((pruned, hostile)):
        pair = draw(0.5, 40 + i, "compleak-sr2-rf", facts["setting"], like=alone)
        add(pair, alone, access="original+compressed", accuracy=0.80 + 0.02 * i, agreement=0.95, **facts, **size)
    both = f"original;pruning-magnitude-0.6;{HOSTILE}"
    joint = draw(0.6, 50, "compleak-mr", both, like=alone)
    add(
        joint, draw(0.9, 8, "compleak-mr", "original"), access="multiple+original", technique="multiple", setting=both,
        accuracy=None, bytes_gzip=None,
    )  # fmt: skip
    write_leaderboard(rows, folder / "leaderboard.csv")
    write_leaderboard(
        [make_row(**cells(draw(0.0, 3, "compleak-nr-entropy", "original", target="null")), **original)],
        folder / "null_control.csv",
    )
    (folder / "suite.yaml").write_text(yaml.safe_dump({"name": HOSTILE, "seed": 0}))
    for scores in kept:
        write_scores(scores, folder / "nodes" / "attack" / scores.sha256[:12] / f"{scores.target}.parquet")
    group = zarr.open_group(folder / "nodes" / "collect" / "all" / "observations.zarr", mode="w")
    group["example"] = kept[0].example
    group["label"] = np.arange(2 * N) % 4
    return folder


@pytest.fixture(scope="session")
def results(run):
    return open_results(run)


@pytest.fixture(scope="session")
def page(results, tmp_path_factory) -> Path:
    """The report of ``run``."""
    from compleak.results.report.site import write_report

    return write_report(results, tmp_path_factory.mktemp("report"), attacks={"compleak-mr": f"joint {HOSTILE}"})


def data_of(page, name):
    """The data that a page carries under a name."""
    text = page.read_text(encoding="utf-8")
    return json.loads(text.split(f'id="data-{name}">', 1)[1].split("</script>", 1)[0])


@pytest.fixture(scope="session")
def read_data(page):
    return lambda name: data_of(page, name)


@pytest.fixture(scope="session")
def best_rate():
    """The largest TPR at an FPR, asked of the metrics anew."""
    return lambda scores, fpr: tpr_at_fpr(scores.score, scores.member, fpr).tpr
