"""Stage ``compress``: one model, one framework, one setting; the artifact must show what was asked for."""

from __future__ import annotations

import torch

from ...compressors.measured import check, measure
from ...compressors.protocol import Finetuning, Target
from ...compressors.registry import make_compressor
from ...compressors.settings import parse_setting
from .job import Job
from .pool import network_of, normalization_in, open_pool, split_of


def run(job: Job) -> None:
    """Write the artifact and ``measured.json``, read back from it."""
    config, data = job.config, job.read("data", "data.json")
    pool = open_pool(config["data"], data)
    ids = split_of(config, pool).train_ids(config["model"])
    target = Target(
        network=network_of(config, data),
        checkpoint=job.parents["train"] / "model.safetensors",
        normalization=normalization_in(data),
        images=pool.inputs[ids],
        labels=pool.labels[ids],
        augmentation=config["augmentation"],
        device=job.torch_device(),
    )
    torch.set_num_threads(job.threads)
    compressor = make_compressor(config["framework"])
    setting = parse_setting(config["setting"])
    artifact = job.out / f"model{compressor.suffix}"
    finetuning = Finetuning.model_validate(config["finetuning"])
    notes = compressor.compress(target, setting, finetuning, artifact, seed=config["seed"])
    weights = compressor.weights(artifact)
    check(setting, weights)
    job.write("measured.json", {**measure(artifact, weights).as_json(), "notes": list(notes)})
