"""Two encoders of one suite file, from the images to rows that are verified, attacked as trained and as deployed."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from compleak.results.scores import read_scores

pytest.importorskip("kornia", reason="kornia is not installed: pip install compleak-bench[ssl]")


@pytest.fixture
def suite(digits: Path, tmp_path: Path) -> Path:
    content = {
        "name": "encoders-tiny",
        "data": {"name": "digits", "source": "dir", "path": str(digits)},
        "membership": {"train": 60, "evaluate": 60, "shadows": 1, "dev": 40},
        "network": {"name": "resnet8-encoder", "width": 8},
        "training": {"method": "simclr", "epochs": 2, "batch_size": 30, "crop_scale": [0.5, 1.0]},
        "finetuning": {"epochs": 1, "batch_size": 30},
        "encoder_queries": {"views": 4, "crops": 3},
        "compress": {"pytorch-mobile": ["pruning-magnitude-0.5", "quantization-float16"]},
        "attacks": ["lpla-linf-gaussian-standardised-sr", "encodermi-t", "encodermi-t-mr", "partcrop-v1-known"],
        "statistics": {"resamples": 100},
        "parts": {"simclr": {}, "simsiam": {"training.method": "simsiam"}},
    }
    path = tmp_path / "encoders-tiny.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def compleak(*arguments: object) -> str:
    command = [sys.executable, "-m", "compleak", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_encoders_are_attacked_as_trained_and_as_deployed(suite: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    said = compleak("run", suite, "--out", out, "--workers", "0")
    assert f"All parts:   {out / 'leaderboard.csv'}" in said
    # The data were read for the first part.
    assert [re.search(rf"-{part}: \d+ nodes, (\d) done", said)[1] for part in ("simclr", "simsiam")] == ["0", "1"]
    rows = list(csv.DictReader((out / "leaderboard.csv").open(newline="")))
    assert {r["model"] for r in rows} == {"simclr-resnet8-encoder", "simsiam-resnet8-encoder"}
    # Of each method: two pairs, three encoders alone under two attacks, three together.
    assert len(rows) == 2 * (2 + 3 * 2 + 1)
    asked = {(r["attack"], r["access"], r["queries"], r["shadows"], r["n_members"]) for r in rows}
    assert asked == {
        ("lpla-linf-gaussian-standardised-sr", "shadow, original+compressed", "1", "1", "60"),
        ("encodermi-t", "shadow", "4", "1", "60"),
        ("encodermi-t-mr", "shadow, multiple+original", "4", "1", "60"),
        ("partcrop-v1-known", "partial-known", "4", "0", "30"),
    }
    assert all("Nearest neighbours" in r["notes"] for r in rows if r["technique"] != "multiple")
    # What part of the target's membership was known is the same for every variant, so that they can be compared.
    known = [read_scores(p).example for p in out.glob("simclr/nodes/attack/*partcrop-v1-known*/target-0.parquet")]
    assert len(known) == 3 and all(np.array_equal(known[0], k) for k in known)
    assert compleak("verify", out).count("verified; 9 rows and 9 of the null control") == 2
    merged = (out / "leaderboard.csv").read_text()
    (out / "leaderboard.csv").write_text(merged.replace(",0.5", ",0.6", 1))
    with pytest.raises(AssertionError, match=r"leaderboard\.csv holds other rows than its parts"):
        compleak("verify", out)
    (out / "leaderboard.csv").write_text(merged)
    compleak("publish", out, "--to", tmp_path / "published")
    assert len(list((tmp_path / "published").glob("encoders-tiny-*-v1.csv"))) == 2
    compleak("report", out, "-o", tmp_path / "report")
