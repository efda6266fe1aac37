"""Stage ``collect``: all logits in one labelled array set, and what each artifact is still good for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...attacks.observations import ORIGINAL, Observations
from ...models.membership import NULL
from .job import Job
from .pool import open_pool, split_of


def run(job: Job) -> None:
    """Write ``observations.zarr`` and ``utility.json``.

    Utility is measured on what each target is attacked on: ``accuracy`` on its non-members (they are its test
    set, and choose nothing), ``accuracy_members`` on its members, ``agreement`` (same top class as the original)
    on its non-members.
    """
    config, data = job.config, job.read("data", "data.json")
    pool = open_pool(config["data"], data)
    split = split_of(config, pool)
    models, variants, ids = config["models"], config["variants"], split.observed_ids()
    logits = _of_all(job, "logits.npy")
    first = config["targets"][0]
    # The null control is held to the first target's membership: it has seen neither side.
    member = np.stack([split.member(first if m == NULL else m, ids) for m in models])
    calibration = np.stack([np.isin(ids, split.evaluation_ids(m)) & (m != NULL) for m in models])
    labels = pool.labels[ids]
    observations = Observations.from_arrays(
        logits,
        labels,
        models=models,
        variants=variants,
        examples=ids,
        member=member,
        calibration=calibration,
        sensitivity=_of_all(job, "sensitivity.npy") if "sensitivity" in config else None,
    )
    observations.save(job.out / "observations.zarr")

    right = logits.argmax(-1) == labels
    same = logits.argmax(-1) == logits[:, [variants.index(ORIGINAL)]].argmax(-1)
    utility = {}
    for target in (m for m in models if m in (*config["targets"], NULL)):
        at, evaluated = models.index(target), np.isin(ids, split.evaluation_ids(target))
        inside, outside = evaluated & member[at], evaluated & ~member[at]
        utility[target] = {
            variant: {
                "accuracy": float(right[at, k, outside].mean()),
                "accuracy_members": float(right[at, k, inside].mean()),
                "agreement": float(same[at, k, outside].mean()),
            }
            for k, variant in enumerate(variants)
        }
    job.write("utility.json", utility)
    job.write("evaluation.json", {t: split.evaluation_ids(t).tolist() for t in utility})


def _of_all(job: Job, file: str) -> NDArray[np.float32]:
    """A file of every observation, [models, variants, examples, classes]."""
    variants = job.config["variants"]
    models = [[f"{model}/{variant}" for variant in variants] for model in job.config["models"]]
    return np.stack([[np.load(job.parents[name] / file, allow_pickle=False) for name in names] for names in models])
