"""What a self-supervised method is to the trainer, and the parts that several of them are made of."""

from __future__ import annotations

import copy
import importlib
import itertools
import math
from collections.abc import Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..networks import EncoderSpec
from .recipe import EncoderRecipe


class TrainedBy(Protocol):
    """A method: an ``nn.Module`` of an encoder and what its training puts around it.

    Its class is built of the encoder, the encoder's spec and the recipe, and is called ``Method`` in a module of the
    method's name.

    Attributes:
        encoder: what is trained by gradients (the query encoder, the online network, the student), and what is
            attacked.
        views: of each image in a step.
    """

    encoder: nn.Module
    views: int

    def losses(self, *views: Tensor) -> Tensor:
        """What each example costs, [batch], where ``views`` are as many batches [batch, channels, height, width]."""
        ...

    def after_step(self, progress: float) -> None:
        """Bring up to date what no gradient does; ``progress`` is the share of all steps that are done."""
        ...


def build_method(encoder: nn.Module, spec: EncoderSpec, recipe: EncoderRecipe) -> Any:
    """The method of ``recipe`` around ``encoder``, with random heads: an ``nn.Module`` that is a ``TrainedBy``.

    Raises:
        ValueError: the method cannot train this encoder.
    """
    module: Any = importlib.import_module(f"{__package__}.{recipe.method}")
    return module.Method(encoder, spec, recipe)


def mlp(widths: Sequence[int]) -> nn.Sequential:
    """Dense layers, each but the last with batch normalisation and a ReLU: the usual projector or predictor.

    Args:
        widths: from the inputs to the outputs; a layer of 0 is none.
    """
    widths = [width for width in widths if width]
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths[:-1]):
        layers += [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))


def embedding(encoder: nn.Module, images: Tensor) -> Tensor:
    """An encoder's embeddings, [batch, dimensions], without its feature maps."""
    answer: Tensor = encoder(images)
    return answer[:, 0]


def cosine_distance(p: Tensor, z: Tensor) -> Tensor:
    """``2 - 2 cos(p, z)``, the squared distance of the normalised vectors, [batch]; no gradient goes into ``z``."""
    return 2 - 2 * F.cosine_similarity(p, z.detach(), dim=1)


def follower_of(module: nn.Module) -> nn.Module:
    """A copy that no gradient moves; it normalises batches by their own statistics, as ``module`` does."""
    return copy.deepcopy(module).requires_grad_(False)


@torch.no_grad()
def follow(follower: nn.Module, leader: nn.Module, keep: float) -> None:
    """Move each of a follower's weights: ``keep`` of it stays, the rest is its leader's."""
    for theirs, ours in zip(follower.parameters(), leader.parameters(), strict=True):
        theirs.lerp_(ours, 1 - keep)


def rising(start: float, progress: float) -> float:
    """From ``start`` to 1 along half a cosine (BYOL, section 3.3)."""
    return 1 - (1 - start) * (math.cos(math.pi * progress) + 1) / 2


def given(value: float | int | None) -> Any:
    """A setting that the recipe's method has: never None there."""
    if value is None:
        raise ValueError("The recipe lacks a setting of its method.")
    return value
