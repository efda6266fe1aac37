"""The networks of CompLeak_NR's neural attacks, and how they are trained."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from .fitting import LogOdds, fit_network

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class SelfAttention(nn.Module):
    """SAMIA's network (Yuan & Zhang's and CompLeak's published code): a token for each class, three numbers a token.

    Batch normalisation; each token widened to 64; three layers of self-attention with 4 heads, a hidden layer of 128
    and dropout 0.2; all tokens joined, 64 units, two outputs (non-member, member).
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.normalize = nn.BatchNorm1d(3 * classes)
        self.widen = nn.Linear(3, 64)
        layer = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.2, activation="gelu", batch_first=True)
        self.attend = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.join = nn.Linear(64 * classes, 64)
        self.decide = nn.Linear(64, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits [batch, 2] of inputs [batch, classes, 3]."""
        x = self.normalize(tokens.flatten(1)).view_as(tokens)
        x = self.attend(nn.functional.gelu(self.widen(x)))
        return torch.as_tensor(self.decide(torch.relu(self.join(x.flatten(1)))))


def fit_self_attention(tokens: Floats, member: Bools, seed: int) -> LogOdds:
    """Train SAMIA's network.

    Args:
        tokens: [records, classes, 3].
        member: [records].
        seed: of whatever is drawn.
    """
    return fit_network(
        partial(SelfAttention, tokens.shape[1]),
        [tokens],
        member,
        optimizer=partial(torch.optim.Adam, lr=1e-3),
        epochs=10,
        seed=seed,
    )


def fit_perceptron(features: Floats, member: Bools, seed: int) -> LogOdds:
    """Train a network with one hidden layer of 100 units, on features standardised by the shadows'.

    Args:
        features: [records, features].
        member: [records].
        seed: of whatever is drawn.
    """
    scaler = StandardScaler().fit(features)
    log_odds = fit_network(
        lambda: nn.Sequential(nn.Linear(features.shape[1], 100), nn.ReLU(), nn.Linear(100, 2)),
        [scaler.transform(features)],
        member,
        optimizer=partial(torch.optim.Adam, lr=1e-2),
        epochs=20,
        seed=seed,
    )
    return lambda features: log_odds(scaler.transform(features))
