"""What every network ends in: the average over the image, dropout if any, and one dense layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Head(nn.Module):
    """From feature maps to logits."""

    def __init__(self, channels: int, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.average = nn.AdaptiveAvgPool2d(1)
        self.dropout: nn.Module = nn.Dropout(dropout) if dropout else nn.Sequential()
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map [batch, channels, height, width] to logits [batch, classes]."""
        # The function, not nn.Flatten: FX graph mode keeps the function's input quantized, but not the module's.
        logits: Tensor = self.classifier(self.dropout(torch.flatten(self.average(x), 1)))
        return logits
