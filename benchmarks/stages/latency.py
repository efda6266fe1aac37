"""Stage ``latency``: how long an artifact takes for an example, run alone on the machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
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
ROUNDS = 5
SECONDS_A_TURN = 0.05


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

    job.write("latency.json", medians([(predictor(b), inputs[:b]) for b in BATCHES]))


def medians(asked: Sequence[tuple[Predictor, NDArray[np.generic]]]) -> dict[str, float]:
    """Median milliseconds an example, by the size of the batch.

    Batch sizes take turns, so that what else the machine does for a while falls on all of them.

    Args:
        asked: for each size a predictor and a batch.
    """
    times: list[list[float]] = [[] for _ in asked]
    for predict, batch in asked:
        predict(batch)
    for _ in range(ROUNDS):
        for (predict, batch), found in zip(asked, times, strict=True):
            began = time.perf_counter()
            while True:
                start = time.perf_counter()
                predict(batch)
                found.append(time.perf_counter() - start)
                if time.perf_counter() - began > SECONDS_A_TURN:
                    break
    return {str(len(batch)): 1000 * median(found) / len(batch) for (_, batch), found in zip(asked, times, strict=True)}
