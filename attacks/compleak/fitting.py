"""Training an attack network: for a fixed number of epochs, on shadow records, the same to the last bit each time.

Nothing is chosen on the target: CompLeak's published code prints the target's accuracy after every epoch of its
networks and reports the best.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Floats = NDArray[np.float64]
LogOdds = Callable[..., Floats]
"""From a network's inputs, each [records, ...], to the log-odds of membership, float64 [records]."""

_BATCH = 128
_RECORDS_AT_ONCE = 1024


def fit_network(
    make: Callable[[], nn.Module],
    inputs: Sequence[Floats],
    member: NDArray[np.bool_],
    *,
    optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
    epochs: int,
    seed: int,
) -> LogOdds:
    """Train a network with cross-entropy, its learning rate along a cosine to 0, and keep the last epoch.

    Args:
        make: builds the network, from ``inputs`` to two logits (non-member, member).
        inputs: what it takes, each [records, ...].
        member: [records].
        optimizer: of the network's parameters.
        epochs: how many.
        seed: of weights, batches and dropout; with one thread the result is the same to the last bit.
    """
    with _reproducible(seed):
        network = make()
        tensors = [torch.from_numpy(a).float() for a in inputs]
        answers = torch.from_numpy(member).long()
        steps = optimizer(network.parameters())
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(steps, T_max=epochs)
        network.train()
        for _ in range(epochs):
            for batch in torch.split(torch.randperm(len(answers)), _BATCH):
                if len(batch) > 1:  # one record has no variance to be normalised by
                    steps.zero_grad()
                    outputs = network(*(a[batch] for a in tensors))
                    torch.autograd.backward(nn.functional.cross_entropy(outputs, answers[batch]))
                    steps.step()
            schedule.step()
    network.eval().double()

    def log_odds(*inputs: Floats) -> Floats:
        with torch.no_grad():
            parts = zip(*(torch.split(torch.from_numpy(a), _RECORDS_AT_ONCE) for a in inputs), strict=True)
            outputs = torch.cat([network(*part) for part in parts]).numpy()
        return np.asarray(outputs[:, 1] - outputs[:, 0], dtype=np.float64)

    return log_odds


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
