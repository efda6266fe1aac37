"""The ExecuTorch adapter: each setting's file shows what it claims, and is what ExecuTorch's runtime runs.

Lowering takes seconds a file, so artifacts are made once and shared, and the rarer settings are marked slow.
"""

import subprocess
import sys

import numpy as np
import pytest
import torch

from compleak.compressors.executorch.adapter import ExecutorchCompressor, missing_extra
from compleak.compressors.measured import check, measure
from compleak.compressors.protocol import Finetuning, Target
from compleak.compressors.registry import make_compressor
from compleak.compressors.settings import SettingError, parse_setting
from compleak.models.checkpoints import load_network, save_checkpoint
from compleak.models.inputs import Normalization
from compleak.models.networks import EncoderSpec, NetworkSpec, build
from compleak.models.recipe import TrainingRecipe
from compleak.models.training import predict_logits, train

ADAPTER = ExecutorchCompressor()
FINETUNING = Finetuning(epochs=3, batch_size=32)
NORMALIZATION = Normalization(mean=(0.5, 0.5), std=(0.25, 0.25))
SPEC = NetworkSpec(name="resnet8", width=4, image=(12, 12, 2), classes=3)

needs_executorch = pytest.mark.skipif(missing_extra() is not None, reason=f"the extra executorch: {missing_extra()}")


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    return trained(SPEC, tmp_path_factory.mktemp("target"))


def trained(spec, folder, n=160):
    """A network that tells a bright top from a bright left half and from neither."""
    rng = np.random.default_rng(0)
    labels, images = rng.integers(0, 3, n), rng.integers(0, 160, (n, *spec.image))
    images[labels == 0, : spec.image[0] // 2] += 90
    images[labels == 1, :, : spec.image[1] // 2] += 90
    images = images.astype(np.uint8)
    torch.set_num_threads(1)
    recipe = TrainingRecipe(epochs=3, batch_size=32, learning_rate=0.05)
    module = train(spec, recipe, images, labels, NORMALIZATION, seed=0).module
    save_checkpoint(module, folder / "model.safetensors")
    return Target(spec, folder / "model.safetensors", NORMALIZATION, images, labels)


@pytest.fixture(scope="module")
def made(target, tmp_path_factory):
    """Artifacts by setting, each made once."""
    folder = tmp_path_factory.mktemp("artifacts")

    def make(name):
        path = folder / f"{name}.pte"
        if not path.exists():
            ADAPTER.compress(target, parse_setting(name), FINETUNING, path, seed=3)
        return path

    return make


@pytest.fixture(scope="module")
def eager(target):
    return predict_logits(load_network(target.network, target.checkpoint), target.images, target.normalization)


def folded_kernels(target):
    """The trained convolutions, each times its batch normalisation's gamma / sqrt(variance + eps), and dense layers."""
    layers, found = [], []

    def note(module, *_):
        layers.append(module)

    network = load_network(target.network, target.checkpoint)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.BatchNorm2d | torch.nn.Linear):
            module.register_forward_hook(note)
    predict_logits(network, target.images[:1], target.normalization)
    for layer, following in zip(layers, [*layers[1:], None], strict=True):
        if isinstance(layer, torch.nn.Linear):
            found.append(layer.weight.detach().numpy())
        elif isinstance(layer, torch.nn.Conv2d):
            scale = following.weight / torch.sqrt(following.running_var + following.eps)
            kernel = (layer.weight * scale[:, None, None, None]).detach().numpy()
            found.append(kernel.transpose(0, 2, 3, 1))
    return found


@needs_executorch
def test_float32_is_the_trained_network(made, target, eager):
    logits = ADAPTER.predictor(made("float32"), target.normalization)(target.images)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, eager, atol=1e-4)


def paired(weights, target):
    """Each weight of a file with the trained kernel that it is nearest to; the file may list them in another order."""
    kernels, pairs = folded_kernels(target), []
    assert len(weights) == len(kernels)
    for weight in weights:
        values = weight.values.astype(np.float64)
        if weight.scales is not None:
            values *= weight.scales.reshape(-1, *[1] * (values.ndim - 1))
        gaps = [np.abs(values - k).max() if k.shape == values.shape else np.inf for k in kernels]
        pairs.append((weight, values, kernels.pop(int(np.argmin(gaps)))))
    return pairs


@needs_executorch
def test_float32_weights_read_back_are_the_trained_ones_with_batch_normalisation_folded_in(made, target):
    for _, values, kernel in paired(ADAPTER.weights(made("float32")), target):
        np.testing.assert_allclose(values, kernel, atol=1e-6)


@needs_executorch
def test_int8_weights_times_their_scales_are_the_folded_weights(made, target):
    for weight, values, kernel in paired(ADAPTER.weights(made("quantization-int8-static")), target):
        assert weight.values.dtype == np.int8
        assert weight.scales.shape == (len(kernel),)
        steps = weight.scales.reshape(-1, *[1] * (kernel.ndim - 1))
        assert (np.abs(values - kernel) <= 0.501 * steps + 1e-7).all()


@needs_executorch
@pytest.mark.parametrize(("name", "atol"), [("quantization-int8-static", 0.5), ("quantization-dynamic", 0.2)])
def test_int8_logits_stay_near_the_trained_networks(name, atol, made, target, eager):
    check(parse_setting(name), ADAPTER.weights(made(name)))
    logits = ADAPTER.predictor(made(name), target.normalization)(target.images)
    assert not np.array_equal(logits, eager)
    np.testing.assert_allclose(logits, eager, atol=atol)
    assert np.mean(logits.argmax(axis=1) == eager.argmax(axis=1)) > 0.95


@needs_executorch
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("pruning-magnitude-0.8+clustering-k4+quantization-int8-static", marks=pytest.mark.slow),
        pytest.param("pruning-filter-l2-0.5", marks=pytest.mark.slow),
        pytest.param("pruning-magnitude-0.6", marks=pytest.mark.slow),
        pytest.param("pruning-global-0.7", marks=pytest.mark.slow),
        pytest.param("clustering-k8", marks=pytest.mark.slow),
        pytest.param("clustering-k8+quantization-dynamic", marks=pytest.mark.slow),
    ],
)
def test_the_file_shows_its_setting_and_still_classifies(name, made, target):
    weights, setting = ADAPTER.weights(made(name)), parse_setting(name)
    check(setting, weights)
    measured = measure(made(name), weights)
    if setting.pruning is not None and "filter" not in setting.pruning.scope:
        assert measured.sparsity == pytest.approx(setting.pruning.sparsity, abs=0.02)
    if setting.clustering is not None:
        assert measured.distinct_values == setting.clustering.clusters
    predicted = ADAPTER.predictor(made(name), target.normalization)(target.images).argmax(axis=1)
    assert np.mean(predicted == target.labels) > 0.5


@needs_executorch
@pytest.mark.slow
def test_int8_takes_a_byte_a_weight_and_zeros_and_shared_values_show_after_gzip(made):
    plain, static, all_three = (
        measure(path := made(name), ADAPTER.weights(path))
        for name in (
            "float32",
            "quantization-int8-static",
            "pruning-magnitude-0.8+clustering-k4+quantization-int8-static",
        )
    )
    assert static.bytes < plain.bytes
    assert all_three.bytes == pytest.approx(static.bytes, rel=0.01)
    assert all_three.bytes_gzip < static.bytes_gzip < plain.bytes_gzip


@needs_executorch
def test_the_weights_read_back_are_those_that_run(made, target, tmp_path):
    """Zero the last layer's kernel in the file: the logits and the weights read back must both follow."""
    path = made("float32")
    kernel = ADAPTER.weights(path)[-1].values.tobytes()
    content = path.read_bytes()
    assert content.count(kernel) == 1
    tampered = tmp_path / "tampered.pte"
    tampered.write_bytes(content.replace(kernel, bytes(len(kernel))))
    assert not ADAPTER.weights(tampered)[-1].values.any()
    logits = ADAPTER.predictor(tampered, target.normalization)(target.images)
    np.testing.assert_allclose(logits, np.broadcast_to(logits[0], logits.shape), atol=1e-6)


@needs_executorch
@pytest.mark.parametrize("name", ["float32", "quantization-int8-static"])
def test_batches_do_not_change_the_logits(name, made, target):
    whole = ADAPTER.predictor(made(name), target.normalization, batch_size=200)(target.images)
    for size in (1, 7, 32):
        logits = ADAPTER.predictor(made(name), target.normalization, batch_size=size)(target.images)
        np.testing.assert_allclose(logits, whole, atol=1e-5)
    assert ADAPTER.predictor(made(name), target.normalization)(target.images[:0]).shape == (0, 3)


@needs_executorch
def test_predictors_with_different_numbers_of_threads_take_turns(made, target):
    """The runtime has one pool of threads, and a program that was loaded for another one points at freed memory."""
    predictors = [ADAPTER.predictor(made("float32"), NORMALIZATION, threads=n) for n in (1, 2, 1, 2)]
    first = predictors[0](target.images[:20])
    for _ in range(3):
        for predict in predictors:
            np.testing.assert_allclose(predict(target.images[:20]), first, atol=1e-5)


@needs_executorch
@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(made, target, tmp_path):
    name = "quantization-int8-static"
    ADAPTER.compress(target, parse_setting(name), FINETUNING, tmp_path / "again.pte", seed=3)
    assert (tmp_path / "again.pte").read_bytes() == made(name).read_bytes()


@needs_executorch
def test_examples_of_another_shape_and_damaged_files_are_refused(made, target, tmp_path):
    from compleak.compressors.executorch.readback import ArtifactError

    with pytest.raises(ValueError, match=r"made for images \[12, 12, 2\], got \[10, 12, 2\]"):
        ADAPTER.predictor(made("float32"), NORMALIZATION)(target.images[:2, :10])
    with pytest.raises(ValueError, match="must be positive"):
        ADAPTER.predictor(made("float32"), NORMALIZATION, threads=0)
    damaged = tmp_path / "damaged.pte"
    damaged.write_bytes(made("float32").read_bytes()[:100])
    for read in (lambda: ADAPTER.weights(damaged), lambda: ADAPTER.predictor(damaged, NORMALIZATION)):
        with pytest.raises(ArtifactError, match=r"100 bytes.*damaged"):
            read()


@needs_executorch
@pytest.mark.slow
@pytest.mark.parametrize("network", ["resnet20", "resnet18", "vgg16bn", "mobilenetv2"])
def test_every_network_compresses(network, tmp_path):
    spec = NetworkSpec(name=network, width={"vgg16bn": 2}.get(network, 4), image=(28, 28, 2), classes=3)
    target = trained(spec, tmp_path, n=40)
    eager = predict_logits(load_network(spec, target.checkpoint), target.images, target.normalization)
    for name in ("float32", "quantization-int8-static", "quantization-dynamic"):
        path = tmp_path / f"{name}.pte"
        ADAPTER.compress(target, parse_setting(name), FINETUNING, path, seed=0)
        check(parse_setting(name), ADAPTER.weights(path))
        logits = ADAPTER.predictor(path, target.normalization)(target.images)
        if name == "float32":
            np.testing.assert_allclose(logits, eager, atol=1e-4)


@needs_executorch
@pytest.mark.slow
@pytest.mark.parametrize("network", ["resnet8-encoder", "vit-tiny"])
def test_encoders_answer_with_their_embedding_and_map(network, tmp_path):
    sizes = {"width": 64, "layers": 1} if network == "vit-tiny" else {"width": 4}
    spec = EncoderSpec(name=network, image=(12, 12, 2), **sizes)
    torch.manual_seed(0)
    save_checkpoint(build(spec).eval(), tmp_path / "model.safetensors")
    images = np.random.default_rng(0).integers(0, 256, (11, 12, 12, 2)).astype(np.uint8)
    target = Target(spec, tmp_path / "model.safetensors", NORMALIZATION, images, np.zeros(11, np.int64))
    eager = predict_logits(load_network(spec, target.checkpoint), images, NORMALIZATION)
    for name, atol in (("float32", 1e-4), ("quantization-int8-static", 0.5), ("quantization-dynamic", 0.2)):
        path = tmp_path / f"{name}.pte"
        ADAPTER.compress(target, parse_setting(name), FINETUNING, path, seed=0)
        check(parse_setting(name), ADAPTER.weights(path))
        answers = ADAPTER.predictor(path, NORMALIZATION, batch_size=5)(images)
        assert answers.shape == (11, *spec.outputs)
        np.testing.assert_allclose(answers, eager, atol=atol)
        if network == "resnet8-encoder":  # int8 rounds the map, and not its mean
            np.testing.assert_allclose(answers[:, 0], answers[:, 1:].mean(axis=1), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "network", "why"),
    [
        ("quantization-float16", "resnet8", "as float32"),
        ("quantization-float16", "vit-tiny", "as float32"),
        ("pruning-filter-l1-0.5", "vit-tiny", "no convolution"),
        ("quantization-int8-qat", "resnet8", "exported graph"),
        ("quantization-int8-weights", None, "no kernels that widen"),
        ("quantization-int4-weights", None, "no kernels that widen"),
        ("pruning-magnitude-embeddings-0.6", "resnet8", "no embeddings"),
        ("clustering-k256+quantization-dynamic", "resnet8", "no more than 255 values"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_reason_and_nothing_is_written(name, network, why, target, tmp_path):
    setting = parse_setting(name)
    assert why in ADAPTER.refusal(setting, network)
    if network == "resnet8":
        with pytest.raises(SettingError, match=why):
            ADAPTER.compress(target, setting, FINETUNING, tmp_path / "x.pte", seed=0)
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_every_way_in_says_what_to_install(monkeypatch, target, tmp_path):
    monkeypatch.setattr("compleak.compressors.executorch.adapter.find_spec", lambda name: None)
    adapter, install = make_compressor("executorch"), r"pip install compleak-bench\[executorch\]"
    assert adapter.missing().endswith("pip install compleak-bench[executorch]")
    assert adapter.refusal(parse_setting("float32"), "resnet8") is None
    for use in (
        lambda: adapter.compress(target, parse_setting("float32"), FINETUNING, tmp_path / "x.pte", seed=0),
        lambda: adapter.weights(tmp_path / "x.pte"),
        lambda: adapter.predictor(tmp_path / "x.pte", NORMALIZATION),
    ):
        with pytest.raises(SettingError, match=install):
            use()


def test_asking_what_is_possible_imports_no_framework():
    program = """
import sys
from compleak.compressors.registry import make_compressor
from compleak.compressors.settings import parse_setting
adapter = make_compressor("executorch")
adapter.refusal(parse_setting("float32"), "resnet8")
adapter.missing()
assert not {"torch", "executorch", "torchao"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
