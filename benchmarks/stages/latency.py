"""Stage ``latency``: how long an artifact takes for an example, run alone on the machine."""

from __future__ import annotations

import time
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from ...compressors.protocol import Predictor
from ...compressors.registry import make_compressor
from ...models.checkpoints import load_network
from ...models.training import forward
from .job import Job
from .pool import network_of, normalization_in, open_pool

BATCHES = (1, 8, 32)
SECONDS_A_BATCH_SIZE = 0.25
LEAST_REPEATS = 5


def run(job: Job) -> None:
    """Write ``latency.json``: median milliseconds an example, by batch size, with one thread."""
    config, data = job.config, job.read("data", "data.json")
    inputs = open_pool(config["data"], data).inputs[: max(BATCHES)]
    normalization = normalization_in(data)

    def predictor(batch: int) -> Predictor:
        if config["framework"] == "none":
            torch.set_num_threads(1)
            network = load_network(network_of(config, data), job.parents["train"] / "model.safetensors")
            return lambda examples: forward(network, examples, normalization)
        compressor = make_compressor(config["framework"])
        artifact = job.parents["compress"] / f"model{compressor.suffix}"
        return compressor.predictor(artifact, normalization, batch_size=batch, threads=1)

    job.write("latency.json", {str(b): _median_ms(predictor(b), inputs[:b]) for b in BATCHES})


def _median_ms(predict: Predictor, batch: NDArray[np.generic]) -> float:
    predict(batch)
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < LEAST_REPEATS or time.perf_counter() - began < SECONDS_A_BATCH_SIZE:
        start = time.perf_counter()
        predict(batch)
        times.append(time.perf_counter() - start)
    return 1000 * median(times) / len(batch)
