"""What exists, for ``compleak list``: names and one line each, with no framework imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import yaml

from ..attacks.registry import ATTACKS
from ..compressors.registry import COMPRESSORS
from ..models.data import DATASETS
from ..models.networks import ENCODERS, NETWORKS, OTHER_NETWORKS, TEXT_NETWORKS
from ..plugins import PluginError, Registry
from .suite_files import built_in_suites

Row = TypeVar("Row")


def entries() -> dict[str, list[tuple[str, str]]]:
    """Kind -> (name, description), in the order in which data flow. Says what comes from another package."""
    suites = []
    for name, path in sorted(built_in_suites().items()):
        suites.append((name, str(yaml.safe_load(path.read_text(encoding="utf-8")).get("description", ""))))
    networks = {name: description for name, (_, description) in NETWORKS.items()}
    networks |= {name: info.description for name, info in TEXT_NETWORKS.items()}
    networks |= {name: info.description for name, info in ENCODERS.items()}
    return {
        "data": list(_described(DATASETS, lambda info: info.title)),
        "models": [
            *_checked(networks.items(), OTHER_NETWORKS),
            *_described(OTHER_NETWORKS, lambda info: info.description),
        ],
        "compressors": list(_described(COMPRESSORS, lambda info: info.description)),
        "attacks": list(_described(ATTACKS, lambda info: f"[{info.stated_access}] {info.description}")),
        "suites": suites,
    }


def _described(registry: Registry[Row], describe: Callable[[Row], str]) -> Iterator[tuple[str, str]]:
    for name in registry:
        try:
            text = describe(registry[name])
        except PluginError as error:
            yield name, f"cannot be used: {error}"
            continue
        provider = registry.provider(name)
        yield name, f"{text} (from {provider})" if provider else text


def _checked(lines: Iterable[tuple[str, str]], registry: Registry[Row]) -> Iterator[tuple[str, str]]:
    for name, text in lines:
        try:
            registry.check(name)
        except PluginError as error:
            yield name, f"cannot be used: {error}"
        else:
            yield name, text
