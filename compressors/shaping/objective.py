"""What a compressed network is trained on for, in PyTorch: what its original was, or to answer as its original does."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ...models import objectives
from ...models.checkpoints import load_network
from ...models.networks import EncoderSpec, task_of
from ..protocol import Target

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From the network's answers, the inputs that it was given, and labels, to what is to become small."""


def loss_of(target: Target) -> Loss:
    """The loss by the target's task.

    A classifier's and a language model's is that of its training. An encoder's is ``distillation``: its pretext task
    needs projectors, queues and views that an owner who ships an encoder has thrown away.
    """
    if isinstance(target.network, EncoderSpec):
        return distillation(target)
    objective = objectives.objective_of(task_of(target.network.name))
    return lambda answers, inputs, labels: objective(answers, inputs, labels).loss


def distillation(target: Target) -> Loss:
    """Mean squared error between an encoder's answers [batch, 1 + positions, dimensions] and its original's.

    Divided by the variance of the original's answers in the batch, so that one learning rate suits encoders whose
    features differ in size: 1 is as bad as answering with their mean. It needs no labels, and is the same for every
    way of pre-training. The choice is ours; FitNets (Romero et al. 2015, section 2.2) matches features likewise.
    """
    with torch.random.fork_rng():  # what building draws, before the weights are put in
        original = load_network(target.network, target.checkpoint).to(target.device).requires_grad_(False)

    def loss(answers: Tensor, inputs: Tensor, labels: Tensor) -> Tensor:
        wanted = original(inputs)
        error: Tensor = F.mse_loss(answers, wanted) / wanted.var(correction=0).clamp(min=1e-12)
        return error

    return loss
