"""The weights that compression works on, and the tensors that they meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from ...models.inputs import Transform
from ...models.training import as_tensor

Constraint = Callable[[nn.Module], None]
"""Puts a network's kernels back on what they must satisfy: zeros that stay, values that are shared."""


def layers(network: nn.Module) -> dict[str, nn.Conv2d | nn.Linear]:
    """Convolution and dense layers by name. Preparing a network for quantization keeps the names."""
    return {n: layer for n, layer in network.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear)}


def kernels(network: nn.Module) -> dict[str, Tensor]:
    """The kernels of ``layers``: what is pruned, clustered and quantized; biases are not."""
    return {name: layer.weight for name, layer in layers(network).items()}


def tables(network: nn.Module) -> dict[str, nn.Embedding]:
    """The embeddings of a text network by name: of tokens, positions and token types."""
    return {name: layer for name, layer in network.named_modules() if isinstance(layer, nn.Embedding)}


def sample(inputs: NDArray[np.generic], normalization: Transform, count: int, seed: int) -> Tensor:
    """At most ``count`` of the inputs, drawn by ``seed``, un-augmented, as the network takes them."""
    chosen = np.random.default_rng(seed).permutation(len(inputs))[:count]
    return as_tensor(normalization(inputs[chosen]))


def together(held: Sequence[Constraint]) -> Constraint:
    """One constraint that holds all of ``held``, which may grow meanwhile."""

    def hold(trained: nn.Module) -> None:
        for constraint in held:
            constraint(trained)

    return hold
