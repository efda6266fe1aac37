"""One pool of examples: all splits joined, duplicates dropped, in an order that its content alone decides.

The same data must be the same pool whether it came from a package, the hub or a folder of shuffled files: example
ids go into membership, into published scores and into the data hash of every row. So examples are sorted by the
sha256 of their pixels or token ids, and an id is a position in that order. It is not the order of training or of
membership: ``models.membership`` shuffles ids by a keyed hash of the seed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .text_facts import TextFacts

SourceName = Literal["package", "dir", "hub", "other"]

MAX_CLASSES = 100_000


class DataError(Exception):
    """A data set cannot be had, or what was given is not one."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Images or texts and their labels as a source gave them, checked but neither deduplicated nor sorted.

    Attributes:
        inputs: images, uint8 [examples, height, width, channels], or token ids, int32 [examples, length].
        labels: int64 [examples].
        version: the source's own name for this content.
    """

    inputs: NDArray[np.generic]
    labels: NDArray[np.int64]
    version: str


@dataclass(frozen=True, eq=False)
class Pool:
    """The examples that members and non-members are drawn from. Arrays are read-only.

    Attributes:
        inputs: images, uint8 [examples, height, width, channels], or token ids of texts, int32 [examples, length];
            row ``i`` is example id ``i``.
        labels: int64 [examples].
        source: which kind of source it came from.
        version: the source's own name for the content: a Debian version, a hub revision, ``npz`` or ``parquet``.
        sha256: of the content, the same for the same data from any source; see ``content_sha256``.
        duplicates_dropped: examples of the source that are not in the pool; see ``build_pool``.
        name: of the data set.
        text: what was done to the texts; None where the inputs are images.
    """

    inputs: NDArray[np.generic] = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    source: SourceName
    version: str
    sha256: str
    duplicates_dropped: int
    name: str
    text: TextFacts | None = None

    @property
    def ids(self) -> NDArray[np.int64]:
        """Ids of all examples: 0 to n - 1, [examples]."""
        return np.arange(len(self.labels), dtype=np.int64)


def checked(parts: Sequence[tuple[NDArray[Any], NDArray[Any]]], version: str, where: str) -> Examples:
    """Join the splits of a source into one set of examples.

    Args:
        parts: (images, labels) for each split: uint8 [n, height, width] or [n, height, width, channels], and
            integers [n] or [n, 1].
        version: see ``Examples``.
        where: the source's name in error messages.

    Raises:
        DataError: no examples, or arrays of another type or shape; says which.
    """
    for images, labels in parts:
        if images.dtype != np.uint8:
            raise DataError(f"{where}: images are {images.dtype}; give uint8 pixels from 0 to 255, not normalised.")
        if images.ndim not in (3, 4) or 0 in images.shape[1:] or images.shape[3:] not in ((), (1,), (3,)):
            raise DataError(
                f"{where}: images have the shape {list(images.shape)}; give [n, height, width] or "
                "[n, height, width, channels] with 1 or 3 channels, last."
            )
        if not np.issubdtype(labels.dtype, np.integer):
            raise DataError(f"{where}: labels are {labels.dtype}; give integers, one class number an image.")
        if labels.size != len(images) or labels.shape not in ((len(images),), (len(images), 1)):
            raise DataError(f"{where}: {len(images)} images but labels of the shape {list(labels.shape)}.")
    shapes = sorted({(*images.shape[1:], 1)[:3] for images, _ in parts if len(images)})
    if not shapes:
        raise DataError(f"{where}: there is no example in it.")
    if len(shapes) > 1:
        raise DataError(f"{where}: images differ in shape ({shapes}); give all of them one size.")
    images = np.concatenate([images.reshape(-1, *shapes[0]) for images, _ in parts if len(images)])
    labels = np.concatenate([labels.reshape(-1) for _, labels in parts if len(labels)])
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= MAX_CLASSES:
        raise DataError(
            f"{where}: labels run from {low} to {high}; give class numbers from 0 to at most {MAX_CLASSES - 1}."
        )
    return Examples(images, labels.astype(np.int64), version)


def build_pool(examples: Examples, name: str, source: SourceName) -> Pool:
    """Drop duplicates and put the rest in canonical order.

    Duplicates are examples with the same pixels or token ids: a member and a non-member that are one would make the
    question "was it trained on?" meaningless. One is kept of each group; none where its labels disagree, since
    choosing one would be arbitrary, and a model can learn neither.

    Raises:
        DataError: fewer than two classes are left.
    """
    rows = np.ascontiguousarray(examples.inputs).reshape(len(examples.inputs), -1)
    digests = np.frombuffer(b"".join(hashlib.sha256(row.data).digest() for row in rows), dtype=">u8").reshape(-1, 4)
    # The label breaks ties, so that the first and the last of a group differ where any two of it do.
    order = np.lexsort((examples.labels, *digests.T[::-1]))
    new = np.ones(len(order), dtype=bool)
    new[1:] = (digests[order[1:]] != digests[order[:-1]]).any(axis=1)
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(order)) - 1
    labels = examples.labels[order]
    kept = order[first[labels[first] == labels[last]]]
    inputs, labels = examples.inputs[kept], examples.labels[kept]
    if len(np.unique(labels)) < 2:
        raise DataError(
            f"{name}: of {len(order)} examples {len(kept)} are left without duplicates, in {len(np.unique(labels))} "
            "classes; a classifier needs at least two classes."
        )
    inputs.flags.writeable = labels.flags.writeable = False
    return Pool(
        inputs=inputs,
        labels=labels,
        source=source,
        version=examples.version,
        sha256=content_sha256(inputs, labels),
        duplicates_dropped=len(order) - len(kept),
        name=name,
    )


def content_sha256(inputs: NDArray[np.generic], labels: NDArray[np.int64]) -> str:
    """The sha256 of a shape header, the pixels or ids (little-endian), and the labels as little-endian int64."""
    digest = hashlib.sha256(json.dumps(["compleak-pool-1", *inputs.shape]).encode())
    digest.update(np.ascontiguousarray(inputs).reshape(-1).data.cast("B"))
    digest.update(np.ascontiguousarray(labels, dtype="<i8").data.cast("B"))
    return digest.hexdigest()


def save_pool(pool: Pool, path: Path) -> None:
    """Write a pool to one safetensors file; a reader sees the whole file or none.

    Raises:
        OSError: the folder cannot be written.
    """
    from safetensors.numpy import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    notes = {f.name: str(getattr(pool, f.name)) for f in fields(pool) if f.name not in ("inputs", "labels", "text")}
    if pool.text is not None:
        notes["text"] = json.dumps(pool.text.as_json())
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
        save_file({_array(pool): pool.inputs, "labels": pool.labels}, Path(folder) / path.name, metadata=notes)
        (Path(folder) / path.name).replace(path)


def read_notes(path: Path) -> dict[str, str] | None:
    """What a saved pool says about itself, without reading its arrays; None where there is no readable pool."""
    from safetensors import SafetensorError, safe_open

    with contextlib.suppress(OSError, SafetensorError), safe_open(path, framework="numpy") as file:
        notes: dict[str, str] = {**(file.metadata() or {}), "examples": str(file.get_slice("labels").get_shape()[0])}
        return notes
    return None


def read_pool(path: Path) -> Pool | None:
    """Read a saved pool; None where there is none, or where its content no longer has the hash it was saved with."""
    from safetensors.numpy import load_file

    notes = read_notes(path)
    if notes is None:
        return None
    arrays = load_file(path)
    text = TextFacts(**json.loads(notes["text"])) if "text" in notes else None
    inputs, labels = arrays["images" if text is None else "ids"], arrays["labels"]
    if content_sha256(inputs, labels) != notes.get("sha256"):
        return None
    inputs.flags.writeable = labels.flags.writeable = False
    source: Any = notes["source"]
    return Pool(
        inputs=inputs,
        labels=labels,
        source=source,
        version=notes["version"],
        sha256=notes["sha256"],
        duplicates_dropped=int(notes["duplicates_dropped"]),
        name=notes["name"],
        text=text,
    )


def _array(pool: Pool) -> str:
    return "images" if pool.text is None else "ids"
