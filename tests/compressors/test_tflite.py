"""The TF-Lite adapter: each setting's file shows what it claims, and is what LiteRT's interpreter runs."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from compleak.compressors.measured import check, distinct_values, layer_sparsity
from compleak.compressors.protocol import Finetuning, Target
from compleak.compressors.settings import SettingError, parse_setting
from compleak.compressors.tflite.adapter import TfliteCompressor
from compleak.compressors.tflite.interpreter import ArtifactError, open_interpreter
from compleak.models.checkpoints import load_network, save_checkpoint
from compleak.models.inputs import Normalization
from compleak.models.networks import NetworkSpec
from compleak.models.recipe import TrainingRecipe
from compleak.models.training import predict_logits, train

pytestmark = pytest.mark.tflite

ADAPTER = TfliteCompressor()
FINETUNING = Finetuning(epochs=2, batch_size=32)
NORMALIZATION = Normalization(mean=(0.5,), std=(0.25,))
SPEC = NetworkSpec(name="resnet8", width=4, image=(12, 12, 1), classes=3)

TRAINED_ON = ["pruning-magnitude-0.5", "clustering-k4", "quantization-int8-qat"]
MORE = [
    "pruning-magnitude-0.8",
    "clustering-k16",
    "pruning-magnitude-0.6+clustering-k8",
    "pruning-magnitude-0.6+quantization-int8-static",
    "pruning-magnitude-0.6+quantization-int8-qat",
    "clustering-k8+quantization-int8-static",
    "clustering-k8+quantization-int8-qat",
    "clustering-k8+quantization-float16",
    "pruning-magnitude-0.6+clustering-k8+quantization-int8-qat",
]


def slowly(*arguments):
    return pytest.param(*arguments, marks=pytest.mark.slow)


def blobs(shape, n, seed=0):
    """Images of three classes: a bright top, a bright left half, or neither, under noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    images = rng.integers(0, 160, (n, *shape))
    images[labels == 0, : shape[0] // 2] += 90
    images[labels == 1, :, : shape[1] // 2] += 90
    return images.astype(np.uint8), labels.astype(np.int64)


def trained(spec, folder, n=200, epochs=3):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    images, labels = blobs(spec.image, n)
    recipe = TrainingRecipe(epochs=epochs, batch_size=32, learning_rate=0.05)
    save_checkpoint(train(spec, recipe, images, labels, NORMALIZATION, seed=0).module, folder / "model.safetensors")
    torch.set_num_threads(threads)
    return Target(spec, folder / "model.safetensors", NORMALIZATION, images, labels)


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    return trained(SPEC, tmp_path_factory.mktemp("target"))


@pytest.fixture(scope="module")
def made(target, tmp_path_factory):
    """Artifacts by setting, each made once."""
    folder = tmp_path_factory.mktemp("artifacts")

    def make(name):
        path = folder / f"{name}.tflite"
        if not path.exists():
            ADAPTER.compress(target, parse_setting(name), FINETUNING, path, seed=3)
        return path

    return make


def test_float32_returns_the_logits_of_the_pytorch_network(target, made):
    expected = predict_logits(load_network(SPEC, target.checkpoint), target.images, NORMALIZATION)
    logits = ADAPTER.predictor(made("float32"), NORMALIZATION)(target.images)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_float32_holds_every_kernel_in_its_own_shape(target, made):
    network = load_network(SPEC, target.checkpoint)
    expected = {
        tuple(np.moveaxis(m.weight.detach().numpy(), 1, -1).shape)
        for m in network.modules()
        if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)
    }
    weights = ADAPTER.weights(made("float32"))
    assert len(weights) == 10  # He et al. 2016: 6n + 2 = 8 layers, and two projections (option B)
    assert {w.values.shape for w in weights} == expected
    dense = next(m for m in network.modules() if isinstance(m, torch.nn.Linear))
    np.testing.assert_array_equal(weights[-1].values, dense.weight.detach().numpy())


@pytest.mark.parametrize(
    ("name", "dtypes"),
    [
        ("quantization-float16", {"float16"}),
        ("quantization-dynamic", {"float32", "int8"}),
        ("quantization-int8-static", {"int8"}),
        ("quantization-int8-qat", {"int8"}),
        ("quantization-int8-weights", {"int8"}),
        ("quantization-int4-weights", {"int4"}),
        slowly("clustering-k8+quantization-float16", {"float16"}),
        slowly("pruning-magnitude-0.6+quantization-int8-static", {"int8"}),
    ],
)
def test_weights_have_the_type_that_the_setting_names(made, name, dtypes):
    weights = ADAPTER.weights(made(name))
    assert {str(w.values.dtype) for w in weights} == dtypes
    for w in weights:
        assert (w.scales is not None) == str(w.values.dtype).startswith("int")
        if w.scales is not None:
            assert w.scales.size in (1, w.values.shape[w.channel_axis])
            assert (w.scales > 0).all()


@pytest.mark.parametrize("name", ["quantization-int8-static", "quantization-int8-weights", "quantization-int4-weights"])
def test_integer_kernels_times_their_scales_are_the_float_kernels(made, name):
    floats, ints = (ADAPTER.weights(made(n)) for n in ("float32", name))
    for f, i in zip(floats, ints, strict=True):
        scales = i.scales.reshape([-1 if axis == i.channel_axis else 1 for axis in range(i.values.ndim)])
        # Rounding to the nearest of the grid errs by half a step at most; float32 arithmetic adds a little.
        assert (np.abs(i.values.astype(np.int32) * scales - f.values) <= 0.5001 * scales).all()


@pytest.mark.parametrize("name", [*TRAINED_ON, *map(slowly, MORE)])
def test_a_fine_tuned_file_shows_its_setting_and_still_classifies(target, made, name):
    check(parse_setting(name), ADAPTER.weights(made(name)))
    logits = ADAPTER.predictor(made(name), NORMALIZATION)(target.images)
    assert (logits.argmax(axis=1) == target.labels).mean() > 0.5  # chance is 1 in 3


@pytest.mark.parametrize(("name", "sparsity"), [("pruning-magnitude-0.5", 0.5), slowly("pruning-magnitude-0.8", 0.8)])
def test_every_layer_is_as_sparse_as_asked_to_the_nearest_weight(made, name, sparsity):
    for w in ADAPTER.weights(made(name)):
        assert layer_sparsity(w) == pytest.approx(sparsity, abs=1 / w.values.size)


@pytest.mark.parametrize(("name", "clusters"), [("clustering-k4", 4), slowly("clustering-k16", 16)])
def test_a_channel_has_no_more_values_than_clusters_and_a_layer_uses_them(made, name, clusters):
    weights = ADAPTER.weights(made(name))
    assert max(distinct_values(w) for w in weights) == clusters
    assert len(np.unique(weights[-1].values)) == clusters  # the dense layer, in which nothing is folded


@pytest.mark.parametrize("name", ["quantization-int8-static", "quantization-int8-qat"])
def test_int8_files_take_and_return_integers(made, name):
    interpreter = open_interpreter(made(name))
    details = interpreter.get_input_details() + interpreter.get_output_details()
    assert [d["dtype"] for d in details] == [np.int8, np.int8]


@pytest.mark.parametrize(
    ("name", "atol"),
    [
        ("quantization-float16", 0.02),
        ("quantization-dynamic", 0.2),
        ("quantization-int8-static", 0.3),
        ("quantization-int8-weights", 0.2),
        ("quantization-int4-weights", 3.0),
    ],
)
def test_post_training_quantization_stays_near_the_original(target, made, name, atol):
    original = ADAPTER.predictor(made("float32"), NORMALIZATION)(target.images)
    logits = ADAPTER.predictor(made(name), NORMALIZATION)(target.images)
    gap = np.abs(logits - original).max()
    assert 0 < gap < atol


@pytest.mark.parametrize("name", ["float32", "quantization-dynamic", "quantization-int8-static"])
def test_an_examples_logits_do_not_depend_on_its_batch(target, made, name):
    path = made(name)
    whole = ADAPTER.predictor(path, NORMALIZATION, batch_size=32)(target.images[:45])
    sevens = ADAPTER.predictor(path, NORMALIZATION, batch_size=7)(target.images[:45][::-1])[::-1]
    np.testing.assert_allclose(sevens, whole, atol=1e-5)


def test_no_examples_give_no_logits(target, made):
    assert ADAPTER.predictor(made("float32"), NORMALIZATION)(target.images[:0]).shape == (0, 3)


def test_images_of_another_size_are_refused(made):
    with pytest.raises(ValueError, match=r"made for images \[12, 12, 1\], got \[10, 12, 1\]"):
        ADAPTER.predictor(made("float32"), NORMALIZATION)(np.zeros((1, 10, 12, 1), np.uint8))


@pytest.mark.parametrize("name", ["pruning-magnitude-0.5", *map(slowly, TRAINED_ON[1:]), *map(slowly, MORE[-1:])])
def test_the_same_arguments_give_the_same_bytes(target, made, name, tmp_path):
    ADAPTER.compress(target, parse_setting(name), FINETUNING, tmp_path / "again", seed=3)
    assert (tmp_path / "again").read_bytes() == made(name).read_bytes()


def test_another_seed_gives_other_weights(target, made, tmp_path):
    setting = parse_setting("pruning-magnitude-0.5")
    ADAPTER.compress(target, setting, FINETUNING, tmp_path / "other", seed=4)
    pairs = zip(ADAPTER.weights(tmp_path / "other"), ADAPTER.weights(made(setting.name)), strict=True)
    assert all((other.values != first.values).any() for other, first in pairs)


def test_compressing_is_silent_and_leaves_only_its_file(target, tmp_path, capfd):
    ADAPTER.compress(target, parse_setting("quantization-int8-static"), FINETUNING, tmp_path / "a.tflite", seed=0)
    ADAPTER.predictor(tmp_path / "a.tflite", NORMALIZATION)(target.images[:2])
    assert capfd.readouterr() == ("", "")
    assert [p.name for p in tmp_path.iterdir()] == ["a.tflite"]


def test_reading_and_running_a_file_needs_no_tensorflow(made):
    path = made("quantization-float16")
    code = (
        "import sys, pathlib, numpy as np\n"
        "from compleak.compressors.tflite.adapter import TfliteCompressor\n"
        "from compleak.compressors.settings import parse_setting\n"
        "from compleak.models.inputs import Normalization\n"
        f"adapter, path = TfliteCompressor(), pathlib.Path({str(path)!r})\n"
        "adapter.refusal(parse_setting('float32'))\n"
        "adapter.missing()\n"
        "normalization = Normalization(mean=(0.5,), std=(0.25,))\n"
        "logits = adapter.predictor(path, normalization)(np.zeros((2, 12, 12, 1), np.uint8))\n"
        "print(logits.shape, len(adapter.weights(path)))\n"
        "print(sorted({'tensorflow', 'tf_keras', 'torch'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["(2, 3) 10", "[]"]
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("pruning-global-0.6", "has no global pruning; give pruning-magnitude-0.6"),
        ("pruning-filter-l1-0.5+quantization-int8-qat", "has no filter-l1 pruning"),
        ("pruning-magnitude-0.5+clustering-k2", "give clustering-k3 or above"),
    ],
)
def test_what_the_toolkit_lacks_is_refused_with_a_reason(target, tmp_path, name, reason):
    assert reason in (ADAPTER.refusal(parse_setting(name)) or "")
    with pytest.raises(SettingError, match=reason):
        ADAPTER.compress(target, parse_setting(name), FINETUNING, tmp_path / "x.tflite", seed=0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["float32", *TRAINED_ON, *MORE])
def test_what_the_toolkit_has_is_not_refused(name):
    assert ADAPTER.refusal(parse_setting(name)) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:16] + bytes(len(content) - 16),
        lambda content: b"not a model at all, however long this text may go on",
    ],
    ids=["empty", "cut short", "zeroed", "text"],
)
def test_a_damaged_file_is_named(made, tmp_path, damage):
    path = tmp_path / "damaged.tflite"
    path.write_bytes(damage(made("float32").read_bytes()))
    for open_file in (ADAPTER.weights, lambda p: ADAPTER.predictor(p, NORMALIZATION)):
        with pytest.raises(ArtifactError, match=r"damaged\.tflite"):
            open_file(path)


def test_finetuned_is_the_original_trained_on_and_nothing_else(target, made):
    before, after = (ADAPTER.weights(made(name)) for name in ("float32", "finetuned"))
    assert [w.name for w in before] == [w.name for w in after]
    for old, new in zip(before, after, strict=True):
        assert (old.values != new.values).mean() > 0.9 and not np.any(new.values == 0)
        assert new.values.dtype == np.float32
    logits = [ADAPTER.predictor(made(name), NORMALIZATION)(target.images) for name in ("float32", "finetuned")]
    assert np.abs(logits[0] - logits[1]).max() > 0
