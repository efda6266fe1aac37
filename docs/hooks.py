"""Shows the Python reference where the package is: the repository's root, whatever a clone's folder is called."""

from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def on_startup(**_: Any) -> None:
    """Make a folder ``compleak`` of links, which mkdocstrings reads: the root itself holds virtual environments too."""
    package = ROOT / ".cache" / "docs" / "compleak"
    package.mkdir(parents=True, exist_ok=True)
    parts = {part.name: part for part in (*ROOT.glob("*.py"), *(init.parent for init in ROOT.glob("*/__init__.py")))}
    for link in package.iterdir():
        if link.name not in parts or link.readlink() != parts[link.name]:
            link.unlink()
    for name, part in parts.items():
        if not (package / name).is_symlink():
            (package / name).symlink_to(part)
