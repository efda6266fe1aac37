"""Stage ``attack``: who is handed the answer, and when."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from compleak.attacks.observations import ObservationError, Observations
from compleak.benchmarks.stages.attack import run
from compleak.benchmarks.stages.job import Job
from compleak.results.scores import read_scores

EXAMPLES = 60
IDS = np.arange(0, EXAMPLES, 2)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Job]:
    """A job that makes the attack given, with what it needs of the stage before."""
    rng = np.random.default_rng(0)
    member = rng.random((3, EXAMPLES)) < 0.5
    collected = tmp_path / "collect"
    collected.mkdir()
    Observations.from_arrays(
        rng.normal(size=(3, 1, EXAMPLES, 3)).astype(np.float32),
        rng.integers(0, 3, EXAMPLES),
        models=["target-0", "shadow-0", "shadow-1"],
        variants=["original"],
        examples=np.arange(EXAMPLES),
        member=member,
    ).save(collected / "observations.zarr")
    (collected / "evaluation.json").write_text(json.dumps({"target-0": IDS.tolist()}))
    (out := tmp_path / "out").mkdir()

    def make(attack: type, known_seed: int | None) -> Job:
        monkeypatch.setitem(sys.modules, "given_attack", SimpleNamespace(make=attack))
        config: dict[str, Any] = {
            "copies": None,
            "variants": ["original"],
            "factory": "given_attack:make",
            "provider": "somebody",
            "arguments": {},
            "targets": ["target-0"],
            "shadows": ["shadow-0", "shadow-1"],
            "divisions": [7, 8],
            "known_seed": known_seed,
        }
        return Job(config, {"collect": collected}, out)

    return make


class Fitted:
    """What is the same of all attacks here."""

    name, threshold = "given", 0.0

    def fit(self, shadows: Observations) -> "Fitted":
        assert shadows.member.any()
        return self


@pytest.mark.parametrize("known_seed", [None, 3])
def test_an_attack_that_reads_the_answer_is_stopped(job: Callable[..., Job], known_seed: int | None) -> None:
    class Peeking(Fitted):
        def score(self, target: Observations) -> np.ndarray:
            return target.member[0].astype(float)

    with pytest.raises(ObservationError, match="must not see the answer"):
        run(job(Peeking, known_seed))


@pytest.mark.parametrize("known_seed", [None, 3])
def test_no_fit_is_handed_more_than_answers_and_labels(job: Callable[..., Job], known_seed: int | None) -> None:
    """Not the attack, and none of its fits on parts; the answer joins the scores when they are done."""
    handed = []

    class Looking(Fitted):
        def score(self, target: Observations) -> np.ndarray:
            handed.append((set(target.data), target.models, len(target.examples)))
            return target.logits[0, 0, :, 0]

    given = job(Looking, known_seed)
    run(given)
    scores = read_scores(given.out / "target-0.parquet")
    assert handed == [({"label", "logits"}, ("target-0",), len(scores.example))] * 7
    assert len(scores.example) == len(IDS) if known_seed is None else 0 < len(scores.example) < len(IDS)
    observed = Observations.open(given.parents["collect"] / "observations.zarr").select(examples=scores.example)
    np.testing.assert_array_equal(scores.member, observed.member[0])
    np.testing.assert_array_equal(scores.score, observed.logits[0, 0, :, 0])
