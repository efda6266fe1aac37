"""The Keras twins compute what the PyTorch networks compute."""

import numpy as np
import pytest
import torch
from torch import nn

from compleak.models.checkpoints import save_checkpoint
from compleak.models.keras_twins import TwinError, build_twin, transfer, twin_of
from compleak.models.networks import NETWORKS, NetworkSpec, build

pytestmark = pytest.mark.tflite

TOLERANCE = 1e-4  # of logits, absolute


def spec_of(name="resnet8", width=4, image=(28, 28, 1)):
    return NetworkSpec(name=name, width=width, image=image, classes=5)


def trained_like(spec):
    """A network whose every weight and statistic differs from its default, and whose logits depend on the image."""
    torch.manual_seed(3)
    network = build(spec)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    usual = norms[0].momentum
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, std=0.3)
        norm.momentum = 0.9
    with torch.no_grad():
        for _ in range(3):  # the running statistics become those of data
            network(torch.randn(8, spec.image[2], *spec.image[:2]))
    for norm in norms:
        norm.momentum = usual
    return network.eval()


@pytest.mark.parametrize("image", [(28, 28, 1), (32, 32, 3)])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_twin_computes_the_same_logits(name, image, tmp_path):
    spec = spec_of(name, image=image)
    network = trained_like(spec)
    save_checkpoint(network, tmp_path / "weights.safetensors")
    examples = torch.randn(8, image[2], *image[:2])
    with torch.no_grad():
        expected = network(examples).numpy()
    twin = twin_of(spec, tmp_path / "weights.safetensors")
    actual = twin(examples.permute(0, 2, 3, 1).numpy(), training=False).numpy()
    assert expected.std(axis=0).min() > 100 * TOLERANCE
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE)


def test_a_twins_batch_normalisation_moves_its_statistics_as_pytorchs_does():
    spec = spec_of()
    network = trained_like(spec)
    twin = build_twin(spec)
    transfer(network, twin)
    examples = torch.randn(64, 1, 28, 28)
    network.train()(examples)
    twin(examples.permute(0, 2, 3, 1).numpy(), training=True)
    statistics = twin.get_layer("bn").moving_mean, twin.get_layer("bn").moving_variance
    for theirs, ours in zip(statistics, (network.bn.running_mean, network.bn.running_var), strict=True):
        np.testing.assert_allclose(theirs.numpy(), ours.numpy(), rtol=1e-4, atol=1e-5)


def test_every_layer_with_weights_bears_its_pytorch_modules_name():
    network = build(spec_of("mobilenetv2"))
    named = {name for name, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d | nn.Linear)}
    assert {layer.name for layer in build_twin(spec_of("mobilenetv2")).layers if layer.weights} == named


def test_transfer_names_a_layer_that_only_one_side_has():
    with pytest.raises(TwinError, match=r"one side only: .*stage1_block2\.conv1"):
        transfer(build(spec_of("resnet20")), build_twin(spec_of("resnet8")))
    with pytest.raises(TwinError, match=r"one side only: .*stage1_block2\.conv1"):
        transfer(build(spec_of("resnet8")), build_twin(spec_of("resnet20")))


def test_transfer_names_a_layer_of_another_shape():
    with pytest.raises(TwinError, match=r"conv: shapes \[\(3, 3, 1, 4\)\] in PyTorch, \[\(3, 3, 1, 5\)\] in Keras"):
        transfer(build(spec_of(width=4)), build_twin(spec_of(width=5)))


@pytest.mark.parametrize(
    "name", ["resnet8", *(pytest.param(n, marks=pytest.mark.slow) for n in NETWORKS if n != "resnet8")]
)
def test_tfmot_can_make_a_twin_quantization_aware(name):
    import tensorflow_model_optimization as tfmot

    twin = build_twin(spec_of(name))
    aware = tfmot.quantization.keras.quantize_model(twin)
    names = {layer.name for layer in aware.layers}
    assert {f"quant_{layer.name}" for layer in twin.layers if layer.weights} <= names
