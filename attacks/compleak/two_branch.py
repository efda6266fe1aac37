"""CompLeak_MR's network: one branch for membership probabilities, one for losses (CompLeak section 6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Floats = NDArray[np.float64]

_BATCH = 128


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
) -> Callable[[Floats, Floats], Floats]:
    """Train the network for a fixed number of epochs and keep the last.

    SGD with momentum 0.9, weight decay 5e-4, learning rate 1e-2 along a cosine to 0, batches of 128 (CompLeak's
    published code). Nothing is chosen on the target: that code prints the target's accuracy after every epoch
    and reports the best.

    Args:
        probabilities: [records, any].
        losses: [records, any].
        member: [records].
        seed: of weights, batches and dropout; with one thread the result is the same to the last bit.
        epochs: how many.

    Returns:
        A function from such inputs to the log-odds of membership, float64 [records].
    """
    with _reproducible(seed):
        network = TwoBranch(probabilities.shape[1], losses.shape[1])
        inputs = [torch.from_numpy(a).float() for a in (probabilities, losses)]
        answers = torch.from_numpy(member).long()
        optimizer = torch.optim.SGD(network.parameters(), lr=1e-2, momentum=0.9, weight_decay=5e-4)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
        network.train()
        for _ in range(epochs):
            for batch in torch.split(torch.randperm(len(answers)), _BATCH):
                optimizer.zero_grad()
                outputs = network(*(a[batch] for a in inputs))
                torch.autograd.backward(nn.functional.cross_entropy(outputs, answers[batch]))
                optimizer.step()
            schedule.step()
    network.eval().double()

    def log_odds(probabilities: Floats, losses: Floats) -> Floats:
        with torch.no_grad():
            outputs = network(torch.from_numpy(probabilities), torch.from_numpy(losses)).numpy()
        return np.asarray(outputs[:, 1] - outputs[:, 0], dtype=np.float64)

    return log_odds


def _branch(features: int) -> nn.Sequential:
    return nn.Sequential(*_hidden(features, 128), nn.Linear(128, 64))


def _hidden(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(0.5)


@contextmanager
def _reproducible(seed: int) -> Iterator[None]:
    """Seed torch and keep to one thread, then leave both as they were."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
