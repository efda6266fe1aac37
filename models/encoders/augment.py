"""Random views of images: drawn as numbers first, so that a view is a function of a seed, then made of whole batches.

What MoCo v2, SimSiam and, at strength 0.5, SimCLR take for small images: a part of the image resized, a flip, colour
jitter, and now and then no colour; no blur (SimCLR, appendix B.9). Jitter goes in one order instead of a random one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from .recipe import EncoderRecipe

NUMBERS = 11
"""Uniform numbers that a view is made of."""

JITTER = (0.4, 0.4, 0.4, 0.1)
"""Brightness, contrast and saturation, as shares; hue, as a part of the circle."""
JITTERED = 0.8
"""Share of the views whose colours are jittered."""
_RATIO = 3 / 4, 4 / 3


@dataclass(frozen=True)
class Views:
    """What to do with each image; all float64 [views].

    Attributes:
        height: of the part that is shown, as a share of the image's.
        width: of the same.
        top: where the part begins, as a share of the image's height.
        left: the same, of its width.
        flip: whether it is mirrored.
        brightness: factors.
        contrast: factors.
        saturation: factors.
        hue: turns, in radians.
        grey: whether its colours are taken away.
    """

    height: NDArray[np.float64]
    width: NDArray[np.float64]
    top: NDArray[np.float64]
    left: NDArray[np.float64]
    flip: NDArray[np.bool_]
    brightness: NDArray[np.float64]
    contrast: NDArray[np.float64]
    saturation: NDArray[np.float64]
    hue: NDArray[np.float64]
    grey: NDArray[np.bool_]


def draw(u: NDArray[np.float64], recipe: EncoderRecipe) -> Views:
    """Turn uniform numbers into views.

    The area is uniform in ``recipe.crop_scale``, the logarithm of the aspect ratio uniform in what fits into the image
    of log(3/4) to log(4/3). (torchvision draws again where it does not fit.)

    Args:
        u: in [0, 1), [views, NUMBERS].
        recipe: crop scale, jitter and grey.
    """
    low, high = recipe.crop_scale
    area = low + (high - low) * u[:, 0]
    ratio_low, ratio_high = np.log(np.maximum(_RATIO[0], area)), np.log(np.minimum(_RATIO[1], 1 / area))
    ratio = np.exp(ratio_low + (ratio_high - ratio_low) * u[:, 1])
    height, width = np.sqrt(area / ratio), np.sqrt(area * ratio)
    strength = recipe.jitter * (u[:, 5] < JITTERED)
    factors = [np.maximum(1 + strength * share * (2 * u[:, 6 + i] - 1), 0) for i, share in enumerate(JITTER[:3])]
    return Views(
        height=height,
        width=width,
        top=(1 - height) * u[:, 2],
        left=(1 - width) * u[:, 3],
        flip=u[:, 4] < 0.5,
        brightness=factors[0],
        contrast=factors[1],
        saturation=factors[2],
        hue=2 * np.pi * strength * JITTER[3] * (2 * u[:, 9] - 1),
        grey=u[:, 10] < recipe.grey,
    )


def render(images: NDArray[np.uint8], views: Views) -> NDArray[np.uint8]:
    """One view of each image, each computed apart from the others.

    Args:
        images: [batch, height, width, channels]; hue, saturation and grey mean something for three channels only.
        views: of as many images.

    Returns:
        uint8, same shape.
    """
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    pixels = _jitter(_part(pixels, views), views)
    rounded = (pixels * 255).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(rounded.permute(0, 2, 3, 1).numpy())


def _part(pixels: Tensor, views: Views) -> Tensor:
    """The part of each image, mirrored or not, in the size of the image: bilinear."""
    sign = np.where(views.flip, -1.0, 1.0)
    zero = np.zeros_like(sign)
    # In coordinates from -1 to 1: a part's middle, and half its size.
    rows = [
        [views.width * sign, zero, 2 * views.left + views.width - 1],
        [zero, views.height, 2 * views.top + views.height - 1],
    ]
    theta = torch.from_numpy(np.asarray(rows).transpose(2, 0, 1)).float()
    grid = F.affine_grid(theta, list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _jitter(pixels: Tensor, views: Views) -> Tensor:
    enhance, color = _kornia()

    def number(values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values).float()

    if any((factors != 1).any() for factors in (views.brightness, views.contrast, views.saturation, 1 + views.hue)):
        pixels = enhance.adjust_brightness_accumulative(pixels, number(views.brightness))
        pixels = enhance.adjust_contrast_with_mean_subtraction(pixels, number(views.contrast))
        if pixels.shape[1] == 3:
            pixels = enhance.adjust_saturation_with_gray_subtraction(pixels, number(views.saturation))
            pixels = enhance.adjust_hue(pixels, number(views.hue))
    if pixels.shape[1] == 3 and views.grey.any():
        grey = torch.from_numpy(views.grey)[:, None, None, None]
        pixels = torch.where(grey, color.rgb_to_grayscale(pixels), pixels)
    return pixels


def _kornia() -> tuple[Any, Any]:
    try:
        from kornia import color, enhance
    except ImportError as error:
        raise ValueError(
            "Colour jitter and grey views of encoders' images need kornia: pip install 'compleak-bench[ssl]'."
        ) from error
    return enhance, color
