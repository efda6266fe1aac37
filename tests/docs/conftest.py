import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def pages():
    """Every page of the site: its place below docs/ -> its text."""
    found = {p.relative_to(ROOT / "docs").as_posix(): p.read_text() for p in (ROOT / "docs").rglob("*.md")}
    return {place: text for place, text in found.items() if not place.startswith("examples/")}


@pytest.fixture(scope="session")
def table(pages):
    """The lines of all tables of a page whose first heading is `first`: the cells of a line, backticks taken off."""

    def lines(page, first):
        found, inside = [], False
        for line in pages[page].splitlines():
            cells = [re.sub(r"^`([^`]*)`$", r"\1", cell.strip()) for cell in line.strip("|").split(" | ")]
            if not line.startswith("|"):
                inside = False
            elif cells[0] == first:
                inside = True
            elif inside and not set(line) <= set("|-: "):
                found.append(cells)
        assert found, f"{page} has no table that begins with {first!r}"
        return found

    return lines
