"""What changes a network's weights and keeps its form: training on, pruning, clustering, each within those before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from ...models.checkpoints import load_network
from ...models.networks import TextSpec
from ..protocol import Finetuning, Target
from ..settings import Setting
from .cluster import cluster
from .finetune import finetune
from .kernels import Constraint, kernels, tables, together
from .prune import prune


@dataclass(frozen=True)
class Shaped:
    """A network on its way to an artifact.

    Attributes:
        network: in evaluation mode; dense layers stand as linear ones.
        embeddings: how many embeddings an artifact of it must show.
        kernels: how many convolution and dense kernels.
        train: trains a network of this form on, within what was pruned and clustered, at the last step's rate.
    """

    network: nn.Module
    embeddings: int
    kernels: int
    train: Callable[[nn.Module], None]


def shape(target: Target, setting: Setting, finetuning: Finetuning, *, seed: int) -> Shaped:
    """Load the target's network and do what ``setting`` says, but for quantization.

    Raises:
        UntrainedError: fine-tuning moved nothing.
    """
    network = load_network(target.network, target.checkpoint).eval()
    if isinstance(target.network, TextSpec):
        from ...models.networks.gpt2 import with_linear_layers

        network = with_linear_layers(network)
    embeddings, found = len(tables(network)), len(kernels(network))
    held: list[Constraint] = []
    train = partial(finetune, target=target, finetuning=finetuning, seed=seed, constraint=together(held))
    rate = finetuning.learning_rate
    if setting.finetuned:
        train(network, learning_rate=rate)
    if setting.pruning is not None:
        held.append(prune(network, setting.pruning))
        train(network, learning_rate=rate)
    if setting.clustering is not None:
        rate = finetuning.clustering_learning_rate
        held.append(cluster(network, setting.clustering.clusters, seed=seed))
        train(network, learning_rate=rate)
    return Shaped(network, embeddings, found, partial(train, learning_rate=rate))
