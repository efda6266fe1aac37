from pathlib import Path

from compleak.results.records import SCHEMA_VERSION, columns


def test_every_column_is_documented_with_its_meaning() -> None:
    text = (Path(__file__).parents[2] / "docs" / "leaderboard.md").read_text()
    assert f"Schema version {SCHEMA_VERSION}." in text
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{name}` | {meaning} |" for name, meaning in columns().items()]
