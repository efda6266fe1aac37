"""Stage ``attack``: one attack on one set of variants; fitted on shadows once, then blind to every target."""

from __future__ import annotations

import numpy as np

from ...attacks.observations import Observations
from ...attacks.registry import make_attack
from ...results.scores import Scores, write_scores
from .job import Job


def run(job: Job) -> None:
    """Write ``TARGET.parquet``: example id, member, score for each target, with the shadows' threshold."""
    config = job.config
    observations = Observations.open(job.parents["collect"] / "observations.zarr").select(variants=config["variants"])
    evaluation = job.read("collect", "evaluation.json")
    attack = make_attack(config["attack"], seed=config["seed"])
    attack.fit(observations.select(models=config["shadows"]))
    for target in config["targets"]:
        ids = np.asarray(evaluation[target], dtype=np.int64)
        of_target = observations.select(models=[target], examples=ids)
        scores = attack.score(of_target.without_membership())
        # Membership joins the scores only here, after the attack is done.
        write_scores(
            Scores.of(
                ids,
                of_target.member[0],
                scores,
                target=target,
                variant=";".join(config["variants"]),
                attack=attack.name,
                threshold=attack.threshold,
            ),
            job.out / f"{target}.parquet",
        )
