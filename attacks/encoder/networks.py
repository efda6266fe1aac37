"""The networks of EncoderMI and PartCrop, and how they are trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from ..compleak.fitting import LogOdds, fit_network
from .access import Floats
from .attack import Bools

_WIDTH = 64
_CROPS_OPTIMIZER = partial(torch.optim.Adam, lr=1e-3, weight_decay=5e-4)


class SetNetwork(nn.Module):
    """A network on a set of numbers, whose order it cannot see (EncoderMI-S; Zaheer et al. 2017).

    Three layers ``tanh(A x_i + B max_j x_j)``, the maximum over the set, then dropout, a layer of tanh, dropout, two
    outputs. In the published code B = −A, and each set is first standardised by itself: either hides how large the
    cosines are, which the paper's own variant T rests on; here neither is done. Its rotations and scalings of the set,
    and its clipping of gradients, are left out; the width is ours.
    """

    def __init__(self, width: int = _WIDTH) -> None:
        super().__init__()
        sizes = (1, width, width)
        self.own = nn.ModuleList(nn.Linear(n, width) for n in sizes)
        self.largest = nn.ModuleList(nn.Linear(n, width, bias=False) for n in sizes)
        self.decide = nn.Sequential(
            nn.Dropout(0.5), nn.Linear(width, width), nn.Tanh(), nn.Dropout(0.5), nn.Linear(width, 2)
        )

    def forward(self, numbers: Tensor) -> Tensor:
        """Logits [batch, 2] of sets [batch, numbers]."""
        x = numbers.unsqueeze(-1)
        for own, largest in zip(self.own, self.largest, strict=True):
            x = torch.tanh(own(x) + largest(x.amax(dim=1, keepdim=True)))
        return torch.as_tensor(self.decide(x.amax(dim=1)))


class RootMeanSquare(nn.Module):
    """``x / √(mean x² + 1e-6)`` over the last axis, without a learned gain (PartCrop-v2's published code)."""

    def forward(self, x: Tensor) -> Tensor:
        """Of the shape of ``x``."""
        return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + 1e-6)


def fit_vector(cosines: Floats, member: Bools, seed: int, *, epochs: int = 300) -> LogOdds:
    """EncoderMI-V: two hidden layers of 256 tanh units; Adam at 1e-4, 1e-6 times the squared weights, 300 epochs.

    Args:
        cosines: sorted, [records, pairs].
        member: [records].
        seed: of whatever is drawn.
        epochs: as in the paper's code.
    """

    def make() -> nn.Module:
        return nn.Sequential(
            nn.Linear(cosines.shape[1], 256), nn.Tanh(), nn.Linear(256, 256), nn.Tanh(), nn.Linear(256, 2)
        )

    adam = partial(torch.optim.Adam, lr=1e-4, weight_decay=2e-6)
    return fit_network(make, [cosines], member, optimizer=adam, epochs=epochs, seed=seed)


def fit_set(cosines: Floats, member: Bools, seed: int, *, epochs: int = 50) -> LogOdds:
    """EncoderMI-S: ``SetNetwork`` with Adam at 1e-3, weight decay 1e-7, epsilon 1e-3.

    Args:
        cosines: in any order, [records, pairs].
        member: [records].
        seed: of whatever is drawn.
        epochs: ours; the published code states none.
    """
    adam = partial(torch.optim.Adam, lr=1e-3, weight_decay=1e-7, eps=1e-3)
    centre, spread = float(cosines.mean()), float(cosines.std()) or 1.0
    log_odds = fit_network(SetNetwork, [(cosines - centre) / spread], member, optimizer=adam, epochs=epochs, seed=seed)
    return lambda cosines: log_odds((cosines - centre) / spread)


def fit_crops(features: Floats, member: Bools, seed: int, *, epochs: int = 100) -> LogOdds:
    """PartCrop: hidden layers of 512, 256 and 128 with ReLU; weights from N(0, 0.01²); Adam at 1e-3, decay 5e-4.

    Args:
        features: ``partcrop_features``, [records, 2m].
        member: [records].
        seed: of whatever is drawn.
        epochs: as in the published code.
    """
    make = partial(_tapering, features.shape[1], (nn.ReLU,))
    return fit_network(make, [features], member, optimizer=_CROPS_OPTIMIZER, epochs=epochs, seed=seed)


def fit_crops_v2(features: Floats, member: Bools, seed: int, *, epochs: int = 100) -> LogOdds:
    """PartCrop-v2: as ``fit_crops``, with root-mean-square normalisation and tanh after each hidden layer.

    Features are first standardised by the records' (ours). Normalised as they come, whether before the first layer or
    after it, divergences that are larger by a factor for members look the same as any others.

    Args:
        features: ``partcrop_features``, [records, 2m].
        member: [records].
        seed: of whatever is drawn.
        epochs: as in ``fit_crops``; none are published for v2.
    """
    scaler = StandardScaler().fit(features)
    make = partial(_tapering, features.shape[1], (RootMeanSquare, nn.Tanh))
    inputs = [scaler.transform(features)]
    log_odds = fit_network(make, inputs, member, optimizer=_CROPS_OPTIMIZER, epochs=epochs, seed=seed)
    return lambda features: log_odds(scaler.transform(features))


def _tapering(inputs: int, between: Sequence[Callable[[], nn.Module]]) -> nn.Module:
    """Layers of 512, 256, 128 and 2 outputs, with ``between`` after each but the last."""
    sizes = (inputs, 512, 256, 128, 2)
    layers: list[nn.Module] = []
    for size, outputs in pairwise(sizes):
        layer = nn.Linear(size, outputs)
        nn.init.normal_(layer.weight, std=0.01)
        nn.init.zeros_(layer.bias)
        layers += [layer, *(follow() for follow in between)]
    return nn.Sequential(*layers[: -len(between)])
