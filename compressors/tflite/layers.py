"""Which layers are compressed, and how a treatment is put on them and taken off again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tf_keras

_NORMALISATION = ("MEAN", "SQUARED_DIFFERENCE", "RSQRT", "MUL", "SUB", "ADD")


def fresh_copy(model: tf_keras.Model) -> tf_keras.Model:
    """A copy with layers of its own: tfmot's wrappers take over, and alter, the layers they are put on."""
    import tf_keras

    copy = tf_keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def wrap_kernels(model: tf_keras.Model, wrap: Callable[[Any], Any]) -> tf_keras.Model:
    """A copy of ``model`` in which ``wrap`` has been applied to every convolution and dense layer, no other.

    Wrapping a whole model, which tfmot offers too, would wrap batch normalisation as well, and a clustering wrapper
    does not hand ``training`` down: its statistics would stand still.
    """
    import tf_keras

    def clone(layer: Any) -> Any:
        return wrap(layer) if has_kernel(layer) else layer

    return tf_keras.models.clone_model(fresh_copy(model), clone_function=clone)


def has_kernel(layer: Any) -> bool:
    """Whether tfmot prunes and clusters ``layer``. Depthwise convolutions it would wrap, and leave as they are."""
    import tf_keras

    return type(layer) in (tf_keras.layers.Conv2D, tf_keras.layers.Dense)


def depthwise_layers(model: tf_keras.Model) -> int:
    """Number of depthwise convolutions in ``model``."""
    import tf_keras

    return sum(isinstance(layer, tf_keras.layers.DepthwiseConv2D) for layer in model.layers)


def is_text(model: tf_keras.Model) -> bool:
    """Whether ``model`` takes token ids, rather than images."""
    return bool(model.inputs[0].dtype.is_integer)


def float_operators(model: tf_keras.Model) -> list[str]:
    """TF-Lite's names of the operators that int8 would spoil; empty for models that it spoils nothing of.

    An encoder's feature map and its mean suit no common scale (see ``MapAndMean``). Nor does what a transformer
    normalises: a vision transformer's CLS token starts as zeros, whose reciprocal deviation in the first layer
    normalisation is 1,000, and a few channels of a text's residuals are far larger than the others (Bondarenko et al.,
    EMNLP 2021). Rounded by the ranges of these, the others are lost. (The choice is ours; the tests measure it.)
    """
    from ...models.keras_twins.encoder_layers import MapAndMean, Tokens

    kinds = {type(layer) for layer in model.layers}
    if MapAndMean in kinds:
        return ["SUM", "MUL"]
    return list(_NORMALISATION) if Tokens in kinds or is_text(model) else []
