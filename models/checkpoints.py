"""Trained weights on disk: one safetensors file, read back into the network that its spec describes."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from .networks import Spec, build


class CheckpointError(ValueError):
    """A file does not hold the weights of the network asked for."""


def save_checkpoint(module: nn.Module, path: Path) -> None:
    """Write every parameter and buffer; the same weights give the same bytes."""
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}, path)


def load_network(spec: Spec, path: Path) -> nn.Module:
    """Build the network of ``spec`` with the weights in ``path``, on the CPU, in evaluation mode.

    Raises:
        CheckpointError: the file is damaged, or holds another network's weights.
    """
    network = build(spec)
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        shapes = ", ".join(f"{key} {value or 'usual'}" for key, value in spec.model_dump(exclude={"name"}).items())
        raise CheckpointError(
            f"{path} does not hold the weights of {spec.name} ({shapes}). "
            f"Give the spec it was trained with, or train again. {error}"
        ) from error
    return network.eval()
