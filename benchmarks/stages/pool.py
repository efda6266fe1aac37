"""The pool and the split, as several stages need them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from ...models.data import DataConfig, Pool, load_pool
from ...models.inputs import Transform
from ...models.membership import Membership, Split
from ...models.networks import ENCODERS, TEXT_NETWORKS, EncoderSpec, NetworkSpec, Spec, TextSpec, task_of
from ...models.pretrained import sizes

SIZES = ("layers", "width", "heads", "intermediate")
_TRANSFORM: TypeAdapter[Transform] = TypeAdapter(Transform)


class DataChangedError(RuntimeError):
    """The data are no longer those that this run began with."""


@lru_cache(maxsize=1)
def _pool(config: str, sha256: str) -> Pool:
    pool = load_pool(DataConfig.model_validate_json(config))
    if pool.sha256 != sha256:
        raise DataChangedError(
            f"{pool.name} now has sha256 {pool.sha256[:12]}…, this run began with {sha256[:12]}…. "
            "Start a new run with --out."
        )
    return pool


def open_pool(config: Mapping[str, Any], data: Mapping[str, Any]) -> Pool:
    """The pool that ``data.json`` describes, kept in memory by a worker.

    Raises:
        DataChangedError: the source now holds other data.
    """
    return _pool(DataConfig.model_validate(config).model_dump_json(), data["sha256"])


def split_of(config: Mapping[str, Any], pool: Pool) -> Split:
    """The membership design of a node's config, applied to the pool."""
    membership = Membership.model_validate(config["membership"])
    return Split(membership, np.arange(len(pool.labels)), config["split_seed"])


def asked_ids(config: Mapping[str, Any], split: Split) -> NDArray[np.int64]:
    """Ids of the examples that the model of a node's config is asked about, ascending.

    A classifier or language model is asked about all that anybody is attacked on, as attacks may compare models on
    one example. An encoder is asked many times about each example, and only about its own.
    """
    encoder = task_of(config["network"]["name"]) == "encoder"
    return split.evaluation_ids(config["model"]) if encoder else split.observed_ids()


def network_of(config: Mapping[str, Any], data: Mapping[str, Any]) -> Spec:
    """The network of a node's config, with the shapes of the data."""
    network, classes = config["network"], data["classes"]
    if network["name"] in ENCODERS:
        chosen = {name: network[name] for name in ("name", "width", "layers")}
        return EncoderSpec(**chosen, image=tuple(data["image"]))
    if network["name"] not in TEXT_NETWORKS:
        return NetworkSpec(name=network["name"], width=network["width"], image=tuple(data["image"]), classes=classes)
    info = TEXT_NETWORKS[network["name"]]
    weights = str(network["weights"]) if network["weights"] else info.weights
    usual = sizes(weights or "") if info.sizes is None else dict(zip(SIZES, info.sizes, strict=True))
    chosen = {name: network[name] or usual[name] for name in SIZES}
    tokens = data["normalization"]
    return TextSpec(name=network["name"], **chosen, **tokens, classes=classes, weights=weights)


def normalization_in(data: Mapping[str, Any]) -> Transform:
    """The normalization that ``data.json`` states: of images, or of token ids."""
    return _TRANSFORM.validate_python(data["normalization"])
