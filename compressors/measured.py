"""What an artifact really is: its size, zeros, distinct values and types, read back from the file.

A setting that the file does not show is an error, never a row.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .filesize import file_sizes
from .protocol import Activations, Weight
from .settings import QuantizationKind, Setting


class ArtifactMismatchError(RuntimeError):
    """The artifact does not show the setting that it was made with."""


@dataclass(frozen=True)
class Measured:
    """Facts read from an artifact.

    Attributes:
        bytes: size of the file.
        bytes_gzip: size after gzip -9, in which zeros and shared values show.
        sparsity: zeros among all compressible weights, in [0, 1].
        distinct_values: the most distinct values in any layer that the toolkit would cluster; in any output channel,
            where each channel has a scale of its own, from quantization or from batch normalisation folded into it.
        weight_dtypes: types of the compressible weights.
        layers: number of compressible weight tensors.
    """

    bytes: int
    bytes_gzip: int
    sparsity: float
    distinct_values: int
    weight_dtypes: tuple[str, ...]
    layers: int

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def layer_sparsity(weight: Weight) -> float:
    """Zeros in one layer, in [0, 1]."""
    return float(np.mean(weight.zeros))


def zero_filters(weight: Weight) -> float:
    """Output channels (axis 0) of one layer that are all zero, in [0, 1]."""
    return float(np.mean(weight.zeros.reshape(len(weight.values), -1).all(axis=1)))


def distinct_values(weight: Weight) -> int:
    """Distinct values in one layer, or the most in any channel where each channel has a scale of its own."""
    if not weight.folded and (weight.scales is None or weight.scales.size == 1):
        return len(np.unique(weight.values))
    channels = np.moveaxis(weight.values, weight.channel_axis, 0)
    return max(len(np.unique(channel)) for channel in channels)


def measure(path: Path, weights: tuple[Weight, ...]) -> Measured:
    """Measure the artifact at ``path``, whose weights an adapter has read back.

    Raises:
        ArtifactMismatchError: no weight was found in it.
    """
    if not weights:
        raise ArtifactMismatchError(f"No convolution or dense weights were found in {path.name}.")
    zeros = sum(int(np.sum(w.zeros)) for w in weights)
    return Measured(
        **file_sizes(path),
        sparsity=zeros / sum(w.values.size for w in weights),
        distinct_values=max(map(distinct_values, [w for w in weights if not w.spared] or weights)),
        weight_dtypes=tuple(sorted({str(w.values.dtype) for w in weights})),
        layers=len(weights),
    )


def check(setting: Setting, weights: tuple[Weight, ...], *, tolerance: float = 0.01) -> None:
    """Hold the artifact's weights against its setting.

    Args:
        setting: what was asked for.
        weights: read back from the artifact.
        tolerance: by how much a sparsity may fall short. (It may exceed: quantization rounds more to zero.)

    Raises:
        ArtifactMismatchError: naming the layer, what it shows and what was asked for.
    """
    complaints: list[str] = []
    shaped = [w for w in weights if not w.spared]
    if (pruning := setting.pruning) is not None:
        if pruning.scope == "global":
            zeros = sum(int(np.sum(w.zeros)) for w in shaped) / sum(w.values.size for w in shaped)
            if zeros < pruning.sparsity - tolerance:
                complaints.append(f"sparsity {zeros:.3f} over all layers, asked for {pruning.sparsity}")
        else:
            by_weight = pruning.scope in ("magnitude", "magnitude-embeddings")
            of_layer = layer_sparsity if by_weight else zero_filters
            for w in weights if pruning.scope == "magnitude-embeddings" else shaped:
                units = w.values.size if by_weight else len(w.values)
                filters_only = not by_weight and w.values.ndim != 4
                if not filters_only and of_layer(w) < pruning.sparsity - tolerance - 1 / units:
                    complaints.append(f"{w.name}: sparsity {of_layer(w):.3f}, asked for {pruning.sparsity}")
    if setting.clustering is not None:
        complaints += [
            f"{w.name}: {distinct_values(w)} distinct values, asked for at most {setting.clustering.clusters}"
            for w in shaped
            if distinct_values(w) > setting.clustering.clusters
        ]
    if setting.quantization is not None:
        complaints += _quantization_complaints(setting.quantization.kind, weights)
    if complaints:
        raise ArtifactMismatchError(
            f"The artifact does not show {setting.name!r}: {'; '.join(complaints[:5])}"
            + (f"; and {len(complaints) - 5} more" if len(complaints) > 5 else "")
            + ". It is not published as a row."
        )


def _quantization_complaints(kind: QuantizationKind, weights: tuple[Weight, ...]) -> list[str]:
    wanted, taken = _SHOWN[kind]
    others = [w for w in weights if str(w.values.dtype) != wanted]
    if kind == "int4-weights":  # TF-Lite has no depthwise convolution in 4 bits.
        others = [w for w in others if not w.spared]
    # Dynamic quantization leaves some kinds of layers alone in some toolchains; one int8 layer shows it ran.
    if kind == "dynamic" and len(others) < len(weights):
        others = []
    complaints = [f"{w.name}: stored as {w.values.dtype}, asked for {wanted}" for w in others]
    return complaints + [
        f"{w.name}: takes activations of {w.activations}, asked for {taken}"
        for w in weights
        if str(w.values.dtype) == wanted and w.activations not in (taken, None)
    ]


_SHOWN: dict[QuantizationKind, tuple[str, Activations]] = {
    "float16": ("float16", "float"),
    "dynamic": ("int8", "dynamic int8"),
    "int8-static": ("int8", "static int8"),
    "int8-qat": ("int8", "static int8"),  # How its weights were trained no file shows.
    "int8-weights": ("int8", "float"),
    "int4-weights": ("int4", "float"),
}
"""What each kind stores its weights as, and how its layers take what they multiply."""
