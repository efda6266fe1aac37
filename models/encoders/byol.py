"""BYOL (Grill et al., NeurIPS 2020): a network foretells what its slowly moving average says of the other view."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..networks import EncoderSpec
from .method import cosine_distance, embedding, follow, follower_of, given, mlp, rising
from .recipe import EncoderRecipe


class Method(nn.Module):
    """The online encoder, its projector and predictor, and the target's encoder and projector."""

    views = 2

    def __init__(self, encoder: nn.Module, spec: EncoderSpec, recipe: EncoderRecipe) -> None:
        super().__init__()
        projection: int = given(recipe.projection)
        self.encoder = encoder
        self.projector = mlp([spec.outputs[-1], given(recipe.hidden), projection])
        self.predictor = mlp([projection, given(recipe.prediction_hidden), projection])
        self.target_encoder, self.target_projector = follower_of(self.encoder), follower_of(self.projector)
        self.keep: float = given(recipe.ema)

    def losses(self, first: Tensor, second: Tensor) -> Tensor:
        """``2 - 2 cos``, each view foretold from the other, summed (BYOL, equation 2), [batch]."""
        online = [self.predictor(self.projector(embedding(self.encoder, view))) for view in (first, second)]
        with torch.no_grad():
            target = [self.target_projector(embedding(self.target_encoder, view)) for view in (first, second)]
        return cosine_distance(online[0], target[1]) + cosine_distance(online[1], target[0])

    def after_step(self, progress: float) -> None:
        """The target follows, more and more slowly."""
        keep = rising(self.keep, progress)
        follow(self.target_encoder, self.encoder, keep)
        follow(self.target_projector, self.projector, keep)
