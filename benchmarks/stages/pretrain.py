"""Stage ``pretrain``: a text network trained on texts outside the pool, once; every model starts from its weights."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import torch

from ...models.checkpoints import save_checkpoint
from ...models.data import default_cache
from ...models.inputs import Tokens
from ...models.networks import TextSpec
from ...models.pretraining import corpus, pretrain
from ...models.recipe import TrainingRecipe
from .job import Job
from .pool import network_of, normalization_in, open_pool


def run(job: Job) -> None:
    """Write ``model.safetensors`` and ``history.json``.

    Raises:
        ValueError: the corpus has fewer texts than the suite asks for.
    """
    config, data = job.config, job.read("data", "data.json")
    pool, spec, normalization = open_pool(config["data"], data), network_of(config, data), normalization_in(data)
    if not isinstance(spec, TextSpec) or not isinstance(normalization, Tokens) or pool.text is None:
        raise TypeError("Pre-training is for text networks.")
    texts = corpus(pool.text.tokenizer, spec.length, default_cache())
    if len(texts) < config["examples"]:
        raise ValueError(f"There are {len(texts):,} texts to pre-train on; lower pretraining.examples.")
    chosen = np.random.default_rng(config["seed"]).permutation(len(texts))[: config["examples"]]
    torch.set_num_threads(job.threads)
    trained = pretrain(
        spec,
        TrainingRecipe.model_validate(config["training"]),
        texts[np.sort(chosen)],
        normalization,
        excluded=pool.inputs.astype(np.int64),
        seed=config["seed"],
        device=job.torch_device(),
    )
    save_checkpoint(trained.module, job.out / "model.safetensors")
    job.write("history.json", {"epochs": [asdict(epoch) for epoch in trained.history]})
