"""The Keras twins of encoders and of the language model answer as their PyTorch networks do."""

import numpy as np
import pytest
import torch
from torch import nn

from compleak.models.keras_twins import TwinError, build_twin, transfer, twin_of
from compleak.models.networks import EncoderSpec, TextSpec, build

pytestmark = pytest.mark.tflite

TOLERANCE = 1e-4  # of answers, absolute
VIT = EncoderSpec(name="vit-tiny", width=24, layers=2, image=(28, 28, 3))
LANGUAGE_MODEL = TextSpec(
    name="gpt2-mini-lm", layers=2, width=32, heads=4, intermediate=48, vocabulary=60, length=12, classes=2
)
SPECS = [
    EncoderSpec(name="resnet8-encoder", width=4, image=(28, 28, 1)),
    EncoderSpec(name="resnet18-encoder", width=4, image=(32, 16, 3)),
    VIT,
    EncoderSpec(name="vit-tiny", width=128, layers=1, image=(8, 16, 1)),  # two heads
    LANGUAGE_MODEL,
]


def network_of(spec, seed=0):
    """Every weight and statistic away from its default, so that a swapped or missing one shows."""
    torch.manual_seed(seed)
    network = build(spec)
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.1 * torch.randn_like(p))
        if not isinstance(spec, TextSpec):
            network(inputs_of(spec)[0])  # in training mode: batch normalisation collects statistics
    return network.eval()


def inputs_of(spec, n=13):
    """The same for PyTorch and for Keras; texts of every length."""
    if isinstance(spec, TextSpec):
        ids = np.random.default_rng(0).integers(1, spec.vocabulary, (n, spec.length))
        ids[np.arange(spec.length) >= 1 + np.arange(n)[:, None] % spec.length] = 0
        return torch.from_numpy(ids), ids.astype(np.int32)
    images = torch.randn(n, spec.image[2], *spec.image[:2], generator=torch.Generator().manual_seed(1))
    return images, images.permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.name}-{spec.width}")
def test_a_twin_answers_as_its_network_does_padding_included(spec, tmp_path):
    from compleak.models.checkpoints import save_checkpoint

    network = network_of(spec)
    save_checkpoint(network, tmp_path / "weights.safetensors")
    for_torch, for_keras = inputs_of(spec)
    with torch.no_grad():
        expected = network(for_torch).numpy()
    twin = twin_of(spec, tmp_path / "weights.safetensors")
    answers = twin(for_keras, training=False).numpy()
    assert answers.shape == (13, *spec.outputs)
    assert expected.std() > 1000 * TOLERANCE
    np.testing.assert_allclose(answers, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.name}-{spec.width}")
def test_a_clone_answers_the_same_and_weights_are_in_layers_that_tfmot_knows(spec):
    import tf_keras
    from tf_keras import layers as k

    network, twin = network_of(spec), build_twin(spec)
    transfer(network, twin)
    clone = tf_keras.models.clone_model(twin)
    clone.set_weights(twin.get_weights())
    inputs = inputs_of(spec)[1]
    np.testing.assert_array_equal(clone(inputs, training=False), twin(inputs, training=False))
    holders = [layer for layer in twin.layers if layer.weights]
    assert {layer.name for layer in holders} == {n for n, module in network.named_modules() if module._parameters}
    plain = {k.Conv2D, k.Dense, k.Embedding, k.LayerNormalization, k.BatchNormalization}
    assert {type(layer) for layer in holders} <= plain


def test_a_language_models_head_is_its_own_whatever_the_embedding_is():
    network, twin = network_of(LANGUAGE_MODEL), build_twin(LANGUAGE_MODEL)
    with torch.no_grad():
        network.head.weight.mul_(2.0)
    transfer(network, twin)
    np.testing.assert_array_equal(twin.get_layer("head").kernel.numpy().T, network.head.weight.detach().numpy())
    np.testing.assert_array_equal(twin.get_layer("model.wte").get_weights()[0], network.model.wte.weight.detach())


def test_a_token_does_not_see_those_after_it():
    twin = build_twin(LANGUAGE_MODEL)
    transfer(network_of(LANGUAGE_MODEL), twin)
    ids = np.random.default_rng(3).integers(1, 60, (1, 12)).astype(np.int32)
    other = ids.copy()
    other[0, 7] = ids[0, 7] % 59 + 1
    changed = np.abs(twin(ids, training=False) - twin(other, training=False)).max(axis=(0, 2))
    assert changed[:7].max() < 1e-6 < 1e-3 < changed[7:].min()


def test_a_vision_transformer_of_another_depth_is_refused():
    with pytest.raises(TwinError, match=r"one side only: blocks\.2"):
        transfer(build(VIT.model_copy(update={"layers": 3})), build_twin(VIT))


def test_patches_are_where_pytorch_has_them():
    """One bright patch: the first layer's tokens differ in one row."""
    import tf_keras

    twin = build_twin(VIT)
    transfer(network_of(VIT), twin)
    tokens = tf_keras.Model(twin.input, twin.get_layer("tokens").output)
    image = np.zeros((1, 28, 28, 3), np.float32)
    dark = tokens(image).numpy()
    image[0, 4:8, 8:12] = 1.0
    moved = np.abs(tokens(image).numpy() - dark).max(axis=1).nonzero()[0]
    assert moved.tolist() == [1 + 1 * 7 + 2]
    assert isinstance(build(VIT).patches, nn.Conv2d)
