"""MoCo v2 (He et al., CVPR 2020; Chen et al. 2020): negatives out of a queue of what a momentum encoder said before.

One view is the query, the other the key, as published. On one machine there are no batches to shuffle between devices,
so batch normalisation sees queries and keys in batches of their own.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..networks import EncoderSpec
from .method import embedding, follow, follower_of, given, mlp
from .recipe import EncoderRecipe


class Method(nn.Module):
    """The query encoder, its head, their momentum copies and the queue."""

    views = 2
    queue: Tensor

    def __init__(self, encoder: nn.Module, spec: EncoderSpec, recipe: EncoderRecipe) -> None:
        super().__init__()
        self.encoder = encoder
        self.projector = mlp([spec.outputs[-1], given(recipe.hidden), given(recipe.projection)])
        self.key_encoder, self.key_projector = follower_of(self.encoder), follower_of(self.projector)
        self.temperature: float = given(recipe.temperature)
        self.keep: float = given(recipe.ema)
        self.register_buffer("queue", F.normalize(torch.randn(given(recipe.queue), given(recipe.projection)), dim=1))
        self.keys: Tensor | None = None

    def losses(self, first: Tensor, second: Tensor) -> Tensor:
        """InfoNCE of the queries, the ``first`` views, [batch]; see ``info_nce``."""
        queries = F.normalize(self.projector(embedding(self.encoder, first)), dim=1)
        with torch.no_grad():
            self.keys = F.normalize(self.key_projector(embedding(self.key_encoder, second)), dim=1)
        return info_nce(queries, self.keys, self.queue, temperature=self.temperature)

    def after_step(self, progress: float) -> None:
        """The key encoder follows, and the newest keys take the place of the oldest."""
        follow(self.key_encoder, self.encoder, self.keep)
        follow(self.key_projector, self.projector, self.keep)
        if self.keys is not None:
            self.queue = torch.cat([self.queue, self.keys])[-len(self.queue) :]


def info_nce(queries: Tensor, keys: Tensor, negatives: Tensor, *, temperature: float) -> Tensor:
    """Cross-entropy of finding a query's key among the negatives (MoCo, equation 1), in nats, [batch].

    Args:
        queries: normalised, [batch, dimensions].
        keys: the same, one for each query.
        negatives: normalised, [negatives, dimensions].
        temperature: that cosines are divided by.
    """
    logits = torch.cat([(queries * keys).sum(dim=1, keepdim=True), queries @ negatives.T], dim=1) / temperature
    truth = torch.zeros(len(queries), dtype=torch.long, device=queries.device)
    return F.cross_entropy(logits, truth, reduction="none")
