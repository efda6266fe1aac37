"""Stage ``train``: one model, on the examples that membership gives it."""

from __future__ import annotations

from dataclasses import asdict

import torch

from ...compressors.filesize import file_sizes
from ...models.checkpoints import save_checkpoint
from ...models.recipe import TrainingRecipe
from ...models.training import train
from .job import Job
from .pool import network_of, normalization_in, open_pool, split_of


def run(job: Job) -> None:
    """Write ``model.safetensors``, its sizes in ``measured.json``, and ``history.json``."""
    config, data = job.config, job.read("data", "data.json")
    pool = open_pool(config["data"], data)
    split = split_of(config, pool)
    ids = split.train_ids(config["model"])
    torch.set_num_threads(job.threads)
    trained = train(
        network_of(config, data),
        TrainingRecipe.model_validate(config["training"]),
        pool.inputs[ids],
        pool.labels[ids],
        normalization_in(data),
        dev=(pool.inputs[split.dev], pool.labels[split.dev]),
        seed=config["seed"],
        device=job.torch_device(),
    )
    save_checkpoint(trained.module, job.out / "model.safetensors")
    job.write("measured.json", file_sizes(job.out / "model.safetensors"))
    epochs = [asdict(epoch) for epoch in trained.history]
    job.write("history.json", {"epochs": epochs, "dev_accuracy": trained.dev_accuracy})
