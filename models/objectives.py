"""What each task is trained for: its loss, and what counts as right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .likelihood import PADDING
from .networks import Task


@dataclass(frozen=True)
class Outcome:
    """One batch, on the device it was computed on; every field is a scalar.

    Attributes:
        loss: mean cross-entropy of a prediction, in nats.
        right: how many predictions were right.
        counted: how many there were: examples of a classifier, tokens of a language model.
    """

    loss: Tensor
    right: Tensor
    counted: Tensor


Objective = Callable[[Tensor, Tensor, Tensor], Outcome]
"""From a network's outputs, the inputs that it was given, and labels, to an outcome."""


def classify(logits: Tensor, inputs: Tensor, labels: Tensor) -> Outcome:
    """Cross-entropy of the classes: logits [batch, classes], labels int64 [batch]."""
    right = (logits.detach().argmax(1) == labels).sum()
    return Outcome(F.cross_entropy(logits, labels), right, torch.full_like(right, len(labels)))


def next_token(logits: Tensor, ids: Tensor, labels: Tensor) -> Outcome:
    """Cross-entropy of each token given those before it: logits [batch, length, vocabulary], ids [batch, length].

    The mean is over all tokens of the batch that are not padding and not a text's first. A batch without any has a
    loss of 0. Padding is no token that could follow, so its logit is left out of every softmax; weights from a hub
    whose vocabulary has no padding give the same likelihoods as there. Labels are not looked at.
    """
    target = ids[:, 1:]
    real = target != PADDING
    # Padding is left out before the softmax, not after: it is half of a batch of short texts.
    predicted, target = logits[:, :-1, 1:][real], target[real] - 1
    counted = real.sum()
    loss = F.cross_entropy(predicted, target, reduction="sum") / counted.clamp(min=1)
    return Outcome(loss, (predicted.detach().argmax(1) == target).sum(), counted)


def objective_of(task: Task) -> Objective:
    """The objective of a task.

    Raises:
        ValueError: an encoder has one for every way of training it, and those are in ``models.encoders``.
    """
    if task == "encoder":
        raise ValueError("Encoders are trained by models.encoders, not for a classification or the next token.")
    return next_token if task == "language-model" else classify
