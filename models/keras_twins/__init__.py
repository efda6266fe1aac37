"""The same networks in tf_keras, carrying the weights trained in PyTorch.

An image network's twin is not written by hand: it is read off the PyTorch network's own graph, layer by layer, so the
two cannot drift apart. A transformer's graph is not so plain, and its twin is written out (``bert``, ``gpt2``,
``vit``). Either way a twin's layer bears the name of the PyTorch module it stands for (``stage1_block1.conv1``), and
that is all the transfer of weights needs to know.
"""

from __future__ import annotations

import operator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx, nn

from ..checkpoints import load_network
from ..networks import EncoderSpec, NetworkSpec, Spec, TextSpec, build
from ..networks.encoders import MapAndMean, VisionTransformer

if TYPE_CHECKING:
    import tf_keras


class TwinError(ValueError):
    """A network has no twin, or a network's weights and its twin's do not pair up."""


def twin_of(spec: Spec, checkpoint: Path) -> tf_keras.Model:
    """Build the twin of a trained network: ``build_twin``, then ``transfer`` of the weights in ``checkpoint``."""
    twin = build_twin(spec)
    transfer(load_network(spec, checkpoint), twin)
    return twin


def build_twin(spec: Spec) -> tf_keras.Model:
    """Build the Keras form of a network, untrained.

    It is a functional model, and its weights are in plain layers, which tfmot can wrap. It maps float32 [batch,
    height, width, channels], or int32 token ids [batch, length], right-padded with 0, to [batch, *spec.outputs].
    """
    with torch.device("meta"):
        network = build(spec)
    if isinstance(spec, TextSpec):
        return _text_twin(spec, network)
    if isinstance(spec, EncoderSpec) and isinstance(network, VisionTransformer):
        from .vit import build_vit

        return build_vit(spec, network)
    return _image_twin(spec, network)


def _text_twin(spec: TextSpec, network: nn.Module) -> tf_keras.Model:
    from .bert import build_bert
    from .gpt2 import build_gpt2

    written = {"bert": build_bert, "gpt2": build_gpt2}
    config: Any = network.get_submodule("model").config
    return written[spec.family](spec, config)


class _Tracer(fx.Tracer):
    """Reads an encoder's answer as one layer, which Keras has one for too."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether the layers inside ``m`` are of no interest."""
        return isinstance(m, MapAndMean) or super().is_leaf_module(m, module_qualified_name)


def _image_twin(spec: NetworkSpec | EncoderSpec, network: nn.Module) -> tf_keras.Model:
    import tf_keras as keras

    tensors: dict[Any, Any] = {}
    for node in _Tracer().trace(network).nodes:
        if node.op == "placeholder":
            tensors[node] = image = keras.Input(spec.image, name="image")
        elif node.op == "call_function" and node.target is operator.add:
            tensors[node] = keras.layers.Add(name=node.name)([tensors[a] for a in node.args])
        elif node.op == "call_function" and node.target is torch.flatten:
            tensors[node] = tensors[node.args[0]]  # Keras's global average pool has flattened already.
        elif node.op == "call_module":
            x = tensors[node.args[0]]
            for layer in _layers(node.target, network.get_submodule(node.target)):
                x = layer(x)
            tensors[node] = x
        elif node.op == "output":
            answer = tensors[node.args[0]]
        else:
            raise TwinError(f"No Keras form of {node.op} {node.target} in {spec.name}; add it to build_twin.")
    return keras.Model(image, answer, name=spec.name)


def _layers(name: str, module: nn.Module) -> list[Any]:
    """The Keras layers that do what ``module`` does; the one with its weights, if any, is called ``name``."""
    import tf_keras as keras

    k = keras.layers
    match module:
        case nn.Conv2d():
            pad, padding = _padding(name, module)
            shape: dict[str, Any] = {
                "kernel_size": module.kernel_size,
                "strides": module.stride,
                "padding": padding,
                "use_bias": module.bias is not None,
                "name": name,
            }
            if module.groups == 1:
                return [*pad, k.Conv2D(module.out_channels, **shape)]
            if module.groups == module.in_channels == module.out_channels:
                return [*pad, k.DepthwiseConv2D(**shape)]
        case nn.BatchNorm2d():
            # Keras keeps `momentum` of the old mean, PyTorch takes `momentum` of the new one.
            momentum = 1 - (module.momentum or 0.0)
            return [k.BatchNormalization(momentum=momentum, epsilon=module.eps, name=name)]
        case nn.ReLU():
            return [k.ReLU(name=name)]
        case nn.MaxPool2d():
            # Zeros pad as well as PyTorch's -inf does: every pool here follows a ReLU.
            pad = [k.ZeroPadding2D(module.padding, name=f"{name}.pad")] if module.padding else []
            return [*pad, k.MaxPooling2D(module.kernel_size, module.stride, name=name)]
        case nn.AdaptiveAvgPool2d(output_size=1):
            return [k.GlobalAveragePooling2D(name=name)]
        case nn.Dropout():
            return [k.Dropout(module.p, name=name)]
        case nn.Linear():
            return [k.Dense(module.out_features, use_bias=module.bias is not None, name=name)]
        case MapAndMean():
            from .encoder_layers import MapAndMean as KerasMapAndMean

            return [KerasMapAndMean(name=name)]
    raise TwinError(f"No Keras form of {name}: {module}; add it to models/keras_twins.")


def _padding(name: str, module: nn.Conv2d) -> tuple[list[Any], str]:
    """The padding layer, if any, and the ``padding`` of the convolution that follows it.

    PyTorch pads both sides alike. Keras's "same" does so at stride 1; at stride 2 and an even size it pads only
    after the image, so there the padding is made a layer.
    """
    import tf_keras as keras

    rows, columns = (int(p) for p in module.padding)
    if rows == columns == 0:
        return [], "valid"
    if module.stride == (1, 1) and module.kernel_size == (2 * rows + 1, 2 * columns + 1):
        return [], "same"
    return [keras.layers.ZeroPadding2D((rows, columns), name=f"{name}.pad")], "valid"


def transfer(module: nn.Module, twin: tf_keras.Model) -> None:
    """Copy every weight and statistic of ``module`` into its ``twin``.

    Raises:
        TwinError: a weight on either side has no counterpart, or one of another shape.
    """
    weights = {name: _weights(m) for name, m in module.named_modules() if m._parameters}
    layers = {layer.name: layer for layer in twin.layers if layer.weights}
    if unpaired := sorted(weights.keys() ^ layers.keys()):
        raise TwinError(f"Layers with weights on one side only: {', '.join(unpaired)}. Are both of one spec?")
    for name, arrays in weights.items():
        theirs, ours = [tuple(w.shape) for w in layers[name].weights], [a.shape for a in arrays]
        if theirs != ours:
            raise TwinError(f"{name}: shapes {ours} in PyTorch, {theirs} in Keras. Are both of one spec?")
        layers[name].set_weights(arrays)


def _weights(module: nn.Module) -> list[NDArray[np.float32]]:
    """Weights of ``module`` in Keras's order and layout."""
    match module:
        case nn.Conv2d():
            # [out, in, h, w] to [h, w, in, out]; depthwise, [channels, 1, h, w] to [h, w, channels, 1].
            layout = (2, 3, 1, 0) if module.groups == 1 else (2, 3, 0, 1)
            tensors = [module.weight.permute(layout), module.bias]
        case nn.BatchNorm2d():
            tensors = [module.weight, module.bias, module.running_mean, module.running_var]
        case nn.Linear():
            tensors = [module.weight.T, module.bias]
        case nn.Embedding():
            tensors = [module.weight]
        case nn.LayerNorm():
            tensors = [module.weight, module.bias]
        case _ if type(module).__name__ == "Conv1D":  # GPT-2's dense layer, which keeps its weight as Keras does.
            dense: Any = module
            tensors = [dense.weight, dense.bias]
        case _:
            raise TwinError(f"No Keras form of the weights of {module}; add it to models/keras_twins.")
    return [t.detach().cpu().numpy() for t in tensors if t is not None]
