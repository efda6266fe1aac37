"""The Keras form of the vision transformer (Dosovitskiy et al. 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..networks import EncoderSpec
from ..networks.encoders import heads_of

if TYPE_CHECKING:
    import tf_keras

    from ..networks.encoders import VisionTransformer


def build_vit(spec: EncoderSpec, network: VisionTransformer) -> tf_keras.Model:
    """Build it, untrained: float32 images [batch, height, width, channels] to [batch, 1 + patches, width].

    Every layer with weights bears the name of the module of ``VisionTransformer`` that it stands for.

    Args:
        spec: shapes of the images and of the answer.
        network: the PyTorch network, for what its spec leaves open.
    """
    import tf_keras as keras

    from . import attention as a
    from . import encoder_layers as e

    k = keras.layers
    tokens, width = spec.outputs
    epsilon, patches = network.norm.eps, network.patches

    def norm(name: str, x: Any) -> Any:
        return k.LayerNormalization(epsilon=epsilon, name=name)(x)

    image = keras.Input(spec.image, name="image")
    x = k.Conv2D(width, patches.kernel_size, strides=patches.stride, name="patches")(image)
    x = e.Tokens(name="tokens")(x)
    for i in range(len(network.blocks)):
        block = f"blocks.{i}"
        own = f"{block}.attention"
        packed = k.Dense(3 * width, name=f"{own}.qkv")(norm(f"{block}.norm1", x))
        query, key, value = (a.Third(p, name=f"{own}.{n}")(packed) for p, n in enumerate(("query", "key", "value")))
        scores = a.Scores(heads_of(width), tokens, name=f"{own}.scores")([query, key])
        mixed = a.Mix(name=f"{own}.mix")([k.Softmax(name=f"{own}.softmax")(scores), value])
        x = k.Add(name=f"{own}.add")([x, k.Dense(width, name=f"{own}.proj")(mixed)])
        wide = k.Dense(4 * width, name=f"{block}.mlp.0")(norm(f"{block}.norm2", x))
        wide = a.Gelu(approximate=False, name=f"{block}.mlp.1")(wide)
        x = k.Add(name=f"{block}.mlp.add")([x, k.Dense(width, name=f"{block}.mlp.2")(wide)])
    return keras.Model(image, a.ByExample(tokens, name="answer")(norm("norm", x)), name=spec.name)
