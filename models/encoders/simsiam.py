"""SimSiam (Chen and He, CVPR 2021): as BYOL, but the network foretells itself, without a gradient on that side."""

from __future__ import annotations

from torch import Tensor, nn

from ..networks import EncoderSpec
from .method import cosine_distance, embedding, given, mlp
from .recipe import EncoderRecipe


class Method(nn.Module):
    """An encoder, its projector, whose end is normalised too, and its predictor (section 3, "baseline settings")."""

    views = 2

    def __init__(self, encoder: nn.Module, spec: EncoderSpec, recipe: EncoderRecipe) -> None:
        super().__init__()
        hidden: int = given(recipe.hidden)
        projection: int = given(recipe.projection)
        self.encoder = encoder
        self.projector = nn.Sequential(
            mlp([spec.outputs[-1], hidden, projection]), nn.BatchNorm1d(projection, affine=False)
        )
        self.predictor = mlp([projection, given(recipe.prediction_hidden), projection])

    def losses(self, first: Tensor, second: Tensor) -> Tensor:
        """The mean of both directions' negative cosine (equation 2), as ``2 - 2 cos`` of each: the same gradients.

        Returns:
            [batch]: twice the published loss, plus 2.
        """
        z = [self.projector(embedding(self.encoder, view)) for view in (first, second)]
        p = [self.predictor(each) for each in z]
        return (cosine_distance(p[0], z[1]) + cosine_distance(p[1], z[0])) / 2

    def after_step(self, progress: float) -> None:
        """Nothing."""
