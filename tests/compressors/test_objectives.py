"""What compressed networks are trained on for: the same in both frameworks, by the task."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from compleak.compressors.protocol import Finetuning, Target
from compleak.compressors.shaping.finetune import finetune
from compleak.compressors.shaping.kernels import kernels
from compleak.compressors.shaping.objective import loss_of
from compleak.models.checkpoints import load_network, save_checkpoint
from compleak.models.inputs import Normalization, Tokens
from compleak.models.networks import EncoderSpec, NetworkSpec, TextSpec, build
from compleak.models.training import as_tensor

IMAGES = Normalization(mean=(0.5,), std=(0.25,))
TOKENS = Tokens(vocabulary=200, length=16)
CLASSIFIER = NetworkSpec(name="resnet8", width=4, image=(8, 8, 1), classes=3)
ENCODER = EncoderSpec(name="resnet8-encoder", width=4, image=(12, 12, 1))
VIT = EncoderSpec(name="vit-tiny", width=16, layers=1, image=(12, 12, 1))
LANGUAGE_MODEL = TextSpec(
    name="gpt2-mini-lm", layers=1, width=16, heads=2, intermediate=32, vocabulary=200, length=16, classes=2
)


@pytest.fixture
def target_of(tmp_path):
    def make(spec, n=64):
        torch.manual_seed(0)
        network, path, rng = build(spec), tmp_path / f"{spec.name}.safetensors", np.random.default_rng(0)
        if isinstance(spec, TextSpec):
            ids = rng.integers(1, 200, (n, 16)).astype(np.int32)
            save_checkpoint(network, path)
            ids[np.arange(16) >= rng.integers(1, 17, (n, 1))] = 0
            return Target(spec, path, TOKENS, ids, np.zeros(n, np.int64))
        images = rng.integers(0, 256, (n, *spec.image)).astype(np.uint8)
        with torch.no_grad():
            for _ in range(30):  # batch normalisation collects the statistics of the images
                network.train()(as_tensor(IMAGES(images)))
        save_checkpoint(network.eval(), path)
        return Target(spec, path, IMAGES, images, np.arange(n) % 3)

    return make


def test_a_classifiers_loss_is_the_cross_entropy_of_its_labels(target_of):
    logits, labels = torch.randn(7, 3), torch.arange(7) % 3
    loss = loss_of(target_of(CLASSIFIER))(logits, torch.zeros(7, 1, 8, 8), labels)
    assert torch.equal(loss, F.cross_entropy(logits, labels))


def test_a_language_models_loss_is_that_of_every_token_that_is_not_padding(target_of):
    target = target_of(LANGUAGE_MODEL)
    logits, ids = torch.randn(5, 16, 200), torch.from_numpy(target.images[:5]).long()
    surprise = -torch.log_softmax(logits[..., 1:].double(), dim=2)
    by_hand = [float(surprise[i, t, ids[i, t + 1] - 1]) for i in range(5) for t in range(15) if ids[i, t + 1] != 0]
    loss = loss_of(target)(logits, ids, torch.full((5,), -1))
    assert float(loss) == pytest.approx(np.mean(by_hand), rel=1e-5)


@pytest.mark.parametrize("spec", [ENCODER, VIT], ids=lambda spec: spec.name)
def test_an_encoders_loss_is_0_for_its_original_and_1_for_the_mean_answer(spec, target_of):
    target = target_of(spec)
    original, images = load_network(spec, target.checkpoint), as_tensor(IMAGES(target.images))
    loss = loss_of(target)
    with torch.no_grad():
        answers = original(images)
        assert float(loss(answers, images, torch.zeros(64))) == 0
        assert float(loss(answers.mean().expand_as(answers), images, torch.zeros(64))) == pytest.approx(1, rel=1e-3)
        far = answers.clone()
        far[:, 0] += 1  # the embedding counts as any position does
        expected = 1 / answers.shape[1] / answers.var(correction=0)
        assert float(loss(far, images, torch.zeros(64))) == pytest.approx(float(expected), rel=1e-4)


def test_an_encoders_loss_leaves_the_original_and_the_random_state_alone(target_of):
    target = target_of(VIT)
    before = torch.random.get_rng_state()
    loss = loss_of(target)
    assert torch.equal(torch.random.get_rng_state(), before)
    answers = torch.zeros(2, *VIT.outputs, requires_grad=True)
    loss(answers, torch.randn(2, 1, 12, 12), torch.zeros(2)).backward()
    assert answers.grad.abs().sum() > 0


@pytest.mark.parametrize("spec", [ENCODER, VIT, LANGUAGE_MODEL], ids=lambda spec: spec.name)
def test_fine_tuning_lowers_the_loss_and_moves_every_kernel(spec, target_of):
    target = target_of(spec)
    network, inputs = load_network(spec, target.checkpoint), as_tensor(target.normalization(target.images))
    if spec is LANGUAGE_MODEL:
        from compleak.models.networks.gpt2 import with_linear_layers

        network = with_linear_layers(network)
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in kernels(network).values():
            weight += 0.5 * weight.std() * torch.randn_like(weight)
    before = {name: weight.detach().clone() for name, weight in kernels(network).items()}

    def loss():
        with torch.no_grad():
            return float(loss_of(target)(network(inputs), inputs, torch.from_numpy(target.labels)))

    damaged = loss()
    finetuning = Finetuning(epochs=20, batch_size=16, optimizer="adamw")
    finetune(network, target, finetuning, learning_rate=5e-3, seed=0)
    assert loss() < (0.75 if spec is not LANGUAGE_MODEL else 0.95) * damaged
    assert all(not torch.equal(before[name], weight) for name, weight in kernels(network).items())


@pytest.mark.tflite
@pytest.mark.parametrize("spec", [CLASSIFIER, ENCODER, VIT, LANGUAGE_MODEL], ids=lambda spec: spec.name)
def test_tensorflows_loss_is_pytorchs(spec, target_of):
    from compleak.compressors.tflite import objective
    from compleak.compressors.tflite.runtime import prepare

    prepare(0)
    target = target_of(spec)
    inputs = target.normalization(target.images[:6])
    answers = np.random.default_rng(1).normal(size=(6, *spec.outputs)).astype(np.float32)
    expected = loss_of(target)(torch.from_numpy(answers), as_tensor(inputs), torch.from_numpy(target.labels[:6]))
    given = inputs.astype(np.int32) if spec is LANGUAGE_MODEL else inputs
    loss = objective.loss_of(target)(answers, given, target.labels[:6])
    assert float(loss) == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.tflite
@pytest.mark.parametrize("spec", [ENCODER, LANGUAGE_MODEL], ids=lambda spec: spec.name)
def test_a_keras_twin_learns_what_its_task_asks_for(spec, target_of):
    from compleak.compressors.tflite import objective
    from compleak.compressors.tflite.finetune import Finetuner
    from compleak.compressors.tflite.runtime import prepare
    from compleak.models.keras_twins import twin_of

    prepare(0)
    target = target_of(spec)
    twin, loss = twin_of(spec, target.checkpoint), objective.loss_of(target)
    rng = np.random.default_rng(1)
    for weight in twin.trainable_weights:
        if "kernel" in weight.name:
            weight.assign_add((0.5 * weight.numpy().std() * rng.normal(size=weight.shape)).astype(np.float32))
    before = [w.numpy() for w in twin.trainable_weights]
    inputs = target.normalization(target.images).astype(twin.inputs[0].dtype.as_numpy_dtype)
    damaged = float(loss(twin(inputs, training=False), inputs, target.labels))
    Finetuner(target, Finetuning(epochs=20, batch_size=16, optimizer="adamw"), 0).run(twin, learning_rate=5e-3)
    tuned = float(loss(twin(inputs, training=False), inputs, target.labels))
    assert tuned < (0.75 if spec is ENCODER else 0.95) * damaged
    assert all(not np.array_equal(old, w.numpy()) for old, w in zip(before, twin.trainable_weights, strict=True))
