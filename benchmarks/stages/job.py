"""What a stage is given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Job:
    """One node, as its stage sees it.

    Attributes:
        config: the node's config.
        parents: folders of the finished parents, by role.
        out: an empty folder for this node's files.
        threads: how many threads the stage may use.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    config: Mapping[str, Any]
    parents: Mapping[str, Path]
    out: Path
    threads: int = 1
    device: str = "auto"

    def torch_device(self) -> str:
        """``cpu`` or ``cuda``: as the suite says, or whichever is here."""
        import torch

        if self.device != "auto":
            return self.device
        return "cuda" if torch.cuda.is_available() else "cpu"

    def read(self, role: str, name: str) -> Any:
        """A JSON file of a parent."""
        return json.loads((self.parents[role] / name).read_text(encoding="utf-8"))

    def write(self, name: str, content: Any) -> None:
        """A JSON file of this node."""
        text = json.dumps(content, indent=1, sort_keys=True)
        (self.out / name).write_text(text + "\n", encoding="utf-8")
