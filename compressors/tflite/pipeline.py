"""The steps of a setting, in order: prune, cluster, quantize, convert."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...models.keras_twins import twin_of
from ...models.networks import EncoderSpec, Spec, TextSpec, is_transformer, task_of
from ..notes import COARSE_LOGITS, MEAN_IN_FLOAT
from ..protocol import Finetuning, Target
from ..settings import QuantizationKind, Setting
from .cluster import cluster
from .convert import to_tflite
from .finetune import Finetuner
from .layers import depthwise_layers
from .prune import prune
from .quantize import quantization_aware
from .runtime import prepare

CALIBRATION_EXAMPLES = 128
"""How many of the model's own training examples set the ranges of int8 activations."""

_NORMALISATION_IN_FLOAT = (
    "Layer normalisation, additions and scaling stay float32: normalising the CLS token, which starts as zeros, takes "
    "a range that would round that of all other tokens away."
)
_TEXT_NORMALISATION_IN_FLOAT = (
    "Layer normalisation, additions and scaling stay float32: a few channels are so large that their range would round "
    "the others away."
)


def make_artifact(
    target: Target, setting: Setting, finetuning: Finetuning, *, seed: int
) -> tuple[bytes, tuple[str, ...]]:
    """Compress a network.

    Each step that trains does so for ``finetuning.epochs``. What trains after clustering, quantization-aware
    training included, keeps to the smaller learning rate of clustering.

    Returns:
        The content of the .tflite file, the same for the same arguments, and notes for the row.
    """
    prepare(seed)
    import tensorflow as tf

    # No layer has Python control flow over tensors to rewrite, and looking for it takes seconds.
    run = tf.autograph.experimental.do_not_convert(_run)
    content, depthwise = run(target, setting, Finetuner(target, finetuning, seed))
    return content, _notes(target.network, setting, depthwise)


def _run(target: Target, setting: Setting, finetuner: Finetuner) -> tuple[bytes, int]:
    """The file's content, and the number of depthwise convolutions."""
    model = twin_of(target.network, target.checkpoint)
    depthwise = depthwise_layers(model)
    calibration = _calibration_inputs(target, finetuner.seed)
    rate = finetuner.finetuning.learning_rate
    kind = setting.quantization.kind if setting.quantization is not None else None
    if setting.finetuned:
        finetuner.run(model, learning_rate=rate)
    if setting.pruning is not None:
        model = prune(model, setting.pruning.sparsity, finetuner, learning_rate=rate)
    if setting.clustering is not None:
        rate = finetuner.finetuning.clustering_learning_rate
        model = cluster(
            model,
            setting.clustering.clusters,
            finetuner,
            learning_rate=rate,
            preserve_sparsity=setting.pruning is not None,
        )
    if kind == "int8-qat":
        model = quantization_aware(model, setting, finetuner, learning_rate=rate, calibration=calibration)
    return to_tflite(model, kind, calibration), depthwise


def _calibration_inputs(target: Target, seed: int) -> NDArray[np.generic]:
    rng = np.random.default_rng((seed, len(target.images)))
    chosen = rng.choice(len(target.images), min(CALIBRATION_EXAMPLES, len(target.images)), replace=False)
    return target.normalization(target.images[np.sort(chosen)])


def _notes(network: Spec, setting: Setting, depthwise: int) -> tuple[str, ...]:
    shaped = setting.pruning is not None or setting.clustering is not None
    kind = setting.quantization.kind if setting.quantization is not None else None
    notes = []
    if depthwise and shaped:
        notes.append(
            f"{depthwise} depthwise convolutions stay dense and unclustered: "
            "tensorflow-model-optimization leaves them alone."
        )
    if isinstance(network, TextSpec) and shaped:
        notes.append("Embeddings stay dense and unclustered: only dense layers are pruned and clustered.")
    if setting.clustering is not None and not is_transformer(network.name):
        notes.append(
            "The converter folds batch normalisation into the kernels and so scales each channel: "
            f"the {setting.clustering.clusters} values are shared within a channel of the file, not across a layer."
        )
    if is_transformer(network.name) and kind not in (None, "float16", "int8-static"):
        notes.append(
            "Position embeddings, biases and layer normalisation stay float32."
            if isinstance(network, TextSpec)
            else "Positions, biases and layer normalisation stay float32."
        )
    return (*notes, *_quantization_notes(network, kind, depthwise))


def _quantization_notes(network: Spec, kind: QuantizationKind | None, depthwise: int) -> tuple[str, ...]:
    match kind:
        case "dynamic":
            return ("Kernels of fewer than 1,024 weights stay float32: the converter leaves them alone.",)
        case "int4-weights" if depthwise:
            return (f"{depthwise} depthwise convolutions stay float32: the quantizer has no 4-bit form of them.",)
        case "int8-static" | "int8-qat" if isinstance(network, EncoderSpec):
            return (_NORMALISATION_IN_FLOAT if is_transformer(network.name) else MEAN_IN_FLOAT,)
        case "int8-static" if isinstance(network, TextSpec):
            coarse = (COARSE_LOGITS,) if task_of(network.name) == "language-model" else ()
            return (_TEXT_NORMALISATION_IN_FLOAT, *coarse)
    return ()
