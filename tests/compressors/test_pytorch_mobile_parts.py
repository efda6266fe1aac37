"""The PyTorch adapter's parts, against closed forms: clustering, fine-tuning, quantization in the loop."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from compleak.compressors.protocol import Finetuning, Target
from compleak.compressors.pytorch_mobile.quantize import convert, mobile_engine, prepare_training
from compleak.compressors.shaping.cluster import assign, cluster
from compleak.compressors.shaping.finetune import UntrainedError, finetune
from compleak.compressors.shaping.kernels import kernels, sample
from compleak.compressors.shaping.prune import hold_zeros
from compleak.models.inputs import Normalization
from compleak.models.networks import NetworkSpec, build

NORMALIZATION = Normalization(mean=(0.5,), std=(0.25,))
SPEC = NetworkSpec(name="resnet8", width=4, image=(8, 8, 1), classes=2)


def task(n, spec=SPEC):
    """Dark images against bright ones."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, n)
    images = (rng.integers(0, 180, (n, *spec.image)) + 75 * labels[:, None, None, None]).astype(np.uint8)
    return Target(spec, Path("unused"), NORMALIZATION, images, labels.astype(np.int64))


def network(spec=SPEC, seed=0):
    torch.manual_seed(seed)
    return build(spec)


@pytest.mark.parametrize(("clusters", "error"), [(2, 0.3634), (4, 0.1175), (8, 0.03454), (16, 0.009497)])
def test_clusters_of_normal_weights_reach_the_best_possible_error(clusters, error):
    """The optimal quantizer of a normal variable: Max 1960, table I."""
    weights = np.random.default_rng(0).normal(size=200_000).astype(np.float32)
    groups = assign(weights, clusters, seed=0)
    means = np.array([weights[groups == g].mean() for g in range(1, clusters + 1)])
    assert np.mean((weights - means[groups - 1]) ** 2) == pytest.approx(error, rel=0.03)


def test_separate_groups_are_found_and_zeros_kept_apart():
    weights = np.array([0, -5, 3, 3.1, 0, -5.1, 9, 0], dtype=np.float32)
    groups = assign(weights, 4, seed=0)
    assert groups.tolist() == [0, 1, 2, 2, 0, 1, 3, 0]


def test_fewer_weights_than_clusters():
    assert len(np.unique(assign(np.array([1.0, 2.0, 2.0], dtype=np.float32), 16, seed=0))) == 2
    assert assign(np.zeros(5, dtype=np.float32), 4, seed=0).tolist() == [0] * 5


def test_tied_weights_are_their_means_and_zeros_stay():
    layer = nn.Sequential(nn.Linear(3, 2))
    with torch.no_grad():
        layer[0].weight.copy_(torch.tensor([[0.0, 1.0, 1.2], [5.0, 0.0, 5.2]]))
    tie = cluster(layer, 3, seed=0)
    torch.testing.assert_close(layer[0].weight.detach(), torch.tensor([[0.0, 1.1, 1.1], [5.1, 0.0, 5.1]]))
    with torch.no_grad():
        layer[0].weight += torch.tensor([[7.0, 1.0, 3.0], [0.0, 7.0, 2.0]])
    tie(layer)
    torch.testing.assert_close(layer[0].weight.detach(), torch.tensor([[0.0, 3.1, 3.1], [6.1, 0.0, 6.1]]))


def test_fine_tuning_learns_and_is_reproducible():
    data, runs = task(64), []
    for _ in range(2):
        torch.rand(3)  # whatever the caller's random state is
        trained = network()
        finetune(trained, data, Finetuning(epochs=4, batch_size=16), learning_rate=0.05, seed=1)
        runs.append(torch.cat([w.detach().flatten() for w in kernels(trained).values()]))
    with torch.no_grad():
        logits = trained(sample(data.images, NORMALIZATION, 64, 0))
    order = np.random.default_rng(0).permutation(64)
    assert torch.equal(*runs)
    assert not trained.training
    assert np.mean(logits.argmax(1).numpy() == data.labels[order]) > 0.9


@pytest.mark.parametrize(("examples", "batch", "steps"), [(64, 16, 4), (65, 16, 4), (66, 16, 5), (10, 128, 1)])
def test_the_constraint_follows_every_step(examples, batch, steps):
    called = []
    config = Finetuning(epochs=2, batch_size=batch)
    finetune(network(), task(examples), config, learning_rate=0.01, seed=0, constraint=called.append)
    assert len(called) == 2 * steps


def test_batches_too_small_to_train_on_are_an_error():
    with pytest.raises(UntrainedError, match="at least 2 examples"):
        finetune(network(), task(8), Finetuning(epochs=1, batch_size=1), learning_rate=0.1, seed=0)


def test_zeros_hold_in_a_network_prepared_for_quantization():
    """Preparing replaces the layers, and wraps convolution and batch normalisation in one."""
    original = network()
    with torch.no_grad():
        for weight in kernels(original).values():
            weight[weight.abs() < weight.abs().median()] = 0
    zeros = {name: weight == 0 for name, weight in kernels(original).items()}
    data, held = task(64), hold_zeros(original)
    with mobile_engine():
        prepared = prepare_training(original, sample(data.images, NORMALIZATION, 1, 0))
    config = Finetuning(epochs=2, batch_size=16)
    finetune(prepared, data, config, learning_rate=0.05, seed=0, constraint=held)
    assert kernels(prepared).keys() == zeros.keys()
    for name, weight in kernels(prepared).items():
        assert not weight[zeros[name]].any()
        assert weight[~zeros[name]].any()


def test_training_simulates_what_int8_will_do():
    """A network that observes ranges but rounds nothing would stay as far from int8 as float32 is."""
    data = task(64)
    images = sample(data.images, NORMALIZATION, 64, 0)
    with mobile_engine():
        prepared = prepare_training(network(), images[:1])
        finetune(prepared, data, Finetuning(epochs=2, batch_size=16), learning_rate=0.05, seed=0)
        with torch.no_grad():
            prepared.apply(torch.ao.quantization.disable_observer)
            simulated = prepared(images)
            rounding = convert(prepared)(images)
            prepared.apply(torch.ao.quantization.disable_fake_quant)
            exact = prepared(images)
    assert (simulated - rounding).abs().mean() < 0.5 * (exact - rounding).abs().mean()
