"""From a trained network to the bytes of its .pte file: prune, cluster, quantize, lower, and check what was written."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ...models.networks import is_transformer
from ...models.training import as_tensor
from ..protocol import Finetuning, Target
from ..settings import Setting
from ..shaping.kernels import sample
from ..shaping.shape import shape
from .lower import FIXED_BATCH, LARGEST_BATCH, lower, quantize, quiet
from .narrow import Half, quantize_dense
from .predictor import PtePredictor
from .readback import ArtifactError, read_weights

CALIBRATION_EXAMPLES = 128
"""How many of the model's own training examples set the ranges of int8 activations."""

# Integer kernels and the graph that stands for them break ties differently, and may be some steps apart; so may sums
# in float16 that are taken in another order.
_TOLERANCE = {"dynamic": 0.1, "int8-static": 0.1, "float16": 0.02}


def make_artifact(target: Target, setting: Setting, finetuning: Finetuning, *, seed: int) -> bytes:
    """Compress the target's network. Pruning, clustering and what trains afterwards are as for PyTorch Mobile.

    Returns:
        The content of the .pte file.

    Raises:
        UntrainedError: fine-tuning moved nothing.
        ArtifactError: the file has other logits than the compressed network, or not all of its kernels.
    """
    inputs = sample(target.images, target.normalization, CALIBRATION_EXAMPLES, seed)
    # The generators are forked for what PyTorch draws when it builds a layer, before the weights are put in.
    with torch.random.fork_rng():
        shaped = shape(target, setting, finetuning, seed=seed)
        network = shaped.network
        with quiet():
            network.requires_grad_(False)
            kind = setting.quantization.kind if setting.quantization is not None else None
            if kind == "float16":
                network = Half(network)
            elif kind == "dynamic" and is_transformer(target.network.name):
                network = quantize_dense(network)
            elif kind is not None:
                network = quantize(network, inputs, dynamic=kind == "dynamic")
            content = lower(network, inputs[:1], batch=FIXED_BATCH if is_transformer(target.network.name) else None)
    _verify(content, network, target, (shaped.embeddings, shaped.kernels), tolerance=_TOLERANCE.get(kind or "", 1e-4))
    return content


def _verify(content: bytes, network: nn.Module, target: Target, layers: tuple[int, int], *, tolerance: float) -> None:
    few = target.images[:LARGEST_BATCH]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.pte"
        path.write_bytes(content)
        logits = PtePredictor(path, target.normalization, batch_size=len(few), threads=1)(few)
    with torch.no_grad():
        expected = network(as_tensor(target.normalization(few))).numpy()
    gap, bound = float(np.abs(logits - expected).max()), tolerance * max(1.0, float(np.abs(expected).max()))
    if not gap <= bound:
        raise ArtifactError(f"The .pte file's logits are {gap:.2g} away from the compressed network's.")
    weights = read_weights(content)
    embeddings = sum(weight.name.endswith("embedding") for weight in weights)
    if (found := (embeddings, len(weights) - embeddings)) != layers:
        raise ArtifactError(
            f"The file shows {found[0]} embeddings and {found[1]} convolution and dense kernels, the network has "
            f"{layers[0]} and {layers[1]}. Teach readback.py the operators of the missing ones."
        )
