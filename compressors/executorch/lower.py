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
from ..quiet import quiet as quiet_native

LARGEST_BATCH = 32
"""A .pte file reserves memory for its largest batch when it is made, and takes none that is larger."""

FIXED_BATCH = 8
"""What a .pte file of a transformer takes at a time, no more and no fewer.

Where the batch is left open, the exporter calls tensors between two of a transformer's reshapes static (PyTorch 2.13,
ExecuTorch 1.5), and the runtime refuses every batch but the largest.
"""


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


def lower(network: nn.Module, example: Tensor, *, batch: int | None = None) -> bytes:
    """Export ``network`` and lower it to XNNPACK.

    Lowering folds batch normalisation into the kernels before it.

    Args:
        network: in evaluation mode.
        example: one example, [1, ...]; only its shape and type matter.
        batch: examples that it will take at a time; 1 to ``LARGEST_BATCH`` where None.

    Returns:
        The content of the .pte file.
    """
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    quantized_operators()
    edge: Any = to_edge_transform_and_lower(_export(network, example, batch), partitioner=[XnnpackPartitioner()])
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

    if isinstance(network, nn.Sequential) and isinstance(network[-1], MapAndMean):
        # An encoder's map and its mean suit no common scale: what makes them gets float32, and rounds nothing.
        return nn.Sequential(quantize(network[:-1], inputs, dynamic=dynamic), network[-1])
    quantizer = XNNPACKQuantizer()
    quantizer.set_global(get_symmetric_quantization_config(is_per_channel=True, is_dynamic=dynamic))
    prepared = prepare_pt2e(_export(network, inputs[:1], None).module(), quantizer)
    with torch.no_grad():
        for start in range(0, len(inputs), LARGEST_BATCH):
            prepared(inputs[start : start + LARGEST_BATCH])
    converted: nn.Module = convert_pt2e(prepared)
    return converted


def _export(network: nn.Module, example: Tensor, batch: int | None) -> Any:
    # The example must fill the largest batch: memory for it is planned by the example's size.
    blank = torch.zeros(batch or LARGEST_BATCH, *example.shape[1:], dtype=example.dtype)
    shapes = None if batch else ({0: torch.export.Dim("batch", min=1, max=LARGEST_BATCH)},)
    with torch.no_grad():
        return torch.export.export(network, (blank,), dynamic_shapes=shapes)
