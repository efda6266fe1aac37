"""The PyTorch Mobile adapter: a trained network and a setting in, a .ptl file and its predictor out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...models.inputs import Transform
from ...models.networks import TEXT_NETWORKS, is_transformer, task_of
from ..notes import COARSE_LOGITS, MEAN_IN_FLOAT
from ..protocol import Finetuning, Target, Weight
from ..replacing import replacing
from ..settings import Setting, SettingError, hidden_clusters

if TYPE_CHECKING:
    from .lite import LitePredictor

_INT8_SPEED = "Int8 runs on QNNPACK, which is made for ARM: its speed on another machine says little."
_NOTES = {
    "dynamic": "Convolutions stay float32: PyTorch's dynamic quantization has kernels for dense layers only.",
    "float16": "Kernels are stored as float16 and widened to float32 when they run; biases stay float32.",
    "int8-static": _INT8_SPEED,
    "int8-qat": _INT8_SPEED,
}
_TEXT_NOTES = {
    "dynamic": f"Dense layers and embeddings are int8. {_INT8_SPEED}",
    "float16": "Kernels and embeddings are stored as float16 and widened to float32 when they run.",
    "int8-static": (
        "Dense layers compute in int8 and embeddings are stored in int8; attention, normalisation and GELU are "
        f"computed in float32. {_INT8_SPEED}"
    ),
}
_VIT_NOTES = {
    "dynamic": f"Dense layers are int8; the convolution that makes patches stays float32. {_INT8_SPEED}",
    "int8-static": (
        "The patches' convolution and dense layers compute in int8; attention, normalisation and GELU are computed in "
        f"float32. {_INT8_SPEED}"
    ),
}


class PytorchMobileCompressor:
    """``Compressor`` for PyTorch Mobile."""

    framework = "pytorch-mobile"
    suffix = ".ptl"

    def refusal(self, setting: Setting, network: str | None = None) -> str | None:
        """Why PyTorch Mobile cannot do ``setting``, or None where it can.

        Args:
            setting: what is asked for.
            network: name of the network that it is to be done to, if known.
        """
        kind = setting.quantization.kind if setting.quantization is not None else None
        if kind in ("int8-weights", "int4-weights"):
            return (
                f"{setting.name!r}: PyTorch Mobile has no kernels that widen integer weights; give "
                "quantization-dynamic, which rounds activations as well while it runs, or quantization-float16."
            )
        if network is not None and (reason := _misfit(setting, network)) is not None:
            return f"{setting.name!r}: {reason}"
        return hidden_clusters(setting)

    def missing(self) -> str | None:
        """Nothing: PyTorch brings its mobile toolchain along."""
        return None

    def compress(
        self, target: Target, setting: Setting, finetuning: Finetuning, path: Path, *, seed: int
    ) -> tuple[str, ...]:
        """Write the artifact to ``path``, whole or not at all.

        Returns:
            Notes for the row.

        Raises:
            SettingError: ``refusal`` has a reason.
            UntrainedError: fine-tuning moved nothing.
            ArtifactError: what was written is not the compressed network.
        """
        if (reason := self.refusal(setting, target.network.name)) is not None:
            raise SettingError(reason)
        from .pipeline import make_artifact

        content = make_artifact(target, setting, finetuning, seed=seed)
        with replacing(path) as partial:
            partial.write_bytes(content)
        return (_optimizer_note(), *_notes(setting, target.network.name))

    def weights(self, path: Path) -> tuple[Weight, ...]:
        """Convolution and dense kernels, and embeddings, read back from the file at ``path``."""
        from .readback import read_weights

        return read_weights(path.read_bytes())

    def predictor(
        self, path: Path, normalization: Transform, *, batch_size: int = 32, threads: int = 1
    ) -> LitePredictor:
        """Load the file at ``path`` into the lite interpreter. Load only files that this program wrote."""
        from .lite import load_predictor

        return load_predictor(path, normalization, batch_size=batch_size, threads=threads)


def _misfit(setting: Setting, network: str) -> str | None:
    """Why a setting does not fit a network."""
    scope = setting.pruning.scope if setting.pruning is not None else None
    kind = setting.quantization.kind if setting.quantization is not None else None
    if scope == "magnitude-embeddings" and network not in TEXT_NETWORKS:
        return "a network for images has no embeddings; give pruning-magnitude."
    if not is_transformer(network):
        if kind == "dynamic" and task_of(network) == "encoder":
            return (
                f"PyTorch's dynamic quantization has kernels for dense layers only, and {network} has none; give "
                "quantization-int8-static or quantization-float16."
            )
        return None
    if scope in ("filter-l1", "filter-l2"):
        return "a transformer has no convolution whose filters could be pruned; give pruning-magnitude."
    if kind == "int8-qat":
        return (
            "quantization-aware training is done in FX graph mode, which cannot read a transformer; give "
            "quantization-int8-static."
        )
    return None


def _notes(setting: Setting, network: str) -> tuple[str, ...]:
    kind = setting.quantization.kind if setting.quantization is not None else None
    text, transformer, task = network in TEXT_NETWORKS, is_transformer(network), task_of(network)
    shaped = setting.pruning is not None or setting.clustering is not None
    tables = setting.pruning is not None and setting.pruning.scope == "magnitude-embeddings"
    of_kind = _TEXT_NOTES if text else {**_NOTES, **_VIT_NOTES} if transformer else _NOTES
    notes = {
        "Embeddings are neither pruned nor clustered: dense layers are.": text and shaped and not tables,
        "Embeddings are pruned as well.": tables,
        of_kind.get(kind or "", ""): kind is not None,
        MEAN_IN_FLOAT: task == "encoder" and not transformer and kind in ("int8-static", "int8-qat"),
        COARSE_LOGITS: task == "language-model" and kind == "int8-static",
    }
    return tuple(note for note, holds in notes.items() if holds)


def _optimizer_note() -> str:
    from torch.backends import xnnpack

    reason = (
        "the weights that it packs for XNNPACK cannot be read back"
        if xnnpack.enabled  # type: ignore[attr-defined]
        else "this build of PyTorch lacks XNNPACK, which it needs"
    )
    return f"Traced and frozen, but not put through optimize_for_mobile: {reason}."
