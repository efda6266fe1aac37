"""Stage ``observe``: what one model or artifact answers on every example that anybody is attacked on."""

from __future__ import annotations

import numpy as np
import torch

from ...attacks.sensitivity import sensitivity
from ...compressors.protocol import Predictor
from ...compressors.registry import make_compressor
from ...models.checkpoints import load_network
from ...models.inputs import Normalization, Normalized, Transform
from ...models.training import predict_logits
from .job import Job
from .pool import network_of, normalization_in, open_pool, split_of


def run(job: Job) -> None:
    """Write ``logits.npy``, float32 [examples, classes], in the order of the observed ids.

    Where an attack of the suite needs it, the noisy queries of ``attacks.sensitivity`` are made as well, and what they
    gave is written to ``sensitivity.npy``, of the same shape.
    """
    config, data = job.config, job.read("data", "data.json")
    pool = open_pool(config["data"], data)
    ids = split_of(config, pool).observed_ids()
    inputs, normalization = pool.inputs[ids], normalization_in(data)
    logits = _predictor(job, normalization)(inputs)
    if not np.isfinite(logits).all():
        raise FloatingPointError(f"{int((~np.isfinite(logits)).sum())} logits are not finite; the model diverged.")
    np.save(job.out / "logits.npy", logits.astype(np.float32), allow_pickle=False)
    if noisy := config.get("sensitivity"):
        if not isinstance(normalization, Normalization):
            raise TypeError("Noise is added to images; leave attacks with noisy queries out of a suite of texts.")
        moved = sensitivity(_predictor(job, Normalized()), normalization, inputs, ids, logits, **noisy)
        np.save(job.out / "sensitivity.npy", moved, allow_pickle=False)


def _predictor(job: Job, transform: Transform) -> Predictor:
    """The model or artifact, asked for what ``transform`` makes of its inputs."""
    if job.config["framework"] == "none":
        torch.set_num_threads(job.threads)
        network = network_of(job.config, job.read("data", "data.json"))
        module = load_network(network, job.parents["train"] / "model.safetensors")
        return lambda inputs: predict_logits(module, inputs, transform)
    compressor = make_compressor(job.config["framework"])
    return compressor.predictor(job.parents["compress"] / f"model{compressor.suffix}", transform, threads=job.threads)
