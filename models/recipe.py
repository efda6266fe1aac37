"""The training recipe, as a suite states it; apart from the trainer, so that reading a suite imports no framework."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from .inputs import Augmentation

OptimizerName = Literal["sgd", "adamw"]


class TrainingRecipe(BaseModel):
    """How a network is trained: the learning rate falls to 0 along half a cosine, and the last epoch is kept.

    Attributes:
        epochs: passes over the training set.
        batch_size: examples a step.
        learning_rate: at the first step.
        momentum: of SGD, not Nesterov's.
        weight_decay: with SGD an L2 penalty on every parameter, biases and batch normalisation among them; with AdamW
            decoupled, and on matrices and embeddings only.
        augmentation: of the training batches; texts take none.
        optimizer: ``sgd`` with momentum, or ``adamw`` (Loshchilov and Hutter 2019), usual for transformers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(ge=1)
    batch_size: int = Field(default=128, ge=2)
    learning_rate: float = Field(default=0.1, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=5e-4, ge=0)
    augmentation: Augmentation = "none"
    optimizer: OptimizerName = "sgd"
