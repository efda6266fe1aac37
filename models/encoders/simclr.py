"""SimCLR (Chen et al., ICML 2020): the other view of an image is told from the other images of the batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..networks import EncoderSpec
from .method import embedding, given, mlp
from .recipe import EncoderRecipe


class Method(nn.Module):
    """An encoder and its projector."""

    views = 2

    def __init__(self, encoder: nn.Module, spec: EncoderSpec, recipe: EncoderRecipe) -> None:
        super().__init__()
        self.encoder = encoder
        self.projector = mlp([spec.outputs[-1], given(recipe.hidden), given(recipe.projection)])
        self.temperature: float = given(recipe.temperature)

    def losses(self, first: Tensor, second: Tensor) -> Tensor:
        """See ``nt_xent``."""
        projected = self.projector(embedding(self.encoder, torch.cat([first, second])))
        return nt_xent(*projected.chunk(2), temperature=self.temperature)

    def after_step(self, progress: float) -> None:
        """Nothing."""


def nt_xent(first: Tensor, second: Tensor, *, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross-entropy (SimCLR, equation 1), in nats: the mean of both views', [batch].

    Args:
        first: of one view of each image, [batch, dimensions].
        second: of the other.
        temperature: that cosines are divided by.
    """
    both = F.normalize(torch.cat([first, second]), dim=1)
    similarity = both @ both.T / temperature
    itself = torch.eye(len(both), dtype=torch.bool, device=both.device)
    other = torch.arange(len(both), device=both.device).roll(len(first))
    losses = F.cross_entropy(similarity.masked_fill(itself, -torch.inf), other, reduction="none")
    return losses.view(2, -1).mean(dim=0)
