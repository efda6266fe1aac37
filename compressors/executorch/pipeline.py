"""From a trained network to the bytes of its .pte file: prune, cluster, quantize, lower, and check what was written."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ...models.checkpoints import load_network
from ...models.training import as_tensor
from ..protocol import Finetuning, Target
from ..pytorch_mobile.cluster import cluster
from ..pytorch_mobile.finetune import finetune
from ..pytorch_mobile.kernels import kernels, sample
from ..pytorch_mobile.prune import prune
from ..settings import Setting
from .lower import LARGEST_BATCH, lower, quantize, quiet
from .predictor import PtePredictor
from .readback import ArtifactError, read_weights

CALIBRATION_EXAMPLES = 128
"""How many of the model's own training examples set the ranges of int8 activations."""


def make_artifact(target: Target, setting: Setting, finetuning: Finetuning, *, seed: int) -> bytes:
    """Compress the target's network. Pruning, clustering and what trains afterwards are as for PyTorch Mobile.

    Returns:
        The content of the .pte file.

    Raises:
        UntrainedError: fine-tuning moved nothing.
        ArtifactError: the file has other logits than the compressed network, or not all of its kernels.
    """
    inputs = sample(target.images, target.normalization, CALIBRATION_EXAMPLES, seed)
    train = partial(finetune, target=target, finetuning=finetuning, seed=seed)
    # The generators are forked for what PyTorch draws when it builds a layer, before the weights are put in.
    with torch.random.fork_rng():
        network = load_network(target.network, target.checkpoint).eval()
        layers = len(kernels(network))
        if setting.pruning is not None:
            constraint = prune(network, setting.pruning)
            train(network, learning_rate=finetuning.learning_rate, constraint=constraint)
        if setting.clustering is not None:
            constraint = cluster(network, setting.clustering.clusters, seed=seed)
            train(network, learning_rate=finetuning.clustering_learning_rate, constraint=constraint)
        with quiet():
            network.requires_grad_(False)
            if setting.quantization is not None:
                network = quantize(network, inputs, dynamic=setting.quantization.kind == "dynamic")
            content = lower(network, inputs[:1])
    _verify(content, network, target, layers, rounded=setting.quantization is not None)
    return content


def _verify(content: bytes, network: nn.Module, target: Target, layers: int, *, rounded: bool) -> None:
    few = target.images[:LARGEST_BATCH]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.pte"
        path.write_bytes(content)
        logits = PtePredictor(path, target.normalization, batch_size=len(few), threads=1)(few)
    with torch.no_grad():
        expected = network(as_tensor(target.normalization(few))).numpy()
    # Integer kernels and the graph that stands for them break ties differently: they may be some steps apart.
    gap, bound = float(np.abs(logits - expected).max()), (0.1 if rounded else 1e-4) * max(1.0, np.abs(expected).max())
    if not gap <= bound:
        raise ArtifactError(f"The .pte file's logits are {gap:.2g} away from the compressed network's.")
    if (found := len(read_weights(content))) != layers:
        raise ArtifactError(
            f"The file shows {found} convolution and dense kernels, the network has {layers}. "
            "Teach readback.py the operators of the missing ones."
        )
