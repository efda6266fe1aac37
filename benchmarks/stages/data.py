"""Stage ``data``: load the pool once, and state exactly which data it is."""

from __future__ import annotations

from ...models.data import DataConfig, class_count, load_pool, normalization
from ...models.membership import Membership
from .job import Job


class PoolTooSmallError(ValueError):
    """The pool cannot fill the membership design."""


def run(job: Job) -> None:
    """Write ``data.json``: name, source, version, sha256, shapes and normalization."""
    config = DataConfig.model_validate(job.config["data"])
    pool = load_pool(config)
    needed = Membership.model_validate(job.config["membership"]).needed
    if len(pool.images) < needed:
        raise PoolTooSmallError(
            f"The suite needs {needed:,} examples, {pool.name} has {len(pool.images):,}. "
            "Lower membership.train, membership.evaluate or membership.dev, or take a larger data set."
        )
    job.write(
        "data.json",
        {
            "name": pool.name,
            "source": pool.source,
            "version": pool.version,
            "sha256": pool.sha256,
            "examples": len(pool.images),
            "duplicates_dropped": pool.duplicates_dropped,
            "image": list(pool.images.shape[1:]),
            "classes": class_count(pool),
            "normalization": normalization(pool).model_dump(),
        },
    )
