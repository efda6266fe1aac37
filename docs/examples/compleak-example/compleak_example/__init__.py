"""What this package offers, described. No framework is imported here: `compleak list` reads this module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compleak.attacks.registry import AttackInfo
from compleak.compressors.registry import AdapterInfo
from compleak.models.data import OtherDataset
from compleak.models.inputs import Normalization
from compleak.models.networks import NetworkSpec, OtherNetwork

from .data import stripes

if TYPE_CHECKING:
    from torch import nn


def _build(spec: NetworkSpec) -> nn.Module:
    from .network import two_convolutions

    return two_convolutions(spec)


STRIPES = OtherDataset(
    title="Stripes of four directions, a fifth of them mislabelled",
    classes=4,
    image=(12, 12, 1),
    normalization=Normalization(mean=(0.5,), std=(0.3,)),
    load=stripes,
    licence="Apache-2.0",
)
TWO_CONVOLUTIONS = OtherNetwork("Two convolutions and a dense layer", _build, stride=2)
EXPORTED = AdapterInfo(
    module="compleak_example.compressor",
    cls="ExportedProgram",
    description="torch.export (.pt2): pruning by magnitude, run by PyTorch",
)
MARGIN = AttackInfo(
    factory="compleak_example.attack:Margin",
    description="The gap between the two largest logits, one threshold for all classes",
    access="one-model",
)
