"""The PyTorch Mobile adapter: each setting's file shows what it claims, and is what the lite interpreter runs."""

import subprocess
import sys
import warnings
import zipfile

import numpy as np
import pytest
import torch

from compleak.compressors.measured import check
from compleak.compressors.protocol import Finetuning, Target
from compleak.compressors.pytorch_mobile.adapter import PytorchMobileCompressor
from compleak.compressors.settings import SettingError, parse_setting
from compleak.compressors.shaping.finetune import UntrainedError
from compleak.models.checkpoints import load_network, save_checkpoint
from compleak.models.inputs import Normalization
from compleak.models.networks import NetworkSpec
from compleak.models.recipe import TrainingRecipe
from compleak.models.training import predict_logits, train

ADAPTER = PytorchMobileCompressor()
FINETUNING = Finetuning(epochs=3, batch_size=32)
NORMALIZATION = Normalization(mean=(0.5,), std=(0.25,))
SPEC = NetworkSpec(name="resnet8", width=8, image=(12, 12, 1), classes=3)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def blobs(shape, n, seed=0):
    """Images of three classes: a bright top, a bright left half, or neither, under noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    images = rng.integers(0, 160, (n, *shape))
    images[labels == 0, : shape[0] // 2] += 90
    images[labels == 1, :, : shape[1] // 2] += 90
    return images.astype(np.uint8), labels.astype(np.int64)


def trained(spec, folder, n=200, epochs=3):
    images, labels = blobs(spec.image, n)
    recipe = TrainingRecipe(epochs=epochs, batch_size=32, learning_rate=0.05)
    save_checkpoint(train(spec, recipe, images, labels, NORMALIZATION, seed=0).module, folder / "model.safetensors")
    return Target(spec, folder / "model.safetensors", NORMALIZATION, images, labels)


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    return trained(SPEC, tmp_path_factory.mktemp("target"))


@pytest.fixture(scope="module")
def made(target, tmp_path_factory):
    """Artifacts by setting, each made once."""
    folder = tmp_path_factory.mktemp("artifacts")

    def make(name):
        path = folder / f"{name}.ptl"
        if not path.exists():
            ADAPTER.compress(target, parse_setting(name), FINETUNING, path, seed=3)
        return path

    return make


def original_kernels(target):
    """Kernels of the trained network, in the order in which a file lists them: that in which they run."""
    network, order = load_network(target.network, target.checkpoint), []
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.register_forward_hook(lambda m, *_: order.append(m.weight.detach().numpy()))
    predict_logits(network, target.images[:1], target.normalization)
    return order


def pairs(target, path):
    originals, weights = original_kernels(target), ADAPTER.weights(path)
    assert [w.values.shape for w in weights] == [o.shape for o in originals]
    return [(o, w.values) for o, w in zip(originals, weights, strict=True)]


CLAIMS = [
    "float32",
    "pruning-magnitude-0.6",
    "pruning-global-0.7",
    "pruning-filter-l1-0.5",
    "pruning-filter-l2-0.5",
    "clustering-k8",
    "quantization-dynamic",
    "quantization-float16",
    "quantization-int8-static",
    "quantization-int8-qat",
    "pruning-magnitude-0.8+clustering-k4",
    "pruning-magnitude-0.8+quantization-float16",
    "pruning-magnitude-0.8+quantization-int8-static",
    "pruning-filter-l1-0.5+quantization-int8-qat",
    "clustering-k8+quantization-dynamic",
    "clustering-k8+quantization-float16",
    "clustering-k8+quantization-int8-static",
    "clustering-k8+quantization-int8-qat",
    "pruning-magnitude-0.8+clustering-k16+quantization-int8-qat",
]


@pytest.mark.parametrize("name", CLAIMS)
def test_the_file_shows_its_setting_and_still_classifies(name, made, target):
    path = made(name)
    check(parse_setting(name), ADAPTER.weights(path))
    predicted = ADAPTER.predictor(path, target.normalization)(target.images).argmax(axis=1)
    assert np.mean(predicted == target.labels) > 0.5


def test_float32_is_the_trained_network(made, target):
    network = load_network(target.network, target.checkpoint)
    eager = predict_logits(network, target.images, target.normalization)
    lite = ADAPTER.predictor(made("float32"), target.normalization)(target.images)
    assert lite.dtype == np.float32
    np.testing.assert_allclose(lite, eager, atol=1e-4)


def test_quantized_logits_stay_near_the_trained_networks(made, target):
    network = load_network(target.network, target.checkpoint)
    eager = predict_logits(network, target.images, target.normalization)
    for name, atol in {"float16": 0.02, "dynamic": 0.1, "int8-static": 0.5}.items():
        lite = ADAPTER.predictor(made(f"quantization-{name}"), target.normalization)(target.images)
        assert not np.array_equal(lite, eager)
        np.testing.assert_allclose(lite, eager, atol=atol)


@pytest.mark.parametrize("name", ["pruning-magnitude-0.6", "pruning-magnitude-0.8+clustering-k4"])
def test_magnitude_pruning_zeroes_each_layers_smallest_weights_and_they_stay_zero(name, made, target):
    sparsity = parse_setting(name).pruning.sparsity
    for original, values in pairs(target, made(name)):
        smallest = np.argsort(np.abs(original).ravel())[: round(sparsity * original.size)]
        assert set(np.flatnonzero(values == 0)) == set(smallest)


def test_qat_and_rounding_keep_the_pruned_weights_at_zero(made, target):
    for original, values in pairs(target, made("pruning-magnitude-0.8+clustering-k16+quantization-int8-qat")):
        smallest = np.argsort(np.abs(original).ravel())[: round(0.8 * original.size)]
        assert not values.ravel()[smallest].any()


def test_global_pruning_zeroes_the_smallest_weights_of_all_layers(made, target):
    originals, values = zip(*pairs(target, made("pruning-global-0.7")), strict=True)
    magnitudes = np.concatenate([np.abs(o).ravel() for o in originals])
    zeros = np.flatnonzero(np.concatenate([v.ravel() for v in values]) == 0)
    assert set(zeros) == set(np.argsort(magnitudes)[: round(0.7 * len(magnitudes))])


@pytest.mark.parametrize("norm", [1, 2])
def test_filter_pruning_zeroes_the_convolutions_weakest_filters(norm, made, target):
    for original, values in pairs(target, made(f"pruning-filter-l{norm}-0.5")):
        if original.ndim == 2:
            assert values.all()
            continue
        strength = np.linalg.norm(original.reshape(len(original), -1), ord=norm, axis=1)
        dead = np.flatnonzero(~values.reshape(len(values), -1).any(axis=1))
        assert set(dead) == set(np.argsort(strength)[: len(original) // 2])


def test_clusters_are_intervals_of_the_trained_weights(made, target):
    """In one dimension, an optimal clustering cuts the sorted values into runs."""
    for original, values in pairs(target, made("clustering-k8")):
        in_order = values.ravel()[np.argsort(original.ravel())]
        runs = 1 + np.count_nonzero(in_order[1:] != in_order[:-1])
        assert len(np.unique(values)) == 8
        assert runs == 8


def test_each_kind_of_quantization_stores_its_type(made):
    def kinds(setting):
        return [(w.name.split("-")[1], str(w.values.dtype), w.scales) for w in ADAPTER.weights(made(setting))]

    assert {(k, d) for k, d, _ in kinds("quantization-dynamic")} == {("convolution", "float32"), ("dense", "int8")}
    assert {(k, d) for k, d, _ in kinds("quantization-float16")} == {("convolution", "float16"), ("dense", "float16")}
    for setting in ("quantization-int8-static", "quantization-int8-qat"):
        for weight in ADAPTER.weights(made(setting)):
            assert weight.values.dtype == np.int8
            assert weight.scales.shape == (len(weight.values),)
            assert weight.scales.min() > 0


def test_int8_weights_times_their_scales_are_the_folded_weights(made, target):
    """Folding batch normalisation multiplies each filter by gamma / sqrt(variance + eps)."""
    network = load_network(target.network, target.checkpoint)
    scale = (network.bn.weight / torch.sqrt(network.bn.running_var + network.bn.eps)).detach().numpy()
    folded = network.conv.weight.detach().numpy() * scale[:, None, None, None]
    first = ADAPTER.weights(made("quantization-int8-static"))[0]
    steps = first.scales[:, None, None, None]
    assert np.abs(first.values * steps - folded).max() <= 0.501 * steps.max()


def test_float16_halves_and_int8_quarters_what_the_weights_take(made):
    size = {n: made(n).stat().st_size for n in ("float32", "quantization-float16", "quantization-int8-static")}
    parameters = sum(w.values.size for w in ADAPTER.weights(made("float32")))
    assert size["float32"] - size["quantization-float16"] == pytest.approx(2 * parameters, rel=0.15)
    assert size["quantization-int8-static"] < size["float32"] - 2 * parameters


def test_training_aware_quantization_trains(made):
    static = ADAPTER.weights(made("quantization-int8-static"))
    aware = ADAPTER.weights(made("quantization-int8-qat"))
    for before, after in zip(static, aware, strict=True):
        moved = before.values * before.scales.reshape(-1, *[1] * (before.values.ndim - 1))
        moved = moved - after.values * after.scales.reshape(-1, *[1] * (after.values.ndim - 1))
        assert np.abs(moved).max() > 0


@pytest.mark.parametrize("name", ["pruning-magnitude-0.6", "clustering-k8", "quantization-int8-qat"])
def test_fine_tuning_that_moves_nothing_is_an_error_and_leaves_no_file(name, target, tmp_path):
    still = Finetuning(epochs=1, batch_size=32, learning_rate=1e-30, clustering_learning_rate=1e-30)
    with pytest.raises(UntrainedError, match="moved nothing"):
        ADAPTER.compress(target, parse_setting(name), still, tmp_path / "x.ptl", seed=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["float32", "quantization-float16", "quantization-int8-static"])
def test_the_weights_read_back_are_those_the_interpreter_runs(name, made, target, tmp_path):
    """Zero one stored tensor in the file: the logits and the weights read back must both follow."""
    tampered = tmp_path / "tampered.ptl"
    with zipfile.ZipFile(made(name)) as source, zipfile.ZipFile(tampered, "w") as output:
        largest = max(source.infolist(), key=lambda r: r.file_size).filename
        for record in source.namelist():
            content = source.read(record)
            output.writestr(record, bytes(len(content)) if record == largest else content)
    before, after = ADAPTER.weights(made(name)), ADAPTER.weights(tampered)
    zeroed = [a.name for a in after if not a.values.any()]
    changed = [a.name for b, a in zip(before, after, strict=True) if not np.array_equal(a.values, b.values)]
    assert zeroed == changed
    assert len(changed) == 1
    logits = [ADAPTER.predictor(p, target.normalization)(target.images[:8]) for p in (made(name), tampered)]
    assert not np.allclose(*logits, atol=1e-3)


@pytest.mark.parametrize("name", ["float32", "quantization-int8-static", "quantization-dynamic"])
def test_batches_do_not_change_the_logits(name, made, target):
    whole = ADAPTER.predictor(made(name), target.normalization, batch_size=200)(target.images[:50])
    for size in (1, 7, 32):
        logits = ADAPTER.predictor(made(name), target.normalization, batch_size=size)(target.images[:50])
        np.testing.assert_allclose(logits, whole, atol=1e-5)


def test_no_examples_give_no_rows(made, target):
    for name in ("float32", "quantization-int8-static"):
        assert ADAPTER.predictor(made(name), target.normalization)(target.images[:0]).shape == (0, 3)


def test_predicting_leaves_the_process_as_it_was(made, target):
    torch.set_num_threads(2)
    engine = torch.backends.quantized.engine
    ADAPTER.predictor(made("quantization-int8-static"), target.normalization, threads=1)(target.images[:4])
    assert (torch.get_num_threads(), torch.backends.quantized.engine) == (2, engine)
    torch.set_num_threads(1)


def test_compressing_warns_of_nothing_and_leaves_the_random_state(target, tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ADAPTER.compress(target, parse_setting("quantization-int8-qat"), FINETUNING, tmp_path / "x.ptl", seed=0)
    assert torch.equal(torch.rand(1), expected)
    assert not torch.are_deterministic_algorithms_enabled()


SETTINGS_THAT_TRAIN = ["quantization-float16", "pruning-magnitude-0.8+clustering-k16+quantization-int8-qat"]


@pytest.mark.parametrize("name", SETTINGS_THAT_TRAIN)
def test_the_same_seed_gives_the_same_bytes(name, made, target, tmp_path):
    """Whatever was traced before in this process; PyTorch numbers what it traces."""
    ADAPTER.compress(target, parse_setting(name), FINETUNING, tmp_path / "again.ptl", seed=3)
    assert (tmp_path / "again.ptl").read_bytes() == made(name).read_bytes()


@pytest.mark.slow
def test_another_process_gives_the_same_bytes_and_another_seed_does_not(made, target, tmp_path):
    name = SETTINGS_THAT_TRAIN[1]
    np.savez(tmp_path / "data.npz", images=target.images, labels=target.labels)
    program = f"""
import numpy as np, torch
from pathlib import Path
from compleak.compressors.protocol import Finetuning, Target
from compleak.compressors.pytorch_mobile.adapter import PytorchMobileCompressor
from compleak.compressors.settings import parse_setting
from compleak.models.inputs import Normalization
from compleak.models.networks import NetworkSpec
torch.set_num_threads(1)
data = np.load({str(tmp_path / "data.npz")!r})
spec = NetworkSpec.model_validate_json({SPEC.model_dump_json()!r})
target = Target(spec, Path({str(target.checkpoint)!r}), Normalization(mean=(0.5,), std=(0.25,)), data["images"],
                data["labels"])
PytorchMobileCompressor().compress(target, parse_setting({name!r}), Finetuning(epochs=3, batch_size=32),
                                   Path({str(tmp_path / "x.ptl")!r}), seed=3)
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
    assert (tmp_path / "x.ptl").read_bytes() == made(name).read_bytes()
    ADAPTER.compress(target, parse_setting(name), FINETUNING, tmp_path / "x.ptl", seed=4)
    assert (tmp_path / "x.ptl").read_bytes() != made(name).read_bytes()


def test_the_file_holds_no_example_and_no_path_of_this_machine(made):
    for name in ("float32", "quantization-int8-qat"):
        records = zipfile.ZipFile(made(name)).namelist()
        assert not [r for r in records if "traced_inputs" in r]
        content = made(name).read_bytes()
        assert b"site-packages" not in content
        assert b"torch_mangle" not in content


def test_refusals_give_a_reason_without_importing_torch():
    program = """
import sys
from compleak.compressors.pytorch_mobile.adapter import PytorchMobileCompressor
from compleak.compressors.settings import parse_setting
adapter = PytorchMobileCompressor()
assert adapter.refusal(parse_setting("clustering-k16+quantization-int8-qat")) is None
assert "int8" in adapter.refusal(parse_setting("clustering-k256+quantization-int8-qat"))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_refused_setting_is_not_compressed(target, tmp_path):
    with pytest.raises(SettingError, match="int8"):
        setting = parse_setting("clustering-k256+quantization-int8-static")
        ADAPTER.compress(target, setting, FINETUNING, tmp_path / "x.ptl", seed=0)


def test_notes_say_what_was_not_done(target, tmp_path):
    notes = ADAPTER.compress(target, parse_setting("quantization-dynamic"), FINETUNING, tmp_path / "x.ptl", seed=0)
    assert any("optimize_for_mobile" in note for note in notes)
    assert any("Convolutions stay float32" in note for note in notes)


@pytest.mark.parametrize("network", ["resnet8", "resnet20", "resnet18", "vgg16bn", "mobilenetv2"])
def test_every_network_compresses(network, tmp_path):
    width = {"vgg16bn": 2, "mobilenetv2": 4}.get(network, 4)
    spec = NetworkSpec(name=network, width=width, image=(28, 28, 1), classes=3)
    target = trained(spec, tmp_path, n=40, epochs=1)
    eager = predict_logits(load_network(spec, target.checkpoint), target.images, target.normalization)
    for name in ("float32", "pruning-magnitude-0.5+quantization-float16", "quantization-int8-static", "clustering-k4"):
        path, setting = tmp_path / f"{name}.ptl", parse_setting(name)
        ADAPTER.compress(target, setting, FINETUNING, path, seed=0)
        check(setting, ADAPTER.weights(path))
        logits = ADAPTER.predictor(path, target.normalization)(target.images)
        assert logits.shape == (40, 3)
        if name == "float32":
            np.testing.assert_allclose(logits, eager, atol=1e-4)


def test_finetuned_is_the_original_trained_on_and_nothing_else(target, made):
    before, after = (ADAPTER.weights(made(name)) for name in ("float32", "finetuned"))
    assert [w.name for w in before] == [w.name for w in after]
    for old, new in zip(before, after, strict=True):
        assert (old.values != new.values).mean() > 0.9 and not np.any(new.values == 0)
        assert new.values.dtype == np.float32
    logits = [ADAPTER.predictor(made(name), NORMALIZATION)(target.images) for name in ("float32", "finetuned")]
    assert np.abs(logits[0] - logits[1]).max() > 0
