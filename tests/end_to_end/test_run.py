import csv
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from compleak.attacks.compleak.mr import MultipleModels
from compleak.attacks.compleak.sr import sorted_pair
from compleak.attacks.observations import Observations
from compleak.benchmarks.nodes import derived_seed
from compleak.benchmarks.suite_files import load_suite
from compleak.models.data import load_pool
from compleak.models.membership import Split
from compleak.results.scores import read_scores

Cells = list[dict[str, str]]


def run(suite: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "compleak", "run", str(suite), "--out", str(out), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def rows(path: Path) -> Cells:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def steady(cells: Cells) -> Cells:
    """All but what is measured anew in each run."""
    return [{k: v for k, v in row.items() if not k.startswith("latency")} for row in cells]


def recompute(out: Path, cells: Cells) -> None:
    """Every row again from what the run kept, by another way: its scores, its logits, and the membership function."""
    kept = {s.sha256: s for s in map(read_scores, out.glob("nodes/attack/*/target-0.parquet"))}
    labels = load_pool(load_suite(str(out / "suite.yaml")).data).labels
    split = Split(load_suite(str(out / "suite.yaml")).membership, np.arange(len(labels)), seed=0)
    ids, observed = split.evaluation_ids("target-0"), split.observed_ids()

    def top(variant: str) -> NDArray[np.intp]:
        (folder,) = out.glob(f"nodes/observe/target-0__{variant}-*")
        return np.load(folder / "logits.npy").argmax(-1)

    outside = np.isin(observed, ids) & ~split.member("target-0", observed)
    for row in cells:
        scores = kept[row["scores_sha256"]]
        several = row["technique"] == "multiple"
        held = scores.variant.split(";")
        assert scores.attack == row["attack"]
        assert [len(parts) for parts in scores.refits] == [3, 3]
        assert len(held) == len(row["setting"].split(";")) if several else held[-1].endswith(row["setting"])
        assert np.array_equal(scores.example, ids)
        assert np.array_equal(scores.member, split.member("target-0", ids))
        assert float(row["auc"]) == pytest.approx(roc_auc_score(scores.member, scores.score), abs=1e-6)
        if not several:
            own = top("original" if row["framework"] == "none" else f"{row['framework']}__{row['setting']}")
            right = (own == labels[observed])[outside].mean()
            assert float(row["accuracy"]) == pytest.approx(right, abs=1e-6)
            assert float(row["agreement"]) == pytest.approx((own == top("original"))[outside].mean(), abs=1e-6)
            assert float(row["accuracy_original"]) == pytest.approx(
                (top("original") == labels[observed])[outside].mean(), abs=1e-6
            )


def stacked_as_if_alone(out: Path) -> None:
    """MR, which takes its forests and their refits from other nodes, is what it is when it makes them itself."""
    (observed,) = out.glob("nodes/collect/*/observations.zarr")
    suite, observations = load_suite(str(out / "suite.yaml")), Observations.open(observed)
    (node,) = [n for n in out.glob("nodes/attack/*compleak-mr__*") if "copies" not in n.name and "+" in n.name]
    scores = read_scores(node / "target-0.parquet")
    held = observations.select(variants=scores.variant.split(";"))
    seeds = {name: derived_seed(suite.seed, "attack", name) for name in ("compleak-mr", "compleak-sr2-rf")}

    def alone(_: int = 0) -> MultipleModels:
        forest = partial(sorted_pair, "sr2", "rf", seeds["compleak-sr2-rf"])
        return MultipleModels(original=True, seed=seeds["compleak-mr"], forest=lambda _: forest())

    shadows = held.select(models=[m for m in held.models if m.startswith("shadow")])
    blind = held.select(models=["target-0"], examples=scores.example).without_membership()
    np.testing.assert_allclose(alone().fit(shadows).score(blind), scores.score, atol=1e-9)
    aucs = [
        [roc_auc_score(scores.member, alone().fit(part).score(blind)) for part in thirds(shadows, seed)]
        for seed in (derived_seed(suite.seed, "divisions", str(i)) for i in range(2))
    ]
    np.testing.assert_allclose(aucs, scores.refits, atol=1e-9)
    assert len(np.unique(aucs)) > 1


def thirds(shadows: Observations, seed: int) -> Iterator[Observations]:
    """What the attack's refits may be fitted on: the pairs of a random third of the examples."""
    allowed = shadows.data["calibration"].load()
    usable = shadows.examples[allowed.values.any(axis=0)]
    for chosen in np.array_split(np.random.default_rng(seed).permutation(usable), 3):
        kept = allowed & allowed["example"].isin(chosen)
        yield Observations(shadows.data.assign(calibration=kept))


@pytest.mark.tflite
def test_a_suite_ends_with_a_leaderboard_and_a_second_run_does_nothing(suite: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    first = run(suite, out, "--workers", "1")
    assert first.returncode == 0, first.stderr + first.stdout
    assert f"Leaderboard: {out}" in first.stdout
    cells = rows(out / "leaderboard.csv")
    # Five variants under two single-model attacks, four pairs, three sets of several with and without the original.
    assert len(cells) == 5 * 2 + 4 + 2 * 3
    assert {c["framework"] for c in cells} == {"none", "pytorch-mobile", "tflite", "tflite+pytorch-mobile"}
    assert {c["technique"] for c in cells} == {"none", "pruning", "clustering", "quantization", "multiple"}
    for c in cells:
        assert 0 <= float(c["auc_low"]) <= float(c["auc"]) <= float(c["auc_high"]) <= 1
        assert c["tpr_at_1pct"] not in ("", "n/a")
        assert c["tpr_at_0.1pct"] == "n/a"  # 120 non-members cannot show one in a thousand
        assert (c["n_members"], c["n_nonmembers"]) == ("120", "120")
    recompute(out, cells)
    stacked_as_if_alone(out)
    null = rows(out / "null_control.csv")
    assert len(null) == len(cells)
    assert {c["target"] for c in null} == {"null"}

    before = (out / "leaderboard.csv").read_bytes()
    started = time.perf_counter()
    again = run(suite, out)
    assert again.returncode == 0
    assert "0 to do" in again.stdout
    assert time.perf_counter() - started < 30
    assert (out / "leaderboard.csv").read_bytes() == before

    other = run(suite, out, "--set", "statistics.resamples=200")
    assert other.returncode == 0
    kept = list(out.glob("leaderboard-*.csv"))
    assert [p.read_bytes() for p in kept] == [before]


@pytest.mark.slow
def test_killed_anywhere_a_run_ends_with_the_same_leaderboard(suite: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    assert run(suite, whole).returncode == 0
    broken = tmp_path / "broken"
    command = [sys.executable, "-m", "compleak", "run", str(suite), "--out", str(broken)]
    chance = random.Random(0)
    kills = 0
    for _ in range(4):
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            process.wait(chance.uniform(4, 20))
        except subprocess.TimeoutExpired:
            kills += 1
            os.killpg(process.pid, signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
    assert kills
    assert run(suite, broken).returncode == 0
    assert steady(rows(broken / "leaderboard.csv")) == steady(rows(whole / "leaderboard.csv"))
    assert steady(rows(broken / "null_control.csv")) == steady(rows(whole / "null_control.csv"))
    assert not list(broken.rglob("*.partial"))


@pytest.mark.slow
def test_ctrl_c_stops_and_says_how_to_resume(suite: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "compleak", "run", str(suite), "--out", str(tmp_path / "run")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(8)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, out + err
    assert "resume with: compleak run" in err
    assert "Traceback" not in err + out


def test_wrong_data_is_the_users_mistake(suite: Path, tmp_path: Path) -> None:
    ended = run(suite, tmp_path / "run", "--set", "membership.train=5000", "--workers", "0")
    assert ended.returncode == 2
    assert "needs" in ended.stderr
    assert "Traceback" not in ended.stderr
    missing = run(suite, tmp_path / "run", "--set", "data.path=/nowhere/x.npz", "--workers", "0")
    assert missing.returncode == 2
    assert "/nowhere/x.npz" in missing.stderr
