"""Fewer bits: float16 weights, int8 weights in dense layers, int8 weights and activations (FX graph mode, QNNPACK)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.ao.quantization import (
    QConfig,
    QConfigMapping,
    QuantWrapper,
    default_per_channel_weight_fake_quant,
    default_per_channel_weight_observer,
    get_default_qat_qconfig,
    get_default_qconfig,
)
from torch.ao.quantization import convert as library_convert
from torch.ao.quantization import prepare as library_prepare
from torch.ao.quantization import quantize_dynamic as library_quantize_dynamic
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx, prepare_qat_fx
from torch.fx import GraphModule

from ...models.networks.encoders import MapAndMean
from ..shaping.kernels import layers, tables

ENGINE = "qnnpack"


@contextmanager
def mobile_engine() -> Iterator[None]:
    """Quantized layers are packed for, and run by, QNNPACK: PyTorch Mobile's own kernels.

    Raises:
        RuntimeError: this build of PyTorch has no QNNPACK.
    """
    backend: Any = torch.backends.quantized
    if ENGINE not in backend.supported_engines:
        raise RuntimeError(
            f"PyTorch Mobile quantizes with {ENGINE}, which this build of PyTorch lacks (it has "
            f"{', '.join(backend.supported_engines)}). Install a build with it, or use another framework."
        )
    before = backend.engine
    backend.engine = ENGINE
    try:
        yield
    finally:
        backend.engine = before


class HalfKernel(nn.Module):
    """A layer whose kernel is stored as float16 and widened when it runs, as TF-Lite does it.

    Computing in float16 as well (``.half()``) is 20 to 30 times slower on a desktop CPU.
    """

    def __init__(self, layer: nn.Conv2d | nn.Linear) -> None:
        super().__init__()
        self.layer = layer
        layer.weight = nn.Parameter(layer.weight.detach().half(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Run the layer in the type of ``x``."""
        # The type must come from x: a cast to a constant type would be folded when the network is frozen.
        weight = self.layer.weight.type_as(x)
        if isinstance(self.layer, nn.Linear):
            return F.linear(x, weight, self.layer.bias)
        out: Tensor = self.layer._conv_forward(x, weight, self.layer.bias)
        return out


class HalfTable(nn.Module):
    """An embedding that is stored as float16; what is looked up is widened."""

    def __init__(self, table: nn.Embedding) -> None:
        super().__init__()
        self.weight = nn.Parameter(table.weight.detach().half(), requires_grad=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Look up ``ids``, float32 [..., width]."""
        return F.embedding(ids, self.weight).float()


class Int8Table(nn.Module):
    """An embedding of int8 weights, one scale a row; what is looked up is widened to float32.

    PyTorch's own int8 embedding comes out of freezing twice: packed, which is run, and unpacked, which nothing reads.
    """

    def __init__(self, table: nn.Embedding) -> None:
        super().__init__()
        weight = table.weight.detach()
        scales = weight.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / 127
        self.integers = nn.Parameter((weight / scales).round().to(torch.int8), requires_grad=False)
        self.scales = nn.Parameter(scales, requires_grad=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Look up ``ids``, float32 [..., width]."""
        return F.embedding(ids, self.integers).float() * F.embedding(ids, self.scales)


def store_float16(network: nn.Module) -> nn.Module:
    """Store kernels and embeddings as float16; biases and normalisation stay float32."""
    narrow = copy.deepcopy(network)
    for name, layer in layers(narrow).items():
        narrow.set_submodule(name, HalfKernel(layer))
    for name, table in tables(narrow).items():
        narrow.set_submodule(name, HalfTable(table))
    return narrow


def quantize_dynamic(network: nn.Module) -> nn.Module:
    """Int8 weights in dense layers and embeddings; there are no dynamic kernels for convolutions."""
    quantized: nn.Module = library_quantize_dynamic(network, {nn.Linear}, dtype=torch.qint8)  # type: ignore[no-untyped-call]
    return _int8_tables(quantized)


def quantize_dense_static(network: nn.Module, inputs: Tensor, *, batch_size: int = 32) -> nn.Module:
    """Int8 weights and activations in the layers with kernels of a transformer, int8 weights in its embeddings.

    FX graph mode cannot read a transformer. So each dense layer takes float32, rounds it to int8 by a range that
    was calibrated, computes in int8, and returns float32: attention, normalisation and GELU are computed in float32.

    Args:
        network: of dense layers and embeddings, or with a convolution that makes patches.
        inputs: token ids [examples, length], or images, that ranges are calibrated on.
        batch_size: examples at a time while calibrating.
    """
    prepared = copy.deepcopy(network)
    activation = get_default_qconfig(ENGINE).activation  # type: ignore[no-untyped-call]
    for name, layer in layers(prepared).items():
        wrapped: Any = QuantWrapper(layer)
        wrapped.qconfig = QConfig(activation=activation, weight=default_per_channel_weight_observer)  # type: ignore[no-untyped-call]
        prepared.set_submodule(name, wrapped)
    prepared = library_prepare(prepared.eval(), inplace=True)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for start in range(0, len(inputs), batch_size):
            prepared(inputs[start : start + batch_size])
    return _int8_tables(library_convert(prepared, inplace=True))  # type: ignore[no-untyped-call]


def _int8_tables(network: nn.Module) -> nn.Module:
    for name, table in tables(network).items():
        network.set_submodule(name, Int8Table(table))
    return network


def quantize_static(network: nn.Module, images: Tensor, *, batch_size: int = 32) -> nn.Module:
    """Int8 weights and activations, ranges calibrated on ``images`` [examples, channels, height, width]."""
    activation = get_default_qconfig(ENGINE).activation  # type: ignore[no-untyped-call]
    scheme = _scheme(activation, default_per_channel_weight_observer)
    prepared = prepare_fx(copy.deepcopy(network), scheme, (images[:1],))
    with torch.no_grad():
        for start in range(0, len(images), batch_size):
            prepared(images[start : start + batch_size])
    return convert(prepared)


def prepare_training(network: nn.Module, image: Tensor) -> GraphModule:
    """A copy of ``network`` that rounds its weights and activations as it trains. Kernels keep their names.

    Args:
        network: what is to be quantized.
        image: one image, [1, channels, height, width].
    """
    activation = get_default_qat_qconfig(ENGINE).activation  # type: ignore[no-untyped-call]
    scheme = _scheme(activation, default_per_channel_weight_fake_quant)
    return prepare_qat_fx(copy.deepcopy(network).train(), scheme, (image,))


def convert(prepared: GraphModule) -> nn.Module:
    """The int8 network of a calibrated or trained one."""
    return convert_fx(prepared.cpu().eval())


def _scheme(activation: Any, weight: Any) -> QConfigMapping:
    # QNNPACK's default is one scale a layer. One an output channel, as TF-Lite has it, suits kernels that batch
    # normalisation has been folded into, and keeps k clusters at k values in every channel.
    whole = QConfigMapping().set_global(QConfig(activation=activation, weight=weight))  # type: ignore[no-untyped-call]
    # An encoder's map and its mean suit no common scale: what makes them gets float32, and rounds nothing.
    return whole.set_object_type(MapAndMean, None)
