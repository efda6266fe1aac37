"""The networks, by name: for images of 28 to 32 px with any number of channels, and for token ids of texts.

What a network answers an example with is its task: a classifier gives logits, a language model logits for every
token, an encoder vectors.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ...plugins import Registry

if TYPE_CHECKING:
    from torch import nn

Task = Literal["classification", "language-model", "encoder"]
NetworkName = Literal["resnet8", "resnet20", "resnet18", "vgg16bn", "mobilenetv2"]

NETWORKS: dict[str, tuple[str, str]] = {
    "resnet8": ("resnet", "CIFAR-style residual network, 8 layers (He et al. 2016, section 4.2, n = 1)"),
    "resnet20": ("resnet", "CIFAR-style residual network, 20 layers (He et al. 2016, section 4.2, n = 3)"),
    "resnet18": ("resnet", "CompLeak's ResNet-18: 3x3 stem, max-pool kept, dropout before the classifier"),
    "vgg16bn": ("vgg", "VGG-16 with batch normalisation and one dense layer (the usual CIFAR form)"),
    "mobilenetv2": ("mobilenet", "MobileNetV2 with stride-1 stem for small images (Sandler et al. 2018)"),
}


class NetworkSpec(BaseModel):
    """A network's name and shapes: all that is needed to build it again.

    Attributes:
        name: a key of ``NETWORKS`` or of ``OTHER_NETWORKS``.
        width: channels of the first stage; each network's own usual width where None.
        image: (height, width, channels) of the images.
        classes: number of logits.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    width: int | None = Field(default=None, ge=1)
    image: tuple[int, int, int]
    classes: int = Field(ge=2)

    @property
    def outputs(self) -> tuple[int, ...]:
        """Shape of the answer to one example: logits [classes]."""
        return (self.classes,)

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in NETWORKS and name not in OTHER_NETWORKS:
            raise ValueError(f"No network is called {name!r}. Known: {', '.join((*NETWORKS, *OTHER_NETWORKS))}.")
        return name


@dataclass(frozen=True)
class OtherNetwork:
    """A network for images that another package builds.

    Attributes:
        description: for people.
        build: makes it from its spec, with random weights drawn from PyTorch's generator; see ``build``.
        stride: product of its strides, which the images must not be smaller than.
    """

    description: str
    build: Callable[[NetworkSpec], nn.Module]
    stride: int = 1


@dataclass(frozen=True)
class EncoderInfo:
    """A self-supervised encoder's usual size.

    Attributes:
        description: for people.
        stride: pixels of the image, along each side, that one position of the feature map stands for.
        width: channels of the first stage of a residual network, or of a transformer's tokens.
        depth: how often the first stage's channels are doubled; 0 for a transformer.
    """

    description: str
    stride: int
    width: int
    depth: int


EncoderName = Literal["resnet8-encoder", "resnet18-encoder", "vit-tiny"]

ENCODERS: dict[EncoderName, EncoderInfo] = {
    "resnet8-encoder": EncoderInfo("resnet8 without its classifier: pooled features and their map", 4, 16, 2),
    "resnet18-encoder": EncoderInfo(
        "ResNet-18 with a 3x3 stem and no max-pool, as MoCo's CIFAR demonstration has it: features and their map",
        8,
        64,
        3,
    ),
    "vit-tiny": EncoderInfo(
        "vision transformer of 12 layers, 192 wide, with patches of 4 px: CLS and tokens", 4, 192, 0
    ),
}


class EncoderSpec(BaseModel):
    """An encoder's name and shapes: all that is needed to build it again.

    It takes images, float32 [batch, channels, height, width], and answers with vectors, float32
    [batch, 1 + positions, dimensions]: the embedding first (before any projector, and not normalised), then the
    feature map, row by row.

    Attributes:
        name: a key of ``ENCODERS``.
        width: as in ``EncoderInfo``; the usual one where None.
        layers: of a transformer; the usual 12 where None.
        image: (height, width, channels) of the images; both sides divisible by the stride.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: EncoderName
    width: int | None = Field(default=None, ge=1)
    layers: int | None = Field(default=None, ge=1)
    image: tuple[int, int, int]

    @model_validator(mode="after")
    def _fits(self) -> EncoderSpec:
        stride = ENCODERS[self.name].stride
        if any(side % stride or side < 2 * stride for side in self.image[:2]):
            raise ValueError(
                f"{self.name} wants images whose sides are multiples of {stride} px, two at least; these have "
                f"{self.image[0]} x {self.image[1]}."
            )
        return self

    @property
    def outputs(self) -> tuple[int, ...]:
        """Shape of the answer to one example: [1 + positions, dimensions]."""
        info = ENCODERS[self.name]
        positions = (self.image[0] // info.stride) * (self.image[1] // info.stride)
        return 1 + positions, (self.width or info.width) * 2**info.depth


@dataclass(frozen=True)
class TextNetworkInfo:
    """A text network's module and usual sizes.

    Attributes:
        module: of this package, and the family of the network: ``bert`` or ``gpt2``.
        description: for people.
        sizes: (layers, width, heads, intermediate); None where the pretrained weights decide.
        weights: where training starts: ``minilm`` (packaged), a hub id or folder, or None for random weights.
        tokenizer: a name of ``models.data.tokenizers``, or None where it comes with the weights.
        task: what it is trained for.
    """

    module: Literal["bert", "gpt2"]
    description: str
    sizes: tuple[int, int, int, int] | None
    weights: str | None
    tokenizer: str | None
    task: Literal["classification", "language-model"] = "classification"


TextNetworkName = Literal[
    "bert-minilm-2",
    "bert-minilm-4",
    "bert-minilm-6",
    "bert-tiny",
    "bert",
    "gpt2-mini",
    "gpt2",
    "gpt2-mini-lm",
    "gpt2-lm",
]

TEXT_NETWORKS: dict[TextNetworkName, TextNetworkInfo] = {
    "bert-minilm-2": TextNetworkInfo(
        "bert", "the first 2 layers of all-MiniLM-L6-v2 (BERT, 384 wide)", (2, 384, 12, 1536), "minilm", "minilm"
    ),
    "bert-minilm-4": TextNetworkInfo(
        "bert", "the first 4 layers of all-MiniLM-L6-v2 (BERT, 384 wide)", (4, 384, 12, 1536), "minilm", "minilm"
    ),
    "bert-minilm-6": TextNetworkInfo(
        "bert", "all-MiniLM-L6-v2 (BERT, 6 layers, 384 wide)", (6, 384, 12, 1536), "minilm", "minilm"
    ),
    "bert-tiny": TextNetworkInfo(
        "bert", "BERT of 2 layers, 128 wide (Turc et al. 2019), from random weights", (2, 128, 2, 512), None, "minilm"
    ),
    "bert": TextNetworkInfo("bert", "any BERT by hub id or folder (network.weights)", None, None, None),
    "gpt2-mini": TextNetworkInfo(
        "gpt2", "GPT-2 (Radford et al. 2019) of 4 layers, 128 wide", (4, 128, 4, 512), None, "bpe-wordnet"
    ),
    "gpt2": TextNetworkInfo("gpt2", "any GPT-2 by hub id or folder (network.weights)", None, None, None),
    "gpt2-mini-lm": TextNetworkInfo(
        "gpt2",
        "GPT-2 of 4 layers, 128 wide, as a language model",
        (4, 128, 4, 512),
        None,
        "bpe-wordnet",
        "language-model",
    ),
    "gpt2-lm": TextNetworkInfo(
        "gpt2", "any GPT-2 by hub id or folder, as a language model", None, None, None, "language-model"
    ),
}


AS_LANGUAGE_MODEL: dict[str, TextNetworkName] = {"gpt2-mini": "gpt2-mini-lm", "gpt2": "gpt2-lm"}
"""Which language model a classifier's weights can come from, of the same sizes."""


class TextSpec(BaseModel):
    """A text network's name and shapes: all that is needed to build it again.

    It takes token ids, int64 [batch, length], right-padded with 0. A classifier returns logits [batch, classes], a
    language model logits [batch, length, vocabulary], those at a position for the token that follows. It derives its
    attention mask itself: a position counts where its id is not 0.

    Attributes:
        name: a key of ``TEXT_NETWORKS``.
        layers: transformer blocks.
        width: of the hidden states.
        heads: attention heads; divides ``width``.
        intermediate: width inside the feed-forward part.
        vocabulary: token ids are 0 to ``vocabulary`` - 1; 0 is padding.
        length: tokens of a text, padding included; also the number of position embeddings.
        classes: of the texts; the number of a classifier's logits.
        weights: where training starts, as in ``TextNetworkInfo``; ``build`` does not read it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: TextNetworkName
    layers: int = Field(ge=1)
    width: int = Field(ge=1)
    heads: int = Field(ge=1)
    intermediate: int = Field(ge=1)
    vocabulary: int = Field(ge=2)
    length: int = Field(ge=2)
    classes: int = Field(ge=2)
    weights: str | None = None

    @model_validator(mode="after")
    def _divisible(self) -> TextSpec:
        if self.width % self.heads:
            raise ValueError(f"{self.heads} heads do not divide the width {self.width}; give a divisor of it.")
        return self

    @property
    def family(self) -> Literal["bert", "gpt2"]:
        """Which kind of transformer it is."""
        return TEXT_NETWORKS[self.name].module

    @property
    def task(self) -> Literal["classification", "language-model"]:
        """What it is trained for."""
        return TEXT_NETWORKS[self.name].task

    @property
    def outputs(self) -> tuple[int, ...]:
        """Shape of the answer to one example: logits [classes], or [length, vocabulary] of a language model."""
        return (self.classes,) if self.task == "classification" else (self.length, self.vocabulary)


Spec = NetworkSpec | TextSpec | EncoderSpec
OTHER_NETWORKS: Registry[OtherNetwork] = Registry(
    "models", {}, OtherNetwork, taken=(*NETWORKS, *TEXT_NETWORKS, *ENCODERS)
)


def task_of(name: str) -> Task:
    """What the network ``name`` is trained for."""
    if name in ENCODERS:
        return "encoder"
    return TEXT_NETWORKS[name].task if name in TEXT_NETWORKS else "classification"


def is_transformer(name: str) -> bool:
    """Whether the network ``name`` is made of attention and dense layers, whose graph not every toolkit can read."""
    return name in TEXT_NETWORKS or (name in ENCODERS and ENCODERS[name].depth == 0)


def module_of(name: str) -> str:
    """The module of this package that builds the network ``name``; empty where another package does."""
    if name in OTHER_NETWORKS and not any(name in own for own in (NETWORKS, TEXT_NETWORKS, ENCODERS)):
        return ""
    if name in ENCODERS:
        return "encoders"
    return TEXT_NETWORKS[name].module if name in TEXT_NETWORKS else NETWORKS[name][0]


def build(spec: Spec) -> nn.Module:
    """Build the PyTorch network of ``spec`` with random weights.

    An image network maps float32 [batch, channels, height, width] to logits. All of them can be traced
    (``torch.jit.trace``, ``torch.fx``) and quantized in FX graph mode: a network is made of plain ``torch.nn``
    layers, called once each, ``torch.flatten`` and ``+``. A text network maps int64 [batch, length] to logits, and
    can be traced by ``torch.jit.trace`` only. An encoder is described in ``encoders``.

    Raises:
        ValueError: the image is smaller than the product of the network's strides.
    """
    if isinstance(spec, TextSpec):
        text: Any = importlib.import_module(f"{__name__}.{spec.family}")
        return text.build(spec)  # type: ignore[no-any-return]
    if isinstance(spec, EncoderSpec):
        encoders: Any = importlib.import_module(f"{__name__}.encoders")
        return encoders.build(spec)  # type: ignore[no-any-return]
    module: Any
    if spec.name in NETWORKS:
        module = importlib.import_module(f"{__name__}.{NETWORKS[spec.name][0]}")
        stride = module.STRIDE[spec.name]
    else:
        module = OTHER_NETWORKS[spec.name]
        stride = module.stride
    if min(spec.image[:2]) < stride:
        raise ValueError(
            f"{spec.name} shrinks its images {stride} times, and these have only "
            f"{spec.image[0]} x {spec.image[1]} pixels. Take larger images, or resnet8 or resnet20."
        )
    network: Any = module.build(spec)
    return network  # type: ignore[no-any-return]
