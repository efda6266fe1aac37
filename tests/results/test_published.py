"""What is published in this repository verifies, from the files alone."""

from pathlib import Path

import pytest

from compleak.benchmarks.planned import expectation
from compleak.results.publishing.verify import verify

PUBLISHED = sorted((Path(__file__).parents[2] / "results" / "leaderboards").glob("*-v1.csv"))


def test_something_is_published() -> None:
    assert len(PUBLISHED) >= 4


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_a_published_leaderboard_verifies(path: Path) -> None:
    found = verify(path, planner=expectation)
    assert [str(problem) for problem in found.problems] == []
    assert found.results.rows and found.results.null_rows
