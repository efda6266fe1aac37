"""Weight clustering with tfmot: each layer's weights share a few centroids, which are trained on."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from .finetune import Finetuner, FinetuningError
from .layers import has_kernel, wrap_kernels

if TYPE_CHECKING:
    import tf_keras


def cluster(
    model: tf_keras.Model,
    clusters: int,
    finetuner: Finetuner,
    *,
    learning_rate: float,
    preserve_sparsity: bool,
) -> tf_keras.Model:
    """Cluster the kernel of every convolution and dense layer.

    Centroids start from k-means++ with tfmot's fixed seed. A layer whose weights have no more values than that
    already is left as it is, and not trained.

    Args:
        model: a trained model.
        clusters: the most distinct values in a layer, zero among them.
        finetuner: trains centroids and assignments.
        learning_rate: peak; smaller than for other training, since a centroid's gradient is a sum over its weights.
        preserve_sparsity: one centroid is zero, and zeros stay with it.

    Returns:
        A model without wrappers.

    Raises:
        FinetuningError: a layer ended up with more distinct values.
    """
    import tensorflow_model_optimization as tfmot
    from tensorflow_model_optimization.python.core.clustering.keras.experimental import (
        cluster as experimental,
    )

    def wrap(layer: Any) -> Any:
        if len(np.unique(layer.kernel.numpy())) <= clusters:
            layer.trainable = False
            return layer
        return experimental.cluster_weights(
            layer,
            clusters,
            tfmot.clustering.keras.CentroidInitialization.KMEANS_PLUS_PLUS,
            preserve_sparsity=preserve_sparsity,
        )

    clustered = wrap_kernels(model, wrap)
    finetuner.run(clustered, learning_rate=learning_rate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stripped = tfmot.clustering.keras.strip_clustering(clustered)
    for layer in filter(has_kernel, stripped.layers):
        layer.trainable = True
        if (found := len(np.unique(layer.kernel.numpy()))) > clusters:
            raise FinetuningError(f"{layer.name} has {found} distinct weights after clustering into {clusters}.")
    return stripped
