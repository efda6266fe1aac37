"""Magnitude pruning with tfmot: each layer's smallest weights become zero while the others are trained on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .finetune import Finetuner
from .layers import wrap_kernels

if TYPE_CHECKING:
    import tf_keras

_PRUNED_BY = 0.6
_UPDATES = 16


def prune(model: tf_keras.Model, sparsity: float, finetuner: Finetuner, *, learning_rate: float) -> tf_keras.Model:
    """Prune every convolution and dense layer to ``sparsity``, the last one included (as CompLeak does).

    The sparsity grows along a cubic schedule (Zhu & Gupta 2017, section 3) to its full value within the first 60 %
    of the steps; the rest let the remaining weights recover.

    Returns:
        A model without wrappers, whose kernels hold the zeros.
    """
    import tensorflow_model_optimization as tfmot

    begin, end, frequency = mask_updates(finetuner.steps)
    schedule = tfmot.sparsity.keras.PolynomialDecay(
        initial_sparsity=0.0, final_sparsity=sparsity, begin_step=begin, end_step=end, frequency=frequency
    )
    wrap = partial(tfmot.sparsity.keras.prune_low_magnitude, pruning_schedule=schedule)
    pruned = wrap_kernels(model, wrap)
    wrappers = [layer for layer in pruned.layers if hasattr(layer, "pruning_obj")]
    for wrapper in wrappers:
        wrapper.pruning_step.assign(0)
    finetuner.run(pruned, learning_rate=learning_rate)
    # A mask is applied on the way forward: the last step has moved the zeros once more.
    for wrapper in wrappers:
        wrapper.pruning_obj.weight_mask_op()
    return tfmot.sparsity.keras.strip_pruning(pruned)


def mask_updates(steps: int) -> tuple[int, int, int]:
    """When masks are updated: (first step, last step, every how many), with steps counted from 1.

    tfmot updates at steps between ``begin`` and ``end`` whose distance from ``begin`` is a multiple of the
    frequency, 100 unless told: in a short run nothing is pruned, or the full sparsity is missed. Here ``end`` is
    always such a step. About 16 updates, since each sorts all weights.
    """
    end = max(1, int(_PRUNED_BY * steps))
    frequency = max(1, end // _UPDATES)
    return end % frequency, end, frequency
