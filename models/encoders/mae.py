"""MAE (He et al., CVPR 2022): most patches of an image are hidden, and a small decoder paints them from the others.

The token that stands for a hidden patch is 0 and is not learned, and positions are fixed: with the encoder's, all
parameters belong to layers that differentially private training knows. When attacked, the encoder sees all patches.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..networks import EncoderSpec
from ..networks.encoders import PATCH, Block, VisionTransformer, heads_of, initialise, sine_positions
from .method import given
from .recipe import EncoderRecipe


class Method(nn.Module):
    """A vision transformer and a decoder of the same blocks.

    Raises:
        ValueError: the encoder is no vision transformer.
    """

    views = 1
    positions: Tensor

    def __init__(self, encoder: nn.Module, spec: EncoderSpec, recipe: EncoderRecipe) -> None:
        super().__init__()
        if not isinstance(encoder, VisionTransformer):
            raise ValueError(f"MAE hides patches from a vision transformer; {spec.name} has none. Use vit-tiny.")
        self.encoder: VisionTransformer = encoder
        height, breadth, channels = spec.image
        patches, width = spec.outputs[0] - 1, given(recipe.decoder_width)
        self.kept = max(1, round(patches * (1 - given(recipe.mask_ratio))))
        self.enter = nn.Linear(spec.outputs[1], width)
        self.register_buffer("positions", sine_positions(height // PATCH, breadth // PATCH, width))
        blocks = [Block(width, heads_of(width)) for _ in range(given(recipe.decoder_layers))]
        self.decoder = nn.Sequential(*blocks, nn.LayerNorm(width, eps=1e-6), nn.Linear(width, channels * PATCH**2))
        self.decoder.apply(initialise)
        initialise(self.enter)

    def losses(self, images: Tensor) -> Tensor:
        """Mean squared error over the hidden patches, each normalised to mean 0 and variance 1 (section 4.1), [batch].

        Which patches are hidden is drawn from PyTorch's generator, for each image.
        """
        patches = self.positions.shape[1]
        order = torch.rand(len(images), patches, device=images.device).argsort(dim=1)
        painted = self.paint(images, order[:, : self.kept])
        hidden = torch.ones(len(images), patches, device=images.device).scatter(1, order[:, : self.kept], 0.0)
        return masked_error(painted, normalised_patches(images), hidden)

    def paint(self, images: Tensor, kept: Tensor) -> Tensor:
        """Paint all patches from those that are ``kept``, [batch, kept]: [batch, patches, channels * PATCH**2]."""
        tokens = self.encoder.tokens(images)
        shown = torch.cat([tokens[:, :1], tokens[:, 1:].gather(1, _wide(kept, tokens.shape[2]))], dim=1)
        latent = self.enter(self.encoder.norm(self.encoder.blocks(shown)))
        scene = torch.zeros(len(images), self.positions.shape[1], latent.shape[2], device=latent.device)
        scene = scene.scatter(1, _wide(kept, latent.shape[2]), latent[:, 1:]) + self.positions
        painted: Tensor = self.decoder(torch.cat([latent[:, :1], scene], dim=1))[:, 1:]
        return painted

    forward = losses

    def after_step(self, progress: float) -> None:
        """Nothing."""


def normalised_patches(images: Tensor) -> Tensor:
    """Patches row by row, [batch, patches, channels * PATCH**2], each less its mean over its standard deviation."""
    patches = F.unfold(images, PATCH, stride=PATCH).transpose(1, 2)
    variance, mean = torch.var_mean(patches, dim=2, keepdim=True)
    return (patches - mean) / (variance + 1e-6).sqrt()


def masked_error(painted: Tensor, truth: Tensor, hidden: Tensor) -> Tensor:
    """Mean squared error of the patches where ``hidden`` [batch, patches] is 1, [batch]."""
    error = (painted - truth).square().mean(dim=2)
    return (error * hidden).sum(dim=1) / hidden.sum(dim=1)


def _wide(index: Tensor, width: int) -> Tensor:
    return index[:, :, None].expand(-1, -1, width)
