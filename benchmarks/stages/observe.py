"""Stage ``observe``: the logits of one model or artifact on every example that anybody is attacked on."""

from __future__ import annotations

import numpy as np
import torch

from ...compressors.registry import make_compressor
from ...models.checkpoints import load_network
from ...models.training import predict_logits
from .job import Job
from .pool import network_of, normalization_in, open_pool, split_of


def run(job: Job) -> None:
    """Write ``logits.npy``, float32 [examples, classes], in the order of the observed ids."""
    config, data = job.config, job.read("data", "data.json")
    pool = open_pool(config["data"], data)
    images = pool.images[split_of(config, pool).observed_ids()]
    normalization = normalization_in(data)
    if config["framework"] == "none":
        torch.set_num_threads(job.threads)
        network = load_network(network_of(config, data), job.parents["train"] / "model.safetensors")
        logits = predict_logits(network, images, normalization)
    else:
        compressor = make_compressor(config["framework"])
        artifact = job.parents["compress"] / f"model{compressor.suffix}"
        logits = compressor.predictor(artifact, normalization, threads=job.threads)(images)
    if not np.isfinite(logits).all():
        raise FloatingPointError(f"{int((~np.isfinite(logits)).sum())} logits are not finite; the model diverged.")
    np.save(job.out / "logits.npy", logits.astype(np.float32), allow_pickle=False)
