"""Quantization-aware training with tfmot, alone or keeping the zeros and the shared values of earlier steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..settings import Setting
from .finetune import Finetuner
from .layers import fresh_copy

if TYPE_CHECKING:
    import tf_keras

_RANGES = ("quantize_layer", "output", "post_activation")


def quantization_aware(
    model: tf_keras.Model,
    setting: Setting,
    finetuner: Finetuner,
    *,
    learning_rate: float,
    calibration: NDArray[np.float32],
) -> tf_keras.Model:
    """Train ``model`` with int8 weights and activations simulated.

    Args:
        model: float, perhaps pruned and clustered.
        setting: says what is to be kept: zeros (tfmot's PQAT), shared values (CQAT) or both (PCQAT).
        finetuner: trains it.
        learning_rate: peak.
        calibration: normalised images, from which activation ranges start.

    Returns:
        The model with its simulated quantization, ready for the converter.
    """
    import tensorflow_model_optimization as tfmot

    original = fresh_copy(model)
    ranges = _activation_ranges(original, calibration)
    annotated = tfmot.quantization.keras.quantize_annotate_model(original)
    aware = tfmot.quantization.keras.quantize_apply(annotated, _scheme(setting))
    _start_from(aware, ranges)
    finetuner.run(aware, learning_rate=learning_rate)
    return aware


def _scheme(setting: Setting) -> Any:
    import tensorflow_model_optimization as tfmot
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_scheme,
    )

    combine = tfmot.experimental.combine
    if setting.clustering is not None:
        return combine.Default8BitClusterPreserveQuantizeScheme(preserve_sparsity=setting.pruning is not None)
    if setting.pruning is not None:
        return combine.Default8BitPrunePreserveQuantizeScheme()
    return default_8bit_quantize_scheme.Default8BitQuantizeScheme()


def _activation_ranges(model: tf_keras.Model, images: NDArray[np.float32]) -> dict[str, tuple[np.float32, np.float32]]:
    """Least and greatest output of each layer, by the layer's name; 0 is always within."""
    import tensorflow as tf
    import tf_keras

    probe = tf_keras.Model(model.input, [layer.output for layer in model.layers])

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def extremes(batch: Any) -> Any:
        outputs = probe(batch, training=False)
        return tf.stack([[tf.reduce_min(o), tf.reduce_max(o)] for o in outputs])

    found = np.asarray(extremes(tf.constant(images)))
    low, high = np.minimum(found[:, 0], 0), np.maximum(found[:, 1], 1e-6)
    return {layer.name: (low[i], high[i]) for i, layer in enumerate(model.layers)}


def _start_from(aware: tf_keras.Model, ranges: dict[str, tuple[np.float32, np.float32]]) -> None:
    """Set the activation ranges of ``aware``.

    tfmot starts them all at [-6, 6] and lets them follow with a decay of 0.999 a step. In a run of a hundred steps
    they hardly move, and larger activations and logits, which is what an attacker looks at, would be clipped.
    """
    image = next(iter(ranges))
    for layer in aware.layers:
        name = layer.layer.name if hasattr(layer, "layer") else image
        for variable in layer.non_trainable_weights:
            kind, _, bound = variable.name.split("/")[-1].partition(":")[0].rpartition("_")
            if kind in _RANGES and name in ranges:
                variable.assign(ranges[name][("min", "max").index(bound)])
