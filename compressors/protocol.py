"""What every adapter offers: a model and a setting in, an artifact out, and the artifact run as it ships."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from ..models.inputs import Augmentation, Transform
from ..models.networks import Spec
from ..models.recipe import OptimizerName
from .settings import Setting


class Finetuning(BaseModel):
    """How a compressed model is trained on, on the very examples its original was trained on.

    The last epoch is kept: nothing is selected, so no example outside the training set has a say.

    Attributes:
        epochs: passes over the training set.
        learning_rate: peak of a cosine schedule that ends at 0, for pruning and quantization-aware training.
        clustering_learning_rate: the same for clustering; smaller, as TF-Lite's toolkit sums the gradients of tied
            weights (the PyTorch adapter takes their mean).
        momentum: of SGD.
        weight_decay: as in ``models.recipe.TrainingRecipe``.
        optimizer: ``sgd`` with momentum, or ``adamw``. The mean gradient of thousands of tied weights is too small for
            SGD to move them in float32: cluster the large layers of a transformer with ``adamw``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(default=5, ge=1)
    batch_size: int = Field(default=128, ge=1)
    learning_rate: float = Field(default=1e-2, gt=0)
    clustering_learning_rate: float = Field(default=1e-3, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=5e-4, ge=0)
    optimizer: OptimizerName = "sgd"


@dataclass(frozen=True)
class Target:
    """A trained model, with the data that its owner has when compressing it.

    Attributes:
        network: architecture and shapes.
        checkpoint: safetensors file with the trained PyTorch weights.
        normalization: applied to every example, the same for all.
        images: the model's training examples: images, uint8 [examples, height, width, channels], or token ids of
            texts, int32 [examples, length].
        labels: int64 [examples]; only a classifier's are looked at.
        augmentation: the augmentation policy's name, used in fine-tuning as in training.
        device: where PyTorch trains on, ``cpu`` or ``cuda``.
    """

    network: Spec
    checkpoint: Path
    normalization: Transform
    images: NDArray[np.generic]
    labels: NDArray[np.int64]
    augmentation: Augmentation = "none"
    device: str = "cpu"


Activations = Literal["float", "dynamic int8", "static int8"]


@dataclass(frozen=True)
class Weight:
    """One compressible weight tensor (convolution or dense kernel, or embedding), read back from an artifact.

    Attributes:
        name: the tensor's name in the artifact.
        values: the stored values, before any dequantization: float32, float16, int8 or int4.
        scales: quantization scales, [1] or [channels]; None where nothing is quantized.
        channel_axis: the axis of ``values`` that ``scales`` runs along, and that output channels run along.
        folded: whether a converter may have folded batch normalisation into the kernel, scaling each channel:
            shared values are then shared within a channel.
        spared: whether the toolkit neither prunes nor clusters such a kernel; a note in the row says so.
        zero_point: the stored value that stands for 0.
        activations: how its layer takes what it multiplies: as float, rounded to int8 by a range that is found as it
            runs, or as int8 by a range that is stored. None of embeddings, which multiply nothing, and where it
            is another.
    """

    name: str
    values: NDArray[np.generic]
    scales: NDArray[np.float64] | None = None
    channel_axis: int = 0
    folded: bool = False
    spared: bool = False
    zero_point: int = 0
    activations: Activations | None = None

    @property
    def zeros(self) -> NDArray[np.bool_]:
        """Which values stand for 0, of the shape of ``values``."""
        found: NDArray[np.bool_] = self.values == self.values.dtype.type(self.zero_point)
        return found


class Predictor(Protocol):
    """Runs an artifact with its own interpreter."""

    def __call__(self, examples: NDArray[np.generic]) -> NDArray[np.float32]:
        """Answers, float32 [examples, *outputs] as in the network's spec, dequantized.

        The examples, images or token ids, are not augmented. A language model answers with a vocabulary for each
        token: give it no more examples at a time than fit into memory.
        """
        ...


class Compressor(Protocol):
    """An adapter for one mobile toolchain."""

    framework: str
    suffix: str

    def refusal(self, setting: Setting, network: str | None = None) -> str | None:
        """Why this toolchain cannot do ``setting`` (one sentence), or None where it can. Imports no framework.

        Args:
            setting: what is asked for.
            network: name of the network that it is to be done to, if known.
        """
        ...

    def missing(self) -> str | None:
        """What ``compress`` needs that is not installed, and how to install it; None where all is there.

        Apart from ``refusal``, so that a suite can be read, planned and verified where it cannot be run.
        """
        ...

    def compress(
        self, target: Target, setting: Setting, finetuning: Finetuning, path: Path, *, seed: int
    ) -> tuple[str, ...]:
        """Write the artifact to ``path``.

        Returns:
            Notes for the row: what the machine could not do, or had to do in another way.

        Raises:
            SettingError: the toolchain refuses the setting.
        """
        ...

    def weights(self, path: Path) -> tuple[Weight, ...]:
        """The compressible weights, read back from the artifact at ``path`` (never from memory)."""
        ...

    def predictor(self, path: Path, normalization: Transform, *, batch_size: int = 32, threads: int = 1) -> Predictor:
        """Load the artifact into its own interpreter."""
        ...
