"""Optimizers by name, for training and for fine-tuning."""

from __future__ import annotations

import torch
from torch import nn

from .recipe import OptimizerName


def make_optimizer(
    network: nn.Module, name: OptimizerName, *, learning_rate: float, momentum: float, weight_decay: float
) -> torch.optim.Optimizer:
    """An optimizer of all of ``network``'s parameters.

    Args:
        network: in its place already, on the device where it is trained.
        name: ``sgd`` with momentum, or ``adamw``, which has no use for ``momentum``.
        learning_rate: at the first step.
        momentum: of SGD.
        weight_decay: with SGD on every parameter; with AdamW not on vectors (biases, layer normalisation).
    """
    if name == "sgd":
        return torch.optim.SGD(network.parameters(), lr=learning_rate, momentum=momentum, weight_decay=weight_decay)
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=learning_rate)
