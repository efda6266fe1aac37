"""Stage ``observe``: what one model or artifact answers on every example that it is asked about."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ...attacks.sensitivity import sensitivity
from ...compressors.protocol import Predictor
from ...compressors.registry import make_compressor
from ...models.checkpoints import load_network
from ...models.inputs import Normalization, Normalized, Transform
from ...models.networks import task_of
from ...models.training import predict_logits
from . import answers as asked
from .job import Job
from .pool import asked_ids, network_of, normalization_in, open_pool, split_of


def run(job: Job) -> None:
    """Write one ``NAME.npy`` for each kind of answer (``answers``), in the order of the asked ids.

    Where an attack of the suite needs it, the noisy queries of ``attacks.sensitivity`` are made as well, and what they
    gave is written to ``sensitivity.npy``. An encoder's embeddings of the dev examples, which its utility is measured
    by, are in ``dev.npy``.
    """
    config, data = job.config, job.read("data", "data.json")
    pool, normalization = open_pool(config["data"], data), normalization_in(data)
    split = split_of(config, pool)
    ids = asked_ids(config, split)
    inputs = pool.inputs[ids]

    def ask(transform: Transform) -> Predictor:
        return _predictor(job, transform)

    found: asked.Answers
    match task_of(config["network"]["name"]):
        case "classification":
            found = asked.of_classifier(ask, normalization, inputs)
            if noisy := config.get("sensitivity"):
                found["sensitivity"] = _sensitivity(job, normalization, inputs, ids, found["logits"], noisy)
        case "language-model":
            found = asked.of_language_model(ask, normalization, inputs)
        case "encoder":
            if not isinstance(normalization, Normalization):
                raise TypeError("Encoders take images.")
            found = asked.of_encoder(ask, normalization, inputs, ids, config["queries"])
            found["dev"] = asked.of_encoder(ask, normalization, pool.inputs[split.dev], split.dev, {})["embedding"]
    for name, values in found.items():
        np.save(job.out / f"{name}.npy", values, allow_pickle=False)


def _sensitivity(
    job: Job,
    normalization: Transform,
    inputs: NDArray[np.generic],
    ids: NDArray[np.int64],
    logits: NDArray[np.generic],
    noisy: dict[str, int],
) -> NDArray[np.float32]:
    if not isinstance(normalization, Normalization):
        raise TypeError("Noise is added to images; leave attacks with noisy queries out of a suite of texts.")
    clean = logits.astype(np.float32)
    return sensitivity(_predictor(job, Normalized()), normalization, inputs, ids, clean, **noisy)


def _predictor(job: Job, transform: Transform) -> Predictor:
    """The model or artifact, asked for what ``transform`` makes of its inputs."""
    if job.config["framework"] == "none":
        torch.set_num_threads(job.threads)
        network = network_of(job.config, job.read("data", "data.json"))
        module = load_network(network, job.parents["train"] / "model.safetensors")
        return lambda inputs: predict_logits(module, inputs, transform)
    compressor = make_compressor(job.config["framework"])
    return compressor.predictor(job.parents["compress"] / f"model{compressor.suffix}", transform, threads=job.threads)
