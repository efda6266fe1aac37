"""The networks, by name. Each is written for 28 to 32 px images and any number of channels and classes."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from torch import nn

NetworkName = Literal["resnet8", "resnet20", "resnet18", "vgg16bn", "mobilenetv2"]

NETWORKS: dict[NetworkName, tuple[str, str]] = {
    "resnet8": ("resnet", "CIFAR-style residual network, 8 layers (He et al. 2016, section 4.2, n = 1)"),
    "resnet20": ("resnet", "CIFAR-style residual network, 20 layers (He et al. 2016, section 4.2, n = 3)"),
    "resnet18": ("resnet", "CompLeak's ResNet-18: 3x3 stem, max-pool kept, dropout before the classifier"),
    "vgg16bn": ("vgg", "VGG-16 with batch normalisation and one dense layer (the usual CIFAR form)"),
    "mobilenetv2": ("mobilenet", "MobileNetV2 with stride-1 stem for small images (Sandler et al. 2018)"),
}


class NetworkSpec(BaseModel):
    """A network's name and shapes: all that is needed to build it again.

    Attributes:
        name: a key of ``NETWORKS``.
        width: channels of the first stage; each network's own usual width where None.
        image: (height, width, channels) of the images.
        classes: number of logits.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: NetworkName
    width: int | None = Field(default=None, ge=1)
    image: tuple[int, int, int]
    classes: int = Field(ge=2)


def build(spec: NetworkSpec) -> nn.Module:
    """Build the PyTorch network of ``spec``: float32 [batch, channels, height, width] to logits.

    All of them can be traced (``torch.jit.trace``, ``torch.fx``) and quantized in FX graph mode: a network is made
    of plain ``torch.nn`` layers, called once each, ``torch.flatten`` and ``+``.

    Raises:
        ValueError: the image is smaller than the product of the network's strides.
    """
    module = importlib.import_module(f"{__name__}.{NETWORKS[spec.name][0]}")
    if min(spec.image[:2]) < module.STRIDE[spec.name]:
        raise ValueError(
            f"{spec.name} shrinks its images {module.STRIDE[spec.name]} times, and these have only "
            f"{spec.image[0]} x {spec.image[1]} pixels. Take larger images, or resnet8 or resnet20."
        )
    network: Any = module.build(spec)
    return network  # type: ignore[no-any-return]
