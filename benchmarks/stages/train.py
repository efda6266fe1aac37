"""Stage ``train``: one model, on the examples that membership gives it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import nn

from ...compressors.filesize import file_sizes
from ...models.checkpoints import save_checkpoint
from ...models.encoders.recipe import EncoderRecipe
from ...models.networks import EncoderSpec
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
    spec, normalization, device = network_of(config, data), normalization_in(data), job.torch_device()
    module: nn.Module
    if isinstance(spec, EncoderSpec):
        from ...models.encoders.train import train_encoder  # kornia is an extra, which other models do without

        encoder = train_encoder(
            spec,
            EncoderRecipe.model_validate(config["training"]),
            pool.inputs[ids].astype(np.uint8, copy=False),
            normalization,
            seed=config["seed"],
            device=device,
        )
        module = encoder.module
        for epoch, earlier in encoder.checkpoints.items():
            save_checkpoint(earlier, job.out / f"epoch-{epoch}.safetensors")
        history: dict[str, Any] = {"epochs": [{"loss": loss} for loss in encoder.history], "epsilon": encoder.epsilon}
    else:
        trained = train(
            spec,
            TrainingRecipe.model_validate(config["training"]),
            pool.inputs[ids],
            pool.labels[ids],
            normalization,
            dev=(pool.inputs[split.dev], pool.labels[split.dev]),
            start=job.parents["pretrain"] / "model.safetensors" if "pretrain" in job.parents else None,
            seed=config["seed"],
            device=device,
        )
        module = trained.module
        history = {"epochs": [asdict(epoch) for epoch in trained.history], "dev_accuracy": trained.dev_accuracy}
    save_checkpoint(module, job.out / "model.safetensors")
    job.write("measured.json", file_sizes(job.out / "model.safetensors"))
    job.write("history.json", history)
