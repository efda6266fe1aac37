"""The TF-Lite adapter's parts: the pruning schedule, the training loop, activation ranges, depthwise layers."""

import numpy as np
import pytest
import torch

from compleak.compressors.measured import check
from compleak.compressors.protocol import Finetuning, Target
from compleak.compressors.settings import parse_setting
from compleak.compressors.tflite.adapter import TfliteCompressor
from compleak.compressors.tflite.finetune import Finetuner, FinetuningError
from compleak.compressors.tflite.prune import mask_updates
from compleak.models.batches import epoch_batches
from compleak.models.checkpoints import load_network, save_checkpoint
from compleak.models.inputs import Normalization
from compleak.models.networks import NetworkSpec, build
from compleak.models.recipe import TrainingRecipe
from compleak.models.training import predict_logits, train

ADAPTER = TfliteCompressor()
NORMALIZATION = Normalization(mean=(0.5,), std=(0.25,))
SPEC = NetworkSpec(name="resnet8", width=4, image=(8, 8, 1), classes=3)


def noise(spec, folder, n=64, *, logit_scale=1.0):
    """An untrained network on noise, its logits scaled."""
    torch.manual_seed(0)
    network = build(spec)
    for module in network.modules():
        if isinstance(module, torch.nn.Linear):
            module.weight.data *= logit_scale
    save_checkpoint(network.eval(), folder / "model.safetensors")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n, *spec.image)).astype(np.uint8)
    return Target(spec, folder / "model.safetensors", NORMALIZATION, images, rng.integers(0, spec.classes, n))


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 8, 16, 27, 40, 100, 391, 1000, 23460])
def test_the_last_mask_update_is_a_step_that_tfmot_updates_at(steps):
    begin, end, frequency = mask_updates(steps)
    # tfmot's rule (pruning_schedule.py): begin <= step <= end and (step - begin) % frequency == 0, steps from 1
    updates = [s for s in range(1, steps + 1) if begin <= s <= end and (s - begin) % frequency == 0]
    assert updates[-1] == end <= max(1, 0.6 * steps)
    assert len(updates) <= 32


@pytest.mark.parametrize(("examples", "batch_size"), [(200, 32), (193, 32), (10, 64), (7, 2), (5, 1)])
def test_steps_are_the_batches_that_there_will_be(examples, batch_size):
    images, labels = np.zeros((examples, 8, 8, 1), np.uint8), np.zeros(examples, np.int64)
    target = Target(SPEC, None, NORMALIZATION, images, labels)
    batches = epoch_batches(
        images, labels, batch_size=batch_size, augmentation="none", normalization=NORMALIZATION, seed=0, epoch=0
    )
    finetuner = Finetuner(target, Finetuning(epochs=3, batch_size=batch_size), 0)
    assert finetuner.steps == 3 * len(list(batches))


@pytest.mark.tflite
def test_a_run_without_batches_and_a_diverging_one_are_errors_that_leave_no_file(tmp_path):
    target, setting = noise(SPEC, tmp_path), parse_setting("pruning-magnitude-0.5")
    with pytest.raises(FinetuningError, match="no batch of 2 or more"):
        ADAPTER.compress(target, setting, Finetuning(epochs=1, batch_size=1), tmp_path / "x.tflite", seed=0)
    with pytest.raises(FinetuningError, match="Lower the learning rate"):
        diverging = Finetuning(epochs=4, batch_size=32, learning_rate=1e30)
        ADAPTER.compress(target, setting, diverging, tmp_path / "x.tflite", seed=0)
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]


@pytest.mark.tflite
def test_one_step_is_pytorchs_sgd(tmp_path):
    from compleak.compressors.tflite.runtime import prepare
    from compleak.models.keras_twins import twin_of

    target = noise(SPEC, tmp_path)
    finetuning = Finetuning(epochs=3, batch_size=64, learning_rate=0.05, weight_decay=0.01)
    prepare(0)
    twin = twin_of(SPEC, target.checkpoint)
    Finetuner(target, finetuning, 5).run(twin, learning_rate=0.05)

    network = load_network(SPEC, target.checkpoint).train()
    sgd = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9, weight_decay=0.01)
    for epoch, rate in enumerate([0.05, 0.0375, 0.0125]):  # half a cosine: (1 + cos(pi * i / 3)) / 2
        (batch,) = epoch_batches(
            target.images,
            target.labels,
            batch_size=64,
            augmentation="none",
            normalization=NORMALIZATION,
            seed=5,
            epoch=epoch,
        )
        sgd.param_groups[0]["lr"] = rate
        logits = network(torch.from_numpy(batch[0]).permute(0, 3, 1, 2))
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(batch[1]))
        sgd.zero_grad()
        loss.backward()
        sgd.step()
    expected = predict_logits(network.eval(), target.images, NORMALIZATION)
    # PyTorch's running variance is the unbiased one, Keras's the biased one: a little apart, on 64 x 2 x 2 pixels.
    np.testing.assert_allclose(twin.predict(NORMALIZATION(target.images), verbose=0), expected, atol=2e-2)
    dense = next(m for m in network.modules() if isinstance(m, torch.nn.Linear))
    np.testing.assert_allclose(twin.layers[-1].kernel.numpy(), dense.weight.detach().numpy().T, atol=1e-4)


@pytest.mark.tflite
def test_clustering_trains_batch_normalisation_and_leaves_k_values_in_every_layer(tmp_path):
    from compleak.compressors.tflite.cluster import cluster
    from compleak.compressors.tflite.layers import has_kernel
    from compleak.compressors.tflite.runtime import prepare
    from compleak.models.keras_twins import twin_of

    target = noise(SPEC, tmp_path)
    prepare(0)
    twin = twin_of(SPEC, target.checkpoint)
    finetuner = Finetuner(target, Finetuning(epochs=2, batch_size=32), 0)
    clustered = cluster(twin, 8, finetuner, learning_rate=1e-3, preserve_sparsity=False)
    for before, after in zip(twin.layers, clustered.layers, strict=True):
        if has_kernel(after):
            assert len(np.unique(after.kernel.numpy())) <= 8
        if hasattr(after, "moving_mean"):
            assert np.abs(after.moving_mean.numpy() - before.moving_mean.numpy()).max() > 1e-4
            assert np.abs(after.gamma.numpy() - before.gamma.numpy()).max() > 0


@pytest.mark.tflite
def test_quantization_aware_training_does_not_clip_large_logits(tmp_path):
    target = noise(SPEC, tmp_path, logit_scale=1000.0)
    original = predict_logits(load_network(SPEC, target.checkpoint), target.images, NORMALIZATION)
    assert np.abs(original).max() > 20  # tfmot's own ranges start at [-6, 6]
    still = Finetuning(epochs=2, batch_size=32, learning_rate=1e-4, weight_decay=0)
    path = tmp_path / "a.tflite"
    ADAPTER.compress(target, parse_setting("quantization-int8-qat"), still, path, seed=0)
    logits = ADAPTER.predictor(path, NORMALIZATION)(target.images)
    assert np.abs(logits).max() > 12


@pytest.mark.tflite
@pytest.mark.parametrize("setting", ["finetuned", "quantization-int8-qat"])
def test_fine_tuning_that_moves_nothing_is_an_error_and_leaves_no_file(setting, tmp_path):
    target = noise(SPEC, tmp_path)
    still = Finetuning(epochs=1, batch_size=32, learning_rate=1e-30, weight_decay=0)
    with pytest.raises(FinetuningError, match="moved nothing in 10 of 10 layers"):
        ADAPTER.compress(target, parse_setting(setting), still, tmp_path / "x.tflite", seed=0)
    assert not list(tmp_path.glob("x.tflite*"))


@pytest.mark.tflite
@pytest.mark.slow
def test_depthwise_kernels_are_spared_by_pruning_and_noted(tmp_path):
    spec = NetworkSpec(name="mobilenetv2", width=4, image=(16, 16, 1), classes=3)
    target, setting, path = noise(spec, tmp_path), parse_setting("pruning-magnitude-0.7"), tmp_path / "a.tflite"
    notes = ADAPTER.compress(target, setting, Finetuning(epochs=1, batch_size=32), path, seed=0)
    weights = ADAPTER.weights(path)
    check(setting, weights)
    depthwise = [w for w in weights if w.spared]
    assert len(depthwise) == 17  # Sandler et al. 2018, table 2: 1 + 2 + 3 + 4 + 3 + 3 + 1 blocks
    assert all(w.values.shape[:3] == (1, 3, 3) and (w.values != 0).all() for w in depthwise)
    assert notes == (
        "17 depthwise convolutions stay dense and unclustered: tensorflow-model-optimization leaves them alone.",
    )


@pytest.mark.tflite
@pytest.mark.slow
def test_dropout_and_max_pooling_train_reproducibly(tmp_path):
    spec = NetworkSpec(name="resnet18", width=4, image=(16, 16, 3), classes=3)
    images = np.random.default_rng(0).integers(0, 256, (96, 16, 16, 3)).astype(np.uint8)
    labels = np.arange(96) % 3
    normalization = Normalization(mean=(0.5,) * 3, std=(0.25,) * 3)
    module = train(spec, TrainingRecipe(epochs=1, batch_size=32), images, labels, normalization, seed=0).module
    save_checkpoint(module, tmp_path / "model.safetensors")
    target = Target(spec, tmp_path / "model.safetensors", normalization, images, labels, augmentation="crop-flip")
    setting, finetuning = parse_setting("quantization-int8-qat"), Finetuning(epochs=1, batch_size=32)
    for name in ("a", "b"):
        ADAPTER.compress(target, setting, finetuning, tmp_path / name, seed=1)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    check(setting, ADAPTER.weights(tmp_path / "a"))
