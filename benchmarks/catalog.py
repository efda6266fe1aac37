"""What exists, for ``compleak list``: names and one line each, with no framework imported."""

from __future__ import annotations

import yaml

from ..attacks.registry import ATTACKS
from ..compressors.registry import COMPRESSORS
from ..models.data import DATASETS
from ..models.networks import NETWORKS
from .schema import built_in_suites


def entries() -> dict[str, list[tuple[str, str]]]:
    """Kind -> (name, description), in the order in which data flow."""
    suites = []
    for name, path in sorted(built_in_suites().items()):
        suites.append((name, str(yaml.safe_load(path.read_text(encoding="utf-8")).get("description", ""))))
    return {
        "data": [(name, info.title) for name, info in DATASETS.items()],
        "models": [(name, description) for name, (_, description) in NETWORKS.items()],
        "compressors": [(name, info.description) for name, info in COMPRESSORS.items()],
        "attacks": [(name, f"[{info.access}] {info.description}") for name, info in ATTACKS.items()],
        "suites": suites,
    }
