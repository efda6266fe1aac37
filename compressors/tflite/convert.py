"""From a Keras model to the bytes of a .tflite file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..quiet import quiet
from ..settings import QuantizationKind
from .layers import float_operators, is_text
from .weight_only import quantize_weights

if TYPE_CHECKING:
    import tf_keras

_ANSWER = "StatefulPartitionedCall:0"
"""The converter's name of what a file answers."""


def to_tflite(model: tf_keras.Model, quantization: QuantizationKind | None, calibration: NDArray[np.generic]) -> bytes:
    """Convert ``model`` with a free batch size.

    Both int8 kinds with quantized activations are integer from end to end, input and output included: the artifact for
    a device without floating point, and the caller quantizes images and dequantizes answers with the scales that it
    states. Encoders and transformers are an exception: some operators stay float32 (``float_operators``), and the file
    takes token ids, or float32 images, and returns float32.

    Args:
        model: float32 images [batch, height, width, channels] or int32 token ids [batch, length] to answers; for
            ``int8-qat`` with simulated quantization.
        quantization: what is done to it.
        calibration: inputs, as the model takes them, that set the activation ranges of ``int8-static``.

    Returns:
        The file's content, the same for the same model.
    """
    import tensorflow as tf

    name, dtype = ("ids", tf.int32) if is_text(model) else ("image", tf.float32)
    signature = [tf.TensorSpec((None, *model.input_shape[1:]), dtype, name=name)]
    serve = tf.function(lambda inputs: model(inputs, training=False), input_signature=signature, autograph=False)
    # The converter saves what it is given beside the function. All of a Keras model takes seconds, and its
    # variables are all that is needed.
    kept = tf.Module()
    kept.kept = model.weights

    def representative() -> Iterator[list[NDArray[np.generic]]]:
        for example in calibration:
            yield [example[None].astype(dtype.as_numpy_dtype)]

    bits = {"int8-weights": 8, "int4-weights": 4}.get(quantization or "")
    spoilt = float_operators(model)
    with quiet():
        converter = tf.lite.TFLiteConverter.from_concrete_functions([serve.get_concrete_function()], kept)
        if quantization is not None and bits is None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantization == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if quantization in ("int8-static", "int8-qat") and not spoilt:
            converter.inference_input_type = converter.inference_output_type = tf.int8
        if quantization == "int8-static":
            converter.representative_dataset = representative
            if spoilt:
                # What makes an encoder's answer is one of them; a text's is a dense layer.
                return _all_but(spoilt, [] if is_text(model) else [_ANSWER], converter)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        content: bytes = converter.convert()
    return content if bits is None else quantize_weights(content, bits)


def _all_but(operators: list[str], nodes: list[str], converter: Any) -> bytes:
    """Convert with ``operators`` in float32, and whatever makes the tensors ``nodes``.

    Selective quantization is the debugger's business, says TF-Lite's documentation; nothing is debugged here.
    """
    import tensorflow as tf

    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=operators, denylisted_nodes=nodes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It makes an interpreter of TensorFlow's own, which is deprecated.
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter, debug_dataset=converter.representative_dataset, debug_options=options
        )
    content: bytes = debugger.get_nondebug_quantized_model()
    return content
