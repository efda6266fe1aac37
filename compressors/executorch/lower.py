"""From a PyTorch network to the bytes of a .pte file: exported, perhaps quantized, and lowered to XNNPACK."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ...models.networks.encoders import MapAndMean
from ..tflite.runtime import quiet as quiet_native

LARGEST_BATCH = 32
"""A .pte file reserves memory for its largest batch when it is made, and takes none that is larger."""

TEXTS = 8
"""A .pte file of a network for texts takes so many at a time, no more and no fewer: see ``_export``."""


@contextmanager
def quiet() -> Iterator[None]:
    """Mute what the exporter and the native runtime say, in Python and below it, here only."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), quiet_native():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def quantized_operators() -> None:
    """Make the operators for int8 embeddings known, to the exporter and to the runtime."""
    with quiet():
        import executorch.exir.passes.quant_fusion_pass
        import executorch.kernels.quantized  # noqa: F401


def lower(network: nn.Module, example: Tensor) -> bytes:
    """Export ``network`` and lower it to XNNPACK, for batches of 1 to ``LARGEST_BATCH`` images, or of ``TEXTS`` texts.

    Lowering folds batch normalisation into the kernels before it.

    Args:
        network: in evaluation mode.
        example: one example, [1, ...]; only its shape and type matter.

    Returns:
        The content of the .pte file.
    """
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    quantized_operators()
    edge: Any = to_edge_transform_and_lower(_export(network, example), partitioner=[XnnpackPartitioner()])
    return bytes(edge.to_executorch().buffer)


def quantize(network: nn.Module, inputs: Tensor, *, dynamic: bool) -> nn.Module:
    """Int8 weights, one scale an output channel, and int8 activations.

    Args:
        network: in evaluation mode.
        inputs: [examples, channels, height, width]; static ranges of activations are calibrated on them.
        dynamic: whether layers round their inputs by ranges found as they run. (The quantizer then leaves out
            depthwise convolutions, and those that run as one with their ReLU; they stay float32.)

    Returns:
        A graph that rounds as XNNPACK does; ``lower`` turns it into integer kernels.
    """
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    quantizer = XNNPACKQuantizer()
    quantizer.set_global(get_symmetric_quantization_config(is_per_channel=True, is_dynamic=dynamic))
    # An encoder's map and its mean suit no common scale: what makes them gets float32, and rounds nothing.
    unrounded: Any = None
    quantizer.set_module_type(MapAndMean, unrounded)
    prepared = prepare_pt2e(_export(network, inputs[:1]).module(), quantizer)
    with torch.no_grad():
        for start in range(0, len(inputs), LARGEST_BATCH):
            prepared(inputs[start : start + LARGEST_BATCH])
    converted: nn.Module = convert_pt2e(prepared)
    return converted


def _export(network: nn.Module, example: Tensor) -> Any:
    # The example must fill the largest batch: memory for it is planned by the example's size.
    text = not example.is_floating_point()
    blank = torch.zeros(TEXTS if text else LARGEST_BATCH, *example.shape[1:], dtype=example.dtype)
    # The library's GPT-2 reshapes its ids and its mask: where the batch is left open, the exporter calls tensors in
    # between static, and the runtime refuses every other batch.
    shapes = None if text else ({0: torch.export.Dim("batch", min=1, max=LARGEST_BATCH)},)
    with torch.no_grad():
        return torch.export.export(network, (blank,), dynamic_shapes=shapes)
