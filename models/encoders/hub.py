"""Pre-trained encoders of the Hugging Face hub, or of a local folder, through the transformers library.

DINO, DINOv2, MAE and CLIP's image encoder, among others of their architectures: ``facebook/dino-vits16``,
``facebook/dinov2-small``, ``facebook/vit-mae-base``, ``openai/clip-vit-base-patch32``. What they were trained on is
for the user to know: no data set here holds its members.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..data.pool import DataError
from ..inputs import Normalization

_IMAGENET = Normalization(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


@dataclass(frozen=True)
class HubEncoder:
    """An encoder as the benchmark's own are, and what it takes.

    Attributes:
        module: from images [batch, channels, height, width] to [batch, 1 + positions, dimensions]: the CLS token after
            the last LayerNorm, then the patches, in evaluation mode.
        image: (height, width, channels) of the images that it was trained on.
        normalization: of its images.
    """

    module: nn.Module
    image: tuple[int, int, int]
    normalization: Normalization


class Vectors(nn.Module):
    """A transformer of the library, answering with the states after its last LayerNorm."""

    def __init__(self, model: nn.Module, states: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.model = model
        self._states = states

    def forward(self, images: Tensor) -> Tensor:
        """Map [batch, channels, height, width] to [batch, 1 + positions, dimensions]."""
        return self._states(self.model, images)


def load_hub_encoder(name: str) -> HubEncoder:
    """Load an encoder with its weights.

    Args:
        name: a hub id (downloaded once, then in the library's cache) or a folder.

    Raises:
        DataError: there is none, or it is of another architecture.
    """
    from transformers import AutoConfig, AutoImageProcessor

    try:
        config: Any = AutoConfig.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise DataError(
            f"No encoder in {name!r}, a hub id or folder: {error}. Without a network: hf download {name} elsewhere, "
            "and name the folder."
        ) from error
    loaders = {"vit": _plain, "dinov2": _plain, "vit_mae": _mae, "clip": _clip, "clip_vision_model": _clip}
    if config.model_type not in loaders:
        raise DataError(f"{name} is a {config.model_type}; known are {', '.join(loaders)}.")
    model, states = loaders[config.model_type](name)
    size = int(model.config.image_size)
    normalization = _IMAGENET
    try:
        library: Any = AutoImageProcessor  # its loader has no types
        processor: Any = library.from_pretrained(name)
    except (OSError, ValueError, ImportError):
        processor = None  # a folder with the weights alone
    if processor is not None:
        normalization = Normalization(mean=tuple(processor.image_mean), std=tuple(processor.image_std))
        crop = getattr(processor, "crop_size", None)
        size = int(crop["height"]) if crop else size
    module = Vectors(model.requires_grad_(False), states).eval()
    return HubEncoder(module=module, image=(size, size, int(model.config.num_channels)), normalization=normalization)


def _plain(name: str) -> tuple[Any, Callable[[Any, Tensor], Tensor]]:
    from transformers import AutoModel

    return AutoModel.from_pretrained(name), lambda model, images: model(pixel_values=images).last_hidden_state


def _mae(name: str) -> tuple[Any, Callable[[Any, Tensor], Tensor]]:
    from transformers import ViTMAEModel

    def states(model: Any, images: Tensor) -> Tensor:
        patches = model.embeddings.patch_embeddings.num_patches
        # The library shuffles patches even where none is hidden; this "noise" is one that leaves them in order.
        order = torch.arange(patches, device=images.device).expand(len(images), -1)
        answer: Tensor = model(pixel_values=images, noise=order).last_hidden_state
        return answer

    return ViTMAEModel.from_pretrained(name, mask_ratio=0.0), states


def _clip(name: str) -> tuple[Any, Callable[[Any, Tensor], Tensor]]:
    from transformers import CLIPVisionModel

    def states(model: Any, images: Tensor) -> Tensor:
        answer = model(pixel_values=images).last_hidden_state
        inner = getattr(model, "vision_model", model)
        normed: Tensor = inner.post_layernorm(answer)  # the library normalises the CLS token alone
        return normed

    return CLIPVisionModel.from_pretrained(name), states
