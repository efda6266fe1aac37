"""A whole row, to be varied."""

import numpy as np
import pytest

from compleak.results.records import SCHEMA_VERSION, Row, compare_to, evaluate


def _row(**cells):
    rng = np.random.default_rng(0)
    member = np.repeat([True, False], 1000)
    original = rng.normal(size=2000) + 0.5 * member
    scores = original + 0.3 * rng.normal(size=2000)
    facts = {
        "schema_version": SCHEMA_VERSION,
        "suite": "quick",
        "data": "digits",
        "data_source": "built in",
        "data_version": "1",
        "data_sha256": "ab" * 32,
        "model": "small-cnn",
        "framework": "tflite",
        "technique": "pruning",
        "setting": "pruning-magnitude-0.6",
        "attack": "compleak-nr-train2-rf",
        "access": "one-model",
        "queries": 1,
        "shadows": 2,
        "target": "target-0",
        "target_seed": 17,
        "recipe_sha256": "cd" * 32,
        "scores_sha256": "ef" * 32,
        "resamples": 200,
        "accuracy": 0.8125,
        "bytes_gzip": 123_456,
    }
    found = evaluate(scores, member, 0.25, seed=0, resamples=200).cells | compare_to(original, scores, member).cells
    return Row.model_validate(facts | found | cells)


@pytest.fixture(scope="session")
def make_row():
    """Make a row with some cells changed."""
    first = _row()
    return lambda **cells: Row.model_validate(first.cells() | cells)
