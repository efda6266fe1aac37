"""Data sets of other packages: described by them, and checked as any other data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..inputs import Normalization
from .pool import DataError, Pool, build_pool, checked

Loaded = tuple[NDArray[Any], NDArray[Any], str]


@dataclass(frozen=True)
class OtherDataset:
    """A data set of images that another package knows how to get.

    Attributes:
        title: for people.
        classes: number of classes.
        image: (height, width, channels).
        normalization: published statistics of its training split, never fitted here.
        load: returns images (uint8 [n, height, width, channels]), labels (integers [n]) and the version of the data;
            it is given a folder of its own, which may not exist yet, to keep downloads in. Called by every worker.
        pool_sha256: ``Pool.sha256`` of the true data; None where it is not pinned.
        licence: what its authors allow.
    """

    title: str
    classes: int
    image: tuple[int, int, int]
    normalization: Normalization
    load: Callable[[Path], Loaded]
    pool_sha256: str | None = None
    licence: str = "not stated"
    hub: ClassVar[None] = None
    package: ClassVar[None] = None


def load_other(name: str, info: OtherDataset, provider: str, cache: Path) -> Pool:
    """The pool of a data set of another package.

    Args:
        name: of the data set.
        info: its description.
        provider: name and version of the package.
        cache: folder below which the data set may keep its own.

    Raises:
        DataError: it cannot be loaded, or is not what its description says.
    """
    folder = cache / "other" / name
    where = f"{name} (of {provider})"
    try:
        images, labels, version = info.load(folder)
    except Exception as error:  # another package's code may raise anything
        raise DataError(f"{where} cannot be loaded: {type(error).__name__}: {error}") from error
    pool = build_pool(
        checked([(np.asarray(images), np.asarray(labels))], f"{provider}: {version}", where), name, "other"
    )
    if pool.inputs.shape[1:] != info.image or int(pool.labels.max()) >= info.classes:
        raise DataError(
            f"{where} is described as images of {list(info.image)} in {info.classes} classes, and holds images of "
            f"{list(pool.inputs.shape[1:])} and labels up to {pool.labels.max()}."
        )
    if info.pool_sha256 not in (None, pool.sha256):
        raise DataError(f"{where} is not the data it was pinned to: sha256 {pool.sha256}, expected {info.pool_sha256}.")
    return pool
