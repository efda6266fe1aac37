"""The ExecuTorch adapter: a trained network and a setting in, a .pte file and its predictor out."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ...models.inputs import Transform
from ...models.networks import TEXT_NETWORKS, is_transformer, task_of
from ..protocol import Finetuning, Target, Weight
from ..replacing import replacing
from ..settings import Setting, SettingError, hidden_clusters

if TYPE_CHECKING:
    from .predictor import PtePredictor

_FOLDED = "XNNPACK folds batch normalisation into the kernels: shared values are shared within an output channel."
_FIXED = "The file takes examples by eights; fewer are filled up with blank ones, and take as long as eight."
_MEAN = "The mean is taken of the dequantized feature map, in float32: a map and its mean suit no common scale."
_SPARED = "Embeddings are neither pruned nor clustered: dense layers are."
_NOTES = {
    "dynamic": (
        "Dense layers, and convolutions without a ReLU right after them, have int8 weights and round their input to "
        "int8 as they run; other convolutions, and depthwise ones, stay float32: XNNPACK's quantizer leaves them out."
    ),
    "int8-static": "Computed in int8 from end to end; the file takes and returns float32.",
}
_TRANSFORMER_NOTES = {
    "dynamic": (
        "Dense layers have int8 weights and round their input to int8 as they run, for each position by itself; "
        "embeddings are stored as int8; attention, normalisation and GELU are computed in float32."
    ),
    "int8-static": (
        "The patches' convolution, dense layers and additions compute in int8, by calibrated ranges; attention, "
        "normalisation and GELU in float32."
    ),
    "float16": "Stored and computed in float16 throughout; only the answer is widened, so it has 11 significant bits.",
}
_UNAVAILABLE = {
    "int8-qat": (
        "quantization-aware training works here on an exported graph, in which the layers that pruning and clustering "
        "hold are gone; give quantization-int8-static, or another framework."
    ),
    "int8-weights": (
        "XNNPACK has no kernels that widen int8 weights; give quantization-dynamic, which rounds activations as well "
        "while it runs."
    ),
    "int4-weights": (
        "XNNPACK has no kernels that widen int4 weights, and none with int4 for convolutions; give "
        "quantization-dynamic, or another framework."
    ),
}
_NO_FLOAT16 = (
    "ExecuTorch stores the kernels of XNNPACK's convolutions as float32 even where the network is float16, so the "
    "file would not show it; give quantization-dynamic, or another framework."
)
_NO_STATIC = (
    "PT2E, which calibrates activations here, turns the integers that a transformer finds padding and positions with "
    "into floating-point numbers; give quantization-dynamic, or another framework."
)


class ExecutorchCompressor:
    """``Compressor`` for ExecuTorch, with XNNPACK as its backend."""

    framework = "executorch"
    suffix = ".pte"

    def refusal(self, setting: Setting, network: str | None = None) -> str | None:
        """Why ExecuTorch cannot do ``setting``, or None where it can.

        Args:
            setting: what is asked for.
            network: name of the network that it is to be done to, if known.
        """
        reason = _misfit(setting, network)
        return hidden_clusters(setting) if reason is None else f"{setting.name!r}: {reason}"

    def missing(self) -> str | None:
        """What to install, where ExecuTorch is not; None where it is. Imports nothing."""
        return missing_extra()

    def compress(
        self, target: Target, setting: Setting, finetuning: Finetuning, path: Path, *, seed: int
    ) -> tuple[str, ...]:
        """Write the artifact to ``path``, whole or not at all.

        Returns:
            Notes for the row.

        Raises:
            SettingError: ``refusal`` has a reason, or ExecuTorch is not installed.
            UntrainedError: fine-tuning moved nothing.
            ArtifactError: what was written is not the compressed network.
        """
        if (reason := self.refusal(setting, target.network.name)) is not None:
            raise SettingError(reason)
        _require_extra()
        from .pipeline import make_artifact

        content = make_artifact(target, setting, finetuning, seed=seed)
        with replacing(path) as partial:
            partial.write_bytes(content)
        return _notes(setting, target.network.name)

    def weights(self, path: Path) -> tuple[Weight, ...]:
        """Convolution and dense kernels, and embeddings, read back from the file at ``path``."""
        _require_extra()
        from .readback import read_weights

        return read_weights(path.read_bytes())

    def predictor(
        self, path: Path, normalization: Transform, *, batch_size: int = 32, threads: int = 1
    ) -> PtePredictor:
        """Load the file at ``path`` into ExecuTorch's runtime."""
        _require_extra()
        from .predictor import PtePredictor

        return PtePredictor(path, normalization, batch_size=batch_size, threads=threads)


def missing_extra() -> str | None:
    """What to install, where ExecuTorch is not; None where it is. Imports nothing."""
    lacking = [name for name in ("executorch", "torchao") if find_spec(name) is None]
    if not lacking:
        return None
    return f"{' and '.join(lacking)} not installed; run: pip install compleak-bench[executorch]"


def _require_extra() -> None:
    if (reason := missing_extra()) is not None:
        raise SettingError(f"A .pte file needs ExecuTorch: {reason}")


def _misfit(setting: Setting, network: str | None) -> str | None:
    kind = setting.quantization.kind if setting.quantization is not None else ""
    if kind in _UNAVAILABLE:
        return _UNAVAILABLE[kind]
    if network is not None and (reason := _misfit_of(network, setting, kind)) is not None:
        return reason
    return None


def _misfit_of(network: str, setting: Setting, kind: str) -> str | None:
    """Why a setting does not fit a network."""
    scope = setting.pruning.scope if setting.pruning is not None else ""
    text = network in TEXT_NETWORKS
    if kind == "float16" and not text:
        return _NO_FLOAT16
    if kind == "int8-static" and text:
        return _NO_STATIC
    if scope == "magnitude-embeddings" and not text:
        return "a network for images has no embeddings; give pruning-magnitude."
    if scope in ("filter-l1", "filter-l2") and is_transformer(network):
        return "a transformer has no convolution whose filters could be pruned; give pruning-magnitude."
    return None


def _notes(setting: Setting, network: str) -> tuple[str, ...]:
    kind = setting.quantization.kind if setting.quantization is not None else ""
    text, transformer = network in TEXT_NETWORKS, is_transformer(network)
    scope = setting.pruning.scope if setting.pruning is not None else ""
    shaped = setting.pruning is not None or setting.clustering is not None
    notes = {
        _FIXED: transformer,
        _FOLDED: setting.clustering is not None and not transformer,
        "Embeddings are pruned as well.": scope == "magnitude-embeddings",
        _SPARED: text and shaped and scope != "magnitude-embeddings",
        ({**_NOTES, **_TRANSFORMER_NOTES} if transformer else _NOTES).get(kind, ""): bool(kind),
        _MEAN: task_of(network) == "encoder" and not transformer and kind == "int8-static",
    }
    return tuple(note for note, holds in notes.items() if holds)
