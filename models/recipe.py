"""The training recipe, as a suite states it; apart from the trainer, so that reading a suite imports no framework."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from .inputs import Augmentation


class TrainingRecipe(BaseModel):
    """How a network is trained: SGD with momentum, the learning rate falling to 0 along half a cosine.

    Attributes:
        epochs: passes over the training set.
        batch_size: examples a step.
        learning_rate: at the first step.
        momentum: of SGD, not Nesterov's.
        weight_decay: L2 penalty on every parameter, biases and batch normalisation among them.
        augmentation: of the training batches.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(ge=1)
    batch_size: int = Field(default=128, ge=2)
    learning_rate: float = Field(default=0.1, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=5e-4, ge=0)
    augmentation: Augmentation = "none"
