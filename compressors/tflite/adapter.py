"""The TF-Lite adapter: a trained network and a setting in, a .tflite file and its predictor out."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ...models.inputs import Transform
from ...models.networks import is_transformer
from ..protocol import Finetuning, Target, Weight
from ..replacing import replacing
from ..settings import Quantization, Setting, SettingError, hidden_clusters
from .interpreter import ArtifactError, TflitePredictor
from .readback import read_weights

_PACKAGES = {
    "tensorflow": "tensorflow",
    "tf_keras": "tf_keras",
    "tensorflow_model_optimization": "tensorflow-model-optimization",
}
"""What making a file needs, by module; running and reading one needs none of it."""


class TfliteCompressor:
    """``Compressor`` for TF-Lite."""

    framework = "tflite"
    suffix = ".tflite"

    def refusal(self, setting: Setting, network: str | None = None) -> str | None:
        """Why TF-Lite's toolkit cannot do ``setting``, or None where it can.

        Args:
            setting: what is asked for.
            network: name of the network that it is to be done to, if known: some settings are not for transformers.
        """
        pruning, clustering = setting.pruning, setting.clustering
        if pruning is not None and pruning.scope != "magnitude":
            return (
                f"{setting.name!r}: tensorflow-model-optimization prunes each layer by magnitude, and has no "
                f"{pruning.scope} pruning; give pruning-magnitude-{pruning.sparsity:g}, or another framework."
            )
        if pruning is not None and clustering is not None and clustering.clusters < 3:
            return (
                f"{setting.name!r}: one cluster is taken up by zero, and tensorflow-model-optimization wants two "
                "more; give clustering-k3 or above."
            )
        if network is not None and is_transformer(network) and setting.quantization == Quantization("int8-qat"):
            return (
                f"{setting.name!r}: tensorflow-model-optimization cannot simulate int8 in a whole transformer, and "
                "with its dense layers alone the converter leaves their kernels in float32; give "
                "quantization-int8-static, quantization-int8-weights or quantization-dynamic."
            )
        return hidden_clusters(setting)

    def missing(self) -> str | None:
        """What to install, where TensorFlow or its toolkits are not; None where they are. Imports nothing."""
        lacking = [package for module, package in _PACKAGES.items() if find_spec(module) is None]
        return f"{', '.join(lacking)} not installed; run: pip install {' '.join(lacking)}" if lacking else None

    def compress(
        self, target: Target, setting: Setting, finetuning: Finetuning, path: Path, *, seed: int
    ) -> tuple[str, ...]:
        """Write the artifact to ``path``, whole or not at all.

        Returns:
            Notes for the row.

        Raises:
            SettingError: ``refusal`` has a reason.
            FinetuningError: fine-tuning diverged, or the data leave it no batch.
            ArtifactError: the interpreter refuses what was converted, or its answers are not finite.
        """
        if (reason := self.refusal(setting, target.network.name)) is not None:
            raise SettingError(reason)
        from .pipeline import make_artifact

        content, notes = make_artifact(target, setting, finetuning, seed=seed)
        with replacing(path) as partial:
            partial.write_bytes(content)
            _require_running(partial, target)
        return notes

    def weights(self, path: Path) -> tuple[Weight, ...]:
        """Convolution and dense kernels, read back from the file at ``path``."""
        return read_weights(path)

    def predictor(
        self, path: Path, normalization: Transform, *, batch_size: int = 32, threads: int = 1
    ) -> TflitePredictor:
        """Load the file at ``path`` into LiteRT's interpreter."""
        return TflitePredictor(path, normalization, batch_size=batch_size, threads=threads)


def _require_running(path: Path, target: Target) -> None:
    few, network = target.images[:2], target.network
    answers = TflitePredictor(path, target.normalization, batch_size=len(few), threads=1)(few)
    if not np.isfinite(answers).all() or answers.shape != (len(few), *network.outputs):
        raise ArtifactError(
            f"The converted {network.name} answers two examples with {list(answers.shape)} numbers, "
            f"{np.isfinite(answers).mean():.0%} of them finite: {answers.ravel()[:4].tolist()} ... Expected "
            f"{list(network.outputs)} finite ones each. Lower the fine-tuning's learning rate."
        )
