"""From a trained network to the bytes of its artifact: prune, cluster, quantize, write, and check what was written."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.ao.quantization.quantize_fx import fuse_fx

from ...models.networks import is_transformer
from ...models.training import as_tensor
from ..protocol import Finetuning, Target
from ..settings import Setting
from ..shaping.kernels import sample
from ..shaping.shape import shape
from .lite import load_predictor, quiet, serialize
from .quantize import (
    convert,
    mobile_engine,
    prepare_training,
    quantize_dense_static,
    quantize_dynamic,
    quantize_static,
    store_float16,
)
from .readback import read_weights

CALIBRATION_EXAMPLES = 128
"""How many of the model's own training examples set the ranges of int8 activations."""


class ArtifactError(RuntimeError):
    """The file is not the network that it was made from."""


def make_artifact(target: Target, setting: Setting, finetuning: Finetuning, *, seed: int) -> bytes:
    """Compress the target's network. Whatever trains stays within the constraints of the steps before it.

    Returns:
        The content of the .ptl file; on one machine, the same arguments give the same bytes.

    Raises:
        UntrainedError: fine-tuning moved nothing.
        ArtifactError: the file answers other than the compressed network, or not all of its kernels.
    """
    inputs = sample(target.images, target.normalization, CALIBRATION_EXAMPLES, seed)
    transformer = is_transformer(target.network.name)
    # The generators are forked for what PyTorch draws when it builds a layer, before the weights are put in.
    with quiet(), mobile_engine(), torch.random.fork_rng():
        shaped = shape(target, setting, finetuning, seed=seed)
        network = shaped.network
        kind = setting.quantization.kind if setting.quantization is not None else None
        if kind == "int8-static":
            network = (quantize_dense_static if transformer else quantize_static)(network, inputs)
        elif kind == "int8-qat":
            prepared = prepare_training(network, inputs[:1])
            shaped.train(prepared)
            network = convert(prepared)
        else:
            # Folding batch normalisation scales each channel: k shared values would become k in each.
            network = network if transformer or setting.clustering is not None else fuse_fx(network)
            if kind is not None:
                network = {"dynamic": quantize_dynamic, "float16": store_float16}[kind](network)
        content = serialize(network, inputs[:1])
        _verify(content, network, target, shaped.kernels)
    return content


def _verify(content: bytes, network: nn.Module, target: Target, layers: int) -> None:
    few = target.images[:3]
    predict = load_predictor(content, target.normalization, batch_size=len(few), threads=torch.get_num_threads())
    with torch.no_grad():
        # One at a time: dynamic int8 would round them by a common range.
        inputs = as_tensor(target.normalization(few))
        expected = np.concatenate([network(inputs[i : i + 1]).numpy() for i in range(len(few))])
    gap = float(np.abs(predict(few) - expected).max())
    if not gap <= 1e-4 * max(1.0, float(np.abs(expected).max())):
        raise ArtifactError(f"The lite interpreter's answers are {gap:.2g} away from the compressed network's.")
    if (found := sum(not weight.name.endswith("embedding") for weight in read_weights(content))) != layers:
        raise ArtifactError(
            f"The file shows {found} convolution and dense kernels, the network has {layers}. "
            "Teach readback.py the operators of the missing ones."
        )
