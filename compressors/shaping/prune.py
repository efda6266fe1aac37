"""Zero weights with torch.nn.utils.prune, and keep them zero through whatever trains afterwards."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import prune as library

from ..settings import Pruning
from .kernels import Constraint, kernels, layers, tables


def prune(network: nn.Module, pruning: Pruning) -> Constraint:
    """Zero a fraction of the weights, in place.

    ``magnitude`` and ``global`` rank every weight of the convolution and dense kernels, and leave embeddings alone;
    ``magnitude-embeddings`` ranks those of the embeddings too, each table by itself. ``filter-l1`` and
    ``filter-l2`` rank the filters of each convolution; dense layers, whose outputs are the classes, are left
    alone. Where a filter was, batch normalisation still adds its shift, a constant: the library prunes weights,
    and we keep to that.

    Returns:
        The constraint that holds every zero where it is.
    """
    pruned: list[nn.Module] = list(layers(network).values())
    if pruning.scope == "global":
        library.global_unstructured(
            [(layer, "weight") for layer in pruned],
            pruning_method=library.L1Unstructured,
            amount=pruning.sparsity,
        )
    elif pruning.scope in ("magnitude", "magnitude-embeddings"):
        if pruning.scope == "magnitude-embeddings":
            pruned += tables(network).values()
        for layer in pruned:
            library.l1_unstructured(layer, "weight", amount=pruning.sparsity)  # type: ignore[no-untyped-call]
    else:
        pruned = [layer for layer in pruned if isinstance(layer, nn.Conv2d)]
        norm = {"filter-l1": 1, "filter-l2": 2}[pruning.scope]
        for layer in pruned:
            library.ln_structured(layer, "weight", amount=pruning.sparsity, n=norm, dim=0)  # type: ignore[no-untyped-call]
    for layer in pruned:
        library.remove(layer, "weight")  # type: ignore[no-untyped-call]
    return hold_zeros(network, embeddings=pruning.scope == "magnitude-embeddings")


def hold_zeros(network: nn.Module, *, embeddings: bool = False) -> Constraint:
    """The constraint that keeps the kernels' present zeros, and those of the embeddings if they were pruned."""

    def held(of: nn.Module) -> dict[str, Tensor]:
        more = {name: table.weight for name, table in tables(of).items()} if embeddings else {}
        return {**kernels(of), **more}

    kept = {name: weight.detach() != 0 for name, weight in held(network).items()}

    @torch.no_grad()
    def hold(trained: nn.Module) -> None:
        for name, weight in held(trained).items():
            kept[name] = kept[name].to(weight.device)
            weight.mul_(kept[name])

    return hold
