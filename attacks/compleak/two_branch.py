"""CompLeak_MR's network: one branch for membership probabilities, one for losses (CompLeak section 6)."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .fitting import LogOdds, fit_network

Floats = NDArray[np.float64]


class TwoBranch(nn.Module):
    """Two branches of 64 features each, joined by a head with two outputs (non-member, member)."""

    def __init__(self, probabilities: int, losses: int) -> None:
        super().__init__()
        self.probabilities = _branch(probabilities)
        self.losses = _branch(losses)
        self.head = nn.Sequential(
            nn.Dropout(0.5),
            *_hidden(128, 256),
            *_hidden(256, 128),
            *_hidden(128, 64),
            nn.Linear(64, 2),
        )

    def forward(self, probabilities: Tensor, losses: Tensor) -> Tensor:
        """Logits [batch, 2] of inputs [batch, probabilities] and [batch, losses]."""
        joined = torch.cat([self.probabilities(probabilities), self.losses(losses)], dim=1)
        return torch.as_tensor(self.head(joined))


def fit_two_branch(
    probabilities: Floats, losses: Floats, member: NDArray[np.bool_], *, seed: int, epochs: int
) -> LogOdds:
    """Train the network: SGD with momentum 0.9, weight decay 5e-4, learning rate 1e-2 (CompLeak's published code).

    Args:
        probabilities: [records, any].
        losses: [records, any].
        member: [records].
        seed: of whatever is drawn.
        epochs: how many.

    Returns:
        A function from such inputs to the log-odds of membership, float64 [records].
    """
    return fit_network(
        partial(TwoBranch, probabilities.shape[1], losses.shape[1]),
        (probabilities, losses),
        member,
        optimizer=partial(torch.optim.SGD, lr=1e-2, momentum=0.9, weight_decay=5e-4),
        epochs=epochs,
        seed=seed,
    )


def _branch(features: int) -> nn.Sequential:
    return nn.Sequential(*_hidden(features, 128), nn.Linear(128, 64))


def _hidden(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(0.5)
