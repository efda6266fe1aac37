"""Training: reproducible, honest about its data, and able to learn; checkpoints; reading logits."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from compleak.models.checkpoints import CheckpointError, load_network, save_checkpoint
from compleak.models.inputs import Normalization
from compleak.models.networks import NetworkSpec, build
from compleak.models.training import DivergedError, TrainingRecipe, predict_logits, train

SPEC = NetworkSpec(name="resnet8", width=4, image=(12, 12, 1), classes=2)
NORMALIZATION = Normalization(mean=(0.5,), std=(0.25,))
RECIPE = TrainingRecipe(epochs=3, batch_size=16, learning_rate=0.05, augmentation="crop-flip")


def stripes(n, seed=0):
    """Images with horizontal (0) or vertical (1) stripes under noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    pattern = np.broadcast_to((np.arange(12) % 2 * 255)[:, None], (12, 12))
    clean = np.where(labels[:, None, None] == 0, pattern, pattern.T)
    noise = rng.integers(0, 256, clean.shape)
    return ((clean + noise) // 2).astype(np.uint8)[..., None], labels.astype(np.int64)


def weights(module):
    return {name: tensor.numpy().tobytes() for name, tensor in module.state_dict().items()}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path):
    images, labels = stripes(49)  # 49 = 3 * 16 + 1: the last example of an epoch trains nothing
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        torch.rand(3)  # whatever the caller's random state is
        save_checkpoint(train(SPEC, RECIPE, images, labels, NORMALIZATION, seed=seed).module, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_dropout_is_reproducible_too():
    spec = NetworkSpec(name="mobilenetv2", width=2, image=(16, 16, 1), classes=2)
    images, labels = np.pad(stripes(32)[0], ((0, 0), (2, 2), (2, 2), (0, 0))), stripes(32)[1]
    first, second = (train(spec, RECIPE, images, labels, NORMALIZATION, seed=1).module for _ in range(2))
    assert weights(first) == weights(second)


def test_training_leaves_the_callers_torch_as_it_was():
    images, labels = stripes(16)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    train(SPEC, RECIPE, images, labels, NORMALIZATION, seed=1)
    assert torch.equal(torch.rand(1), expected)
    assert not torch.are_deterministic_algorithms_enabled()


def test_training_learns_and_reports_its_dev_accuracy():
    recipe = TrainingRecipe(epochs=8, batch_size=16, learning_rate=0.05)
    seen = []
    model = train(
        SPEC,
        recipe,
        *stripes(128),
        NORMALIZATION,
        dev=stripes(100, seed=1),
        seed=0,
        on_epoch=lambda *report: seen.append(report),
    )
    assert model.history[-1].loss < 0.2 < model.history[0].loss
    assert model.history[-1].accuracy > 0.95
    fresh, truth = stripes(100, seed=1)
    accuracy = np.mean(predict_logits(model.module, fresh, NORMALIZATION).argmax(axis=1) == truth)
    assert model.dev_accuracy == accuracy > 0.9
    assert seen == [(i + 1, 8, epoch.loss) for i, epoch in enumerate(model.history)]


def test_dev_examples_have_no_say_in_the_weights():
    images, labels = stripes(32)
    with_dev = train(SPEC, RECIPE, images, labels, NORMALIZATION, dev=stripes(20, seed=1), seed=1)
    without = train(SPEC, RECIPE, images, labels, NORMALIZATION, seed=1)
    assert weights(with_dev.module) == weights(without.module)
    assert without.dev_accuracy is None


def test_two_steps_of_training_are_sgd_with_momentum_by_the_book():
    images, labels = stripes(16)
    recipe = TrainingRecipe(epochs=2, batch_size=16, learning_rate=0.1, weight_decay=0.01)
    trained = train(SPEC, recipe, images, labels, NORMALIZATION, seed=4).module
    torch.manual_seed(4)
    network = build(SPEC)
    pixels = torch.from_numpy((images.astype(np.float64) / 255 - 0.5) / 0.25).float().permute(0, 3, 1, 2)
    velocity = {name: torch.zeros_like(p) for name, p in network.named_parameters()}
    for rate in (0.1, 0.05):  # half a cosine over two steps: cos 0, cos 90 degrees
        loss = -torch.log_softmax(network(pixels), 1)[torch.arange(16), torch.from_numpy(labels)].mean()
        gradients = torch.autograd.grad(loss, list(network.parameters()))
        with torch.no_grad():
            for (name, weight), gradient in zip(network.named_parameters(), gradients, strict=True):
                velocity[name] = 0.9 * velocity[name] + gradient + 0.01 * weight
                weight -= rate * velocity[name]
    for name, expected in network.named_parameters():
        torch.testing.assert_close(trained.get_parameter(name), expected, atol=1e-4, rtol=1e-3)


def test_a_diverging_run_says_so():
    recipe = TrainingRecipe(epochs=3, batch_size=16, learning_rate=1e20)
    with pytest.raises(DivergedError, match=r"resnet8 diverged in epoch .* Lower the learning rate \(1e\+20\)"):
        train(SPEC, recipe, *stripes(64), NORMALIZATION, seed=0)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x, y: (x[:1], y[:1]), "two or more examples"),
        (lambda x, y: (x, y[:-1]), "got 32 and 31"),
        (lambda x, y: (x[:, :10], y), r"specified for images \(12, 12, 1\), got \(10, 12, 1\)"),
        (lambda x, y: (x, y + 1), "Labels must be 0 to 1"),
    ],
)
def test_data_that_do_not_fit_are_refused(spoil, message):
    with pytest.raises(ValueError, match=message):
        train(SPEC, RECIPE, *spoil(*stripes(32)), NORMALIZATION, seed=0)


def test_a_recipe_refuses_what_it_does_not_know():
    with pytest.raises(ValidationError, match="warmup"):
        TrainingRecipe(epochs=1, warmup=3)
    with pytest.raises(ValidationError, match="batch_size"):
        TrainingRecipe(epochs=1, batch_size=1)


def test_a_checkpoint_gives_the_same_logits_back(tmp_path):
    images, labels = stripes(40)
    module = train(SPEC, RECIPE, images, labels, NORMALIZATION, seed=0).module
    save_checkpoint(module, tmp_path / "weights.safetensors")
    loaded = load_network(SPEC, tmp_path / "weights.safetensors")
    assert weights(loaded) == weights(module)
    expected = predict_logits(module, images, NORMALIZATION)
    np.testing.assert_array_equal(predict_logits(loaded, images, NORMALIZATION), expected)


def test_another_networks_checkpoint_and_a_damaged_one_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_checkpoint(build(SPEC), path)
    with pytest.raises(CheckpointError, match=r"does not hold the weights of resnet8 \(width 8"):
        load_network(SPEC.model_copy(update={"width": 8}), path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match="does not hold the weights"):
        load_network(SPEC, path)


def test_logits_do_not_depend_on_the_batch_size_and_change_nothing():
    network = build(SPEC).eval()
    images, _ = stripes(23)
    before = weights(network)
    whole = predict_logits(network, images, NORMALIZATION, batch_size=23)
    parts = predict_logits(network, images, NORMALIZATION, batch_size=4)
    assert whole.shape == (23, 2)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(parts, whole, atol=1e-6)
    assert weights(network) == before


def test_a_network_in_training_mode_is_refused_even_in_part():
    network = build(SPEC).eval()
    network.get_submodule("stage1_block1.bn1").train()
    with pytest.raises(ValueError, match=r"stage1_block1\.bn1 is training"):
        predict_logits(network, stripes(4)[0], NORMALIZATION)


def test_a_network_whose_statistics_move_while_predicting_is_caught():
    network = build(SPEC).eval()
    statistics = network.get_submodule("bn").running_mean

    def disturb(*_):
        statistics.add_(1)

    network.register_forward_pre_hook(disturb)
    with pytest.raises(RuntimeError, match=r"changed bn\.running_mean"):
        predict_logits(network, stripes(4)[0], NORMALIZATION)
