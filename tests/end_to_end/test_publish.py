import json
import subprocess
import sys
from pathlib import Path

import pytest


def compleak(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "compleak", *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.tflite
def test_a_real_run_is_published_verified_and_protected(suite: Path, tmp_path: Path) -> None:
    run, board = tmp_path / "run", tmp_path / "boards/tiny-v1.csv"
    assert compleak("run", suite, "--out", run).returncode == 0
    published = compleak("publish", run, "--to", board.parent)
    assert published.returncode == 0, published.stdout + published.stderr
    assert "rows added" in published.stdout
    for path in (run, board):
        verified = compleak("verify", path)
        assert verified.returncode == 0, verified.stdout + verified.stderr
        assert "Not checked" not in verified.stdout

    (made,) = json.loads(board.with_suffix(".provenance.json").read_text())["runs"]
    assert made["code"]["made_the_run"]
    assert made["machines"][0]["cores"] >= 1

    # The same code made the run, so that even a config that nothing hashes is known.
    manifest = next(run.glob("nodes/train/target-0-*/manifest.json"))
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "config": {**content["config"], "seed": 1}}))
    changed = compleak("verify", run)
    assert changed.returncode == 1
    assert "config or parents are not what the suite says" in changed.stdout
    manifest.write_text(json.dumps(content))

    artifact = next(run.glob("nodes/compress/target-0__tflite*/model.tflite"))
    artifact.write_bytes(artifact.read_bytes()[:-1] + b"x")
    refused = compleak("publish", run, "--to", tmp_path / "others")
    assert refused.returncode == 1
    assert "model.tflite: its sha256 is" in refused.stdout
    assert not (tmp_path / "others").exists()
