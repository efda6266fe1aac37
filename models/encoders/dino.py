"""DINO (Caron et al., ICCV 2021): a student's softmax follows its teacher's, which is centred and sharpened.

Two global views, no local ones, as PartCrop's authors train it at 32 px. The student is what is attacked, as there.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..networks import EncoderSpec
from .method import embedding, follow, follower_of, given, rising
from .recipe import EncoderRecipe


class Head(nn.Module):
    """Three dense layers to a bottleneck, normalised, and its cosines with each prototype (DINO, appendix C)."""

    def __init__(self, inputs: int, hidden: int, bottleneck: int, prototypes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, bottleneck)
        )
        self.prototypes = nn.Linear(bottleneck, prototypes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map [batch, inputs] to cosines [batch, prototypes]."""
        return F.linear(F.normalize(self.layers(x), dim=1), F.normalize(self.prototypes.weight, dim=1))


class Method(nn.Module):
    """Student and teacher, each of an encoder and a head, and the centre of the teacher's outputs."""

    views = 2
    centre: Tensor

    def __init__(self, encoder: nn.Module, spec: EncoderSpec, recipe: EncoderRecipe) -> None:
        super().__init__()
        prototypes: int = given(recipe.prototypes)
        self.encoder = encoder
        self.head = Head(spec.outputs[-1], given(recipe.hidden), given(recipe.projection), prototypes)
        self.teacher_encoder, self.teacher_head = follower_of(self.encoder), follower_of(self.head)
        self.temperature: float = given(recipe.temperature)
        self.teacher_temperature: float = given(recipe.teacher_temperature)
        self.centre_momentum: float = given(recipe.centre_momentum)
        self.keep: float = given(recipe.ema)
        self.register_buffer("centre", torch.zeros(prototypes))
        self.seen: Tensor | None = None

    def losses(self, first: Tensor, second: Tensor) -> Tensor:
        """Each view's student against the other's teacher, the mean of both, [batch]; see ``distillation``."""
        student = [self.head(embedding(self.encoder, view)) for view in (first, second)]
        with torch.no_grad():
            teacher = [self.teacher_head(embedding(self.teacher_encoder, view)) for view in (first, second)]
            self.seen = torch.cat(teacher).mean(dim=0)
        temperatures = self.temperature, self.teacher_temperature
        crossed = (distillation(student[i], teacher[1 - i], self.centre, temperatures) for i in (0, 1))
        return torch.stack(list(crossed)).mean(dim=0)

    def after_step(self, progress: float) -> None:
        """The teacher follows, more and more slowly, and the centre moves to what it said on average (equation 4)."""
        keep = rising(self.keep, progress)
        follow(self.teacher_encoder, self.encoder, keep)
        follow(self.teacher_head, self.head, keep)
        if self.seen is not None:
            self.centre.lerp_(self.seen, 1 - self.centre_momentum)


def distillation(student: Tensor, teacher: Tensor, centre: Tensor, temperatures: tuple[float, float]) -> Tensor:
    """Cross-entropy of the student's softmax under the teacher's (DINO, equation 2 and section 3.1), in nats, [batch].

    Args:
        student: outputs, [batch, prototypes].
        teacher: outputs, less the ``centre`` of them, [prototypes], before its softmax.
        centre: no gradient goes into it, nor into ``teacher``.
        temperatures: the student's and the teacher's.
    """
    target = torch.softmax((teacher.detach() - centre) / temperatures[1], dim=1)
    return -(target * F.log_softmax(student / temperatures[0], dim=1)).sum(dim=1)
