"""The weights that compression works on, and the tensors that they meet."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...models.inputs import Normalization

Constraint = Callable[[nn.Module], None]
"""Puts a network's kernels back on what they must satisfy: zeros that stay, values that are shared."""


def layers(network: nn.Module) -> dict[str, nn.Conv2d | nn.Linear]:
    """Convolution and dense layers by name. Preparing a network for quantization keeps the names."""
    return {n: layer for n, layer in network.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear)}


def kernels(network: nn.Module) -> dict[str, Tensor]:
    """The kernels of ``layers``: what is pruned, clustered and quantized; biases are not."""
    return {name: layer.weight for name, layer in layers(network).items()}


def as_tensor(images: NDArray[np.float32]) -> Tensor:
    """Normalised images [examples, height, width, channels] as [examples, channels, height, width]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def sample(images: NDArray[np.uint8], normalization: Normalization, count: int, seed: int) -> Tensor:
    """At most ``count`` of the images, drawn by ``seed``, un-augmented: [examples, channels, height, width]."""
    chosen = np.random.default_rng(seed).permutation(len(images))[:count]
    return as_tensor(normalization(images[chosen]))
