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

Ranges = dict[str, tuple[np.float32, np.float32]]

_RANGES = ("quantize_layer", "output", "post_activation")


def quantization_aware(
    model: tf_keras.Model,
    setting: Setting,
    finetuner: Finetuner,
    *,
    learning_rate: float,
    calibration: NDArray[np.generic],
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
    import tf_keras

    from ...models.keras_twins.encoder_layers import MapAndMean

    def annotate(layer: Any) -> Any:
        # An encoder's map and its mean suit no common scale: what makes them does not round.
        return layer if isinstance(layer, MapAndMean) else tfmot.quantization.keras.quantize_annotate_layer(layer)

    annotated = tf_keras.models.clone_model(fresh_copy(model), clone_function=annotate)
    with tfmot.quantization.keras.quantize_scope({"MapAndMean": MapAndMean}):
        aware = tfmot.quantization.keras.quantize_apply(annotated, _scheme(setting))
    _start_from(aware, _activation_ranges(model, calibration))
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


def _activation_ranges(model: tf_keras.Model, images: NDArray[np.generic]) -> Ranges:
    """Least and greatest output of each layer, by the layer's name; 0 is always within.

    Batch normalisation counts in both of its modes: training starts with the batch's statistics, and the file will
    run with the collected ones. Where these differ, as after very little training, ranges from one of them alone
    would clip the other to a constant, which the next normalisation blows up.
    """
    import tensorflow as tf
    import tf_keras

    copy = fresh_copy(model)
    for layer in copy.layers:
        if isinstance(layer, tf_keras.layers.Dropout):
            layer.rate = 0.0
    probe = tf_keras.Model(copy.input, [layer.output for layer in copy.layers])

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def extremes(batch: Any) -> Any:
        modes = [probe(batch, training=False), probe(batch, training=True)]
        return tf.stack([[[tf.reduce_min(o), tf.reduce_max(o)] for o in outputs] for outputs in modes])

    found = np.asarray(extremes(tf.constant(images)))
    low, high = np.minimum(found[..., 0].min(0), 0), np.maximum(found[..., 1].max(0), 1e-6)
    return {layer.name: (low[i], high[i]) for i, layer in enumerate(copy.layers)}


def _start_from(aware: tf_keras.Model, ranges: Ranges) -> None:
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
