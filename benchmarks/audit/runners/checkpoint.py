"""Running a checkpoint of one of our own runs. Weights alone do not say what network they belong to: the run does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ....models.checkpoints import load_network
from ...stages.pool import network_of
from .. import AuditError

BATCH = 32


def open_checkpoint(path: Path, *, threads: int = 1) -> Callable[[NDArray[np.generic]], NDArray[np.float32]]:
    """Load ``RUN/nodes/train/NAME/model.safetensors`` into the network that the run's manifests describe.

    Returns:
        A function from inputs [examples, channels, height, width] to logits, float32 [examples, classes].

    Raises:
        AuditError: the file does not lie in a run's folder.
        CheckpointError: it holds another network's weights.
    """
    try:
        manifest = json.loads((path.parent / "manifest.json").read_text(encoding="utf-8"))
        (data,) = path.parents[2].glob(f"data/*-{manifest['parents']['data'][:12]}/data.json")
        spec = network_of(manifest["config"], json.loads(data.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise AuditError(
            f"{path}: a .safetensors file holds weights without their network, so only checkpoints of this program's "
            "own runs can be audited, where they lie (RUN/nodes/train/NAME/model.safetensors). Export another model "
            f"with torch.export.save to .pt2, or dump its outputs. ({error})"
        ) from error
    torch.set_num_threads(threads)
    network = load_network(spec, path)

    def run(examples: NDArray[np.generic]) -> NDArray[np.float32]:
        with torch.no_grad():
            parts = [
                network(torch.from_numpy(np.ascontiguousarray(examples[i : i + BATCH]))).float().numpy()
                for i in range(0, len(examples), BATCH)
            ]
        return np.concatenate(parts)

    return run
