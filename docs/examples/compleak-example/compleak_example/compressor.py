"""An adapter: prunes by magnitude without further training, and ships what `torch.export` saves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from compleak.compressors.protocol import Finetuning, Predictor, Target, Weight
from compleak.compressors.settings import Setting, SettingError
from compleak.models.checkpoints import load_network
from compleak.models.inputs import Transform


class ExportedProgram:
    """The contract is `compleak.compressors.protocol.Compressor`."""

    framework = "exported"
    suffix = ".pt2"

    def refusal(self, setting: Setting, network: str | None = None) -> str | None:
        """Why it cannot do ``setting``, or None where it can. A suite is refused before anything runs."""
        del network
        pruned_only = setting.clustering is None and setting.quantization is None
        if pruned_only and (setting.pruning is None or setting.pruning.scope == "magnitude"):
            return None
        return f"{setting.name!r}: only float32 and pruning-magnitude; give pruning-magnitude-0.5, for example."

    def missing(self) -> str | None:
        """What has to be installed first, and how; None where all is there. A run says so before it begins."""
        return None

    def compress(
        self, target: Target, setting: Setting, finetuning: Finetuning, path: Path, *, seed: int
    ) -> tuple[str, ...]:
        """Write the artifact; return notes for the row."""
        del finetuning, seed
        if reason := self.refusal(setting):
            raise SettingError(reason)
        network = load_network(target.network, target.checkpoint)
        if setting.pruning is not None:
            for module in network.modules():
                if isinstance(module, nn.Conv2d | nn.Linear):
                    _prune(module.weight, setting.pruning.sparsity)
        example = torch.from_numpy(_channels_first(target.normalization(target.images[:2])))
        batch = {0: torch.export.Dim("batch")}
        torch.export.save(torch.export.export(network, (example,), dynamic_shapes=(batch,)), path)
        return ("Pruned in one step, without training on.",) if setting.pruning is not None else ()

    def weights(self, path: Path) -> tuple[Weight, ...]:
        """Kernels read back from the file: what a row says of sparsity and size is measured, never promised."""
        saved = torch.export.load(path).state_dict
        return tuple(
            Weight(name, tensor.detach().numpy())
            for name, tensor in saved.items()
            if name.endswith("weight") and tensor.ndim > 1
        )

    def predictor(self, path: Path, normalization: Transform, *, batch_size: int = 32, threads: int = 1) -> Predictor:
        """Run the file, ``batch_size`` examples at a time."""
        torch.set_num_threads(threads)
        program = torch.export.load(path).module()

        def predict(examples: NDArray[np.generic]) -> NDArray[np.float32]:
            inputs = torch.from_numpy(_channels_first(normalization(examples)))
            with torch.inference_mode():
                return torch.cat([program(batch) for batch in inputs.split(batch_size)]).numpy()

        return predict


def _prune(weight: nn.Parameter, sparsity: float) -> None:
    with torch.no_grad():
        smallest = weight.abs().flatten().argsort()[: int(sparsity * weight.numel())]
        weight.view(-1)[smallest] = 0.0


def _channels_first(images: NDArray[np.generic]) -> NDArray[np.float32]:
    return np.ascontiguousarray(np.moveaxis(np.asarray(images, dtype=np.float32), -1, 1))
