"""Stage ``data``: load the pool once, and state exactly which data it is."""

from __future__ import annotations

from typing import Any

from ...models.data import DataConfig, Pool, class_count, load_pool, normalization
from .job import Job


def run(job: Job) -> None:
    """Write ``data.json``: name, source, version, sha256, shapes and normalization; of texts, what was cut off."""
    config = DataConfig.model_validate(job.config["data"])
    pool = load_pool(config)
    job.write(
        "data.json",
        {
            "name": pool.name,
            "source": pool.source,
            "version": pool.version,
            "sha256": pool.sha256,
            "examples": len(pool.inputs),
            "duplicates_dropped": pool.duplicates_dropped,
            "classes": class_count(pool),
            "normalization": normalization(pool).model_dump(),
            **_shapes(pool),
        },
    )


def _shapes(pool: Pool) -> dict[str, Any]:
    if pool.text is None:
        return {"image": list(pool.inputs.shape[1:])}
    return {"text": pool.text.as_json(), "notes": [pool.text.note]}
