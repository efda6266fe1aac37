"""Stage ``collect``: all logits in one labelled array set, and what each artifact is still good for."""

from __future__ import annotations

import numpy as np

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
    logits = np.stack(
        [[np.load(job.parents[f"{m}/{v}"] / "logits.npy", allow_pickle=False) for v in variants] for m in models]
    )
    first = config["targets"][0]
    # The null control is held to the first target's membership: it has seen neither side.
    member = np.stack([split.member(first if m == NULL else m, ids) for m in models])
    calibration = np.stack([np.isin(ids, split.evaluation_ids(m)) & (m != NULL) for m in models])
    labels = pool.labels[ids]
    observations = Observations.from_arrays(
        logits, labels, models=models, variants=variants, examples=ids, member=member, calibration=calibration
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
