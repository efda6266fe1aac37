"""Stage ``data``: load the pool once, and state exactly which data it is."""

from __future__ import annotations

from ...models.data import DataConfig, class_count, load_pool, normalization
from .job import Job


def run(job: Job) -> None:
    """Write ``data.json``: name, source, version, sha256, shapes and normalization."""
    config = DataConfig.model_validate(job.config["data"])
    pool = load_pool(config)
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
