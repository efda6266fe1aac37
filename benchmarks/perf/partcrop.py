"""PartCrop's features of an encoder, against one question at a time, and against fresh crops in each epoch.

The encoder's own arithmetic is the same on both sides, and most of ours: a batch cannot make it less. So the ratio is
also taken of everything else, with an encoder that costs next to nothing.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from ...attacks.encoder.access import CountedEncoder, EncoderAccess, Floats, Images
from ...attacks.encoder.crops import CropRecipe
from ...attacks.encoder.partcrop import gaussian_hump, query_partcrop
from ...models.inputs import Normalized
from ...models.networks import EncoderSpec, build
from ...models.training import forward
from ..stages.answers import IMAGES_AT_ONCE
from .comparison import Comparison, compare

SIDE = 32
EPOCHS = 100


class Network:
    """A ResNet-8 encoder with random weights, asked about as many images at a time as in a run."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self._module = build(EncoderSpec(name="resnet8-encoder", image=(SIDE, SIDE, 3))).eval()

    def embed(self, images: Images) -> NDArray[np.float32]:
        """Embeddings, [B, D]."""
        parts = (images[i : i + IMAGES_AT_ONCE] for i in range(0, len(images), IMAGES_AT_ONCE))
        return np.concatenate([forward(self._module, part, Normalized())[:, 0] for part in parts])

    def feature_map(self, images: Images) -> NDArray[np.float32]:
        """Feature maps, [B, L, D]."""
        return forward(self._module, images, Normalized())[:, 1:]


class Cheap:
    """Means of 4x4 blocks: an encoder without arithmetic to speak of."""

    def embed(self, images: Images) -> NDArray[np.float32]:
        """Embeddings, [B, 48]."""
        return np.asarray(images[:, :4, :4].reshape(len(images), -1))

    def feature_map(self, images: Images) -> NDArray[np.float32]:
        """Feature maps, [B, 64, 48]."""
        blocks = images.reshape(len(images), 8, 4, 8, 4, 3).swapaxes(2, 3)
        return np.asarray(blocks.reshape(len(images), 64, 48))


def loop(encoder: EncoderAccess, images: Images, recipe: CropRecipe) -> Floats:
    """The same features, a crop at a time, as the paper says it."""
    boxes, features = recipe.draw(np.arange(len(images)), SIDE), []
    for image, own in zip(images, boxes, strict=True):
        positions = encoder.feature_map(image[None])[0].astype(np.float64)
        targets = np.full(len(positions), 1 / len(positions)), gaussian_hump(len(positions))
        divergences: list[list[float]] = [[], []]
        for top, left, height, width, mirrored in own:
            part = torch.from_numpy(image[top : top + height, left : left + width]).permute(2, 0, 1)[None]
            crop = interpolate(part, size=(recipe.size, recipe.size), mode="bicubic", antialias=True)
            crop = crop.flip(3) if mirrored else crop
            response = positions @ encoder.embed(crop.permute(0, 2, 3, 1).numpy())[0].astype(np.float64)
            log_share = response - response.max()
            log_share -= np.log(np.exp(log_share).sum())
            for target, found in zip(targets, divergences, strict=True):
                found.append(float((target * (np.log(target) - log_share)).sum()))
        features.append(np.concatenate([np.sort(found)[::-1] for found in divergences]))
    return np.stack(features)


def run(images: int = 64, crops: int = 128, looped: int = 2) -> list[Comparison]:
    """Both encoders, one thread."""
    torch.set_num_threads(1)
    recipe = CropRecipe(size=SIDE, count=crops)
    views = np.random.default_rng(0).normal(size=(images, SIDE, SIDE, 3)).astype(np.float32)
    rows = []
    encoders: tuple[tuple[str, EncoderAccess], ...] = (
        ("a ResNet-8 encoder (width 16)", Network()),
        ("an encoder that costs nothing", Cheap()),
    )
    for name, encoder in encoders:
        ours = partial(_ours, encoder, views, recipe)
        np.testing.assert_allclose(_ours(encoder, views[:1], recipe), loop(encoder, views[:1], recipe), rtol=1e-3)
        what = f"PartCrop features, {images} images, {crops} crops of {SIDE} px, {name}"
        one_by_one = partial(loop, encoder, views[:looped], recipe)
        question = ("one question at a time", one_by_one)
        rows.append(compare(what, ours, question, share=looped / images, goal=20, repeats=3))
        fresh = partial(_ours, encoder, views, replace(recipe, seed=1))
        anew = (f"new crops in each of {EPOCHS} epochs", fresh)
        rows.append(compare(what, ours, anew, share=1 / EPOCHS, goal=20, repeats=3))
    return rows


def _ours(encoder: EncoderAccess, images: Images, recipe: CropRecipe) -> Floats:
    return query_partcrop(CountedEncoder(encoder), images, np.arange(len(images)), recipe)
