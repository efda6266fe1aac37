"""The size of a file as it ships, and as it travels."""

from __future__ import annotations

import gzip
from pathlib import Path


def file_sizes(path: Path) -> dict[str, int]:
    """``bytes`` of a file, and ``bytes_gzip`` after gzip -9, in which zeros and shared values show."""
    content = path.read_bytes()
    return {"bytes": len(content), "bytes_gzip": len(gzip.compress(content, 9, mtime=0))}
