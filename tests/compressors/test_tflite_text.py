"""TF-Lite files of BERT and GPT-2: each shows its setting, and is what LiteRT's interpreter runs."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from compleak.compressors.measured import check, layer_sparsity, measure
from compleak.compressors.protocol import Finetuning, Target
from compleak.compressors.registry import make_compressor
from compleak.compressors.settings import SettingError, parse_setting
from compleak.compressors.tflite.adapter import TfliteCompressor
from compleak.compressors.tflite.finetune import Finetuner
from compleak.compressors.tflite.interpreter import open_interpreter
from compleak.models.batches import epoch_batches
from compleak.models.checkpoints import load_network, save_checkpoint
from compleak.models.inputs import Tokens
from compleak.models.networks import TextSpec, build
from compleak.models.training import predict_logits

pytestmark = pytest.mark.tflite

ADAPTER = TfliteCompressor()
FINETUNING = Finetuning(epochs=2, batch_size=32, learning_rate=1e-3, optimizer="adamw")
TOKENS = Tokens(vocabulary=64, length=12)
FAMILIES = ("bert-tiny", "gpt2-mini")
TABLES = {"bert-tiny": "word_embeddings", "gpt2-mini": "wte"}
DENSE = {"bert-tiny": 2 * 6 + 2, "gpt2-mini": 2 * 4 + 1}  # in each block, and after the last


def slowly(*arguments):
    return pytest.param(*arguments, marks=pytest.mark.slow)


def of_both(*settings):
    """Every setting for each family."""
    return [
        pytest.param(family, *(s.values if hasattr(s, "values") else s), marks=getattr(s, "marks", ()))
        for family in FAMILIES
        for s in settings
    ]


def spec_of(name):
    sizes = {"layers": 2, "width": 32, "heads": 4, "intermediate": 64}
    return TextSpec(name=name, **sizes, vocabulary=TOKENS.vocabulary, length=TOKENS.length, classes=3)


def texts(n, seed=0):
    """Texts of 3 to 12 tokens; the second one tells the class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    ids = rng.integers(4, TOKENS.vocabulary, (n, TOKENS.length))
    ids[:, 1] = 1 + labels
    lengths = 3 + np.arange(n) % (TOKENS.length - 2)
    return np.where(np.arange(TOKENS.length) < lengths[:, None], ids, 0).astype(np.int32), labels.astype(np.int64)


def trained(spec, folder):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = build(spec).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    ids, labels = texts(160)
    for epoch in range(20):
        for batch, truth in epoch_batches(
            ids, labels, batch_size=32, augmentation="none", normalization=TOKENS, seed=0, epoch=epoch
        ):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(torch.from_numpy(batch)), torch.from_numpy(truth)).backward()
            optimizer.step()
    save_checkpoint(network, folder / "model.safetensors")
    torch.set_num_threads(threads)
    return Target(spec, folder / "model.safetensors", TOKENS, ids, labels)


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    return {name: trained(spec_of(name), tmp_path_factory.mktemp(name)) for name in FAMILIES}


@pytest.fixture(scope="module")
def made(targets, tmp_path_factory):
    """Artifacts by family and setting, each made once."""
    folder = tmp_path_factory.mktemp("artifacts")

    def make(family, setting):
        path = folder / f"{family}-{setting}.tflite"
        if not path.exists():
            ADAPTER.compress(targets[family], parse_setting(setting), FINETUNING, path, seed=3)
        return path

    return make


def original(target):
    return predict_logits(load_network(target.network, target.checkpoint), target.images, TOKENS)


def dequantized(weight):
    if weight.scales is None:
        return weight.values.astype(np.float32)
    scales = weight.scales.reshape([-1 if axis == weight.channel_axis else 1 for axis in range(weight.values.ndim)])
    return ((weight.values.astype(np.int32) - weight.zero_point) * scales).astype(np.float32)


@pytest.mark.parametrize("family", FAMILIES)
def test_float32_returns_the_logits_of_the_pytorch_network(targets, made, family):
    expected = original(targets[family])
    logits = ADAPTER.predictor(made(family, "float32"), TOKENS)(targets[family].images)
    assert np.ptp(expected, axis=1).mean() > 2
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_float32_holds_every_dense_kernel_and_the_embeddings(targets, made, family):
    state = load_network(targets[family].network, targets[family].checkpoint).state_dict()
    weights = ADAPTER.weights(made(family, "float32"))
    assert sum(not w.spared for w in weights) == DENSE[family]
    (table,) = [w for w in weights if w.spared]
    (expected,) = [t.numpy() for name, t in state.items() if f"{TABLES[family]}." in name]
    np.testing.assert_array_equal(table.values, expected)
    known = {t.numpy().tobytes() for t in state.values()} | {t.numpy().T.tobytes() for t in state.values()}
    assert all(w.values.tobytes() in known for w in weights)


@pytest.mark.parametrize(
    ("family", "setting", "dtypes"),
    of_both(
        ("quantization-float16", {"float16"}),
        ("quantization-dynamic", {"float32", "int8"}),  # the classifier has fewer than 1,024 weights
        ("quantization-int8-static", {"int8"}),
        ("quantization-int8-weights", {"int8"}),
        ("quantization-int4-weights", {"int4"}),
        slowly("pruning-magnitude-0.6+clustering-k8+quantization-int4-weights", {"int4"}),
    ),
)
def test_weights_have_the_type_that_the_setting_names(made, family, setting, dtypes):
    weights = ADAPTER.weights(made(family, setting))
    check(parse_setting(setting), weights)
    assert {str(w.values.dtype) for w in weights} == dtypes


@pytest.mark.parametrize("family", FAMILIES)
def test_fewer_bits_make_a_smaller_file(made, family):
    kinds = ("float32", "quantization-float16", "quantization-int8-weights", "quantization-int4-weights")
    sizes = [made(family, kind).stat().st_size for kind in kinds]
    assert sizes == sorted(sizes, reverse=True)
    parameters = sum(w.values.size for w in ADAPTER.weights(made(family, "float32")))
    assert sizes[2] - sizes[3] == pytest.approx(parameters / 2, rel=0.1)


@pytest.mark.parametrize(
    ("family", "setting", "bits"), of_both(("quantization-int8-weights", 8), ("quantization-int4-weights", 4))
)
def test_integer_weights_are_the_nearest_on_their_grid(made, family, setting, bits):
    pairs = zip(ADAPTER.weights(made(family, "float32")), ADAPTER.weights(made(family, setting)), strict=True)
    for exact, stored in pairs:
        assert stored.scales.size == exact.values.shape[0] and stored.channel_axis == 0
        assert np.abs(stored.values.astype(np.int32)).max() <= 2 ** (bits - 1) - 1
        gap = np.abs(dequantized(stored) - exact.values)
        assert (gap <= 0.5001 * stored.scales[:, None]).all()


@pytest.mark.parametrize(("family", "setting"), of_both(("quantization-int8-weights",), ("quantization-int4-weights",)))
def test_weight_only_files_compute_with_their_weights_widened_and_round_nothing_else(targets, made, family, setting):
    from compleak.models.keras_twins import twin_of

    target = targets[family]
    twin = twin_of(target.network, target.checkpoint)
    exact = {w.values.tobytes(): i for i, w in enumerate(ADAPTER.weights(made(family, "float32")))}
    stored = ADAPTER.weights(made(family, setting))
    replaced = 0
    for layer in twin.layers:
        for variable in layer.weights:
            dense = variable.numpy().T if variable.name.endswith("kernel:0") else variable.numpy()
            if (i := exact.get(np.ascontiguousarray(dense).tobytes())) is not None:
                new = dequantized(stored[i])
                variable.assign(new.T if variable.name.endswith("kernel:0") else new)
                replaced += 1
    assert replaced == len(stored)
    logits = ADAPTER.predictor(made(family, setting), TOKENS)(target.images)
    assert np.abs(logits - original(target)).max() > 1e-3
    np.testing.assert_allclose(logits, twin(target.images, training=False).numpy(), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("family", "setting", "atol"),
    of_both(
        ("quantization-float16", 0.02),
        ("quantization-dynamic", 0.2),
        ("quantization-int8-weights", 0.1),
        ("quantization-int8-static", 0.5),
    ),
)
def test_post_training_quantization_stays_near_the_original(targets, made, family, setting, atol):
    logits = ADAPTER.predictor(made(family, setting), TOKENS)(targets[family].images)
    assert 0 < np.abs(logits - original(targets[family])).max() < atol


@pytest.mark.parametrize("family", FAMILIES)
def test_static_int8_multiplies_integers_and_normalises_floats(targets, made, family, tmp_path):
    path = made(family, "quantization-int8-static")
    interpreter = open_interpreter(path)
    details = interpreter.get_input_details() + interpreter.get_output_details()
    assert [d["dtype"] for d in details] == [np.int32, np.float32]
    assert {w.activations for w in ADAPTER.weights(path) if not w.spared} == {"static int8"}
    notes = ADAPTER.compress(
        targets[family], parse_setting("quantization-int8-static"), FINETUNING, tmp_path / "x.tflite", seed=0
    )
    assert "Layer normalisation, additions and scaling stay float32" in " ".join(notes)


@pytest.mark.parametrize(
    ("family", "setting"),
    of_both(
        ("pruning-magnitude-0.6",),
        ("clustering-k8",),
        slowly("pruning-magnitude-0.6+clustering-k8"),
        slowly("pruning-magnitude-0.6+quantization-dynamic"),
        slowly("clustering-k8+quantization-int8-static"),
        slowly("pruning-magnitude-0.6+clustering-k8+quantization-int4-weights"),
    ),
)
def test_a_fine_tuned_file_shows_its_setting_spares_its_embeddings_and_still_classifies(targets, made, family, setting):
    path = made(family, setting)
    weights = ADAPTER.weights(path)
    check(parse_setting(setting), weights)
    (table,) = [w for w in weights if w.spared]
    kernels = [w for w in weights if not w.spared]
    if "quantization" not in setting:
        assert layer_sparsity(table) < 0.02  # BERT's padding embeds to zeros
        assert len(np.unique(table.values)) > table.values.size / 2
        expected = 0.6 if "pruning" in setting else 0.0
        assert all(layer_sparsity(w) == pytest.approx(expected, abs=1 / w.values.size + 1e-3) for w in kernels)
    if "clustering" in setting:
        assert measure(path, weights).distinct_values <= 8
    logits = ADAPTER.predictor(path, TOKENS)(targets[family].images)
    assert (logits.argmax(axis=1) == targets[family].labels).mean() > 0.8  # chance is 1 in 3


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_spared_is_noted(targets, tmp_path, family):
    one = Finetuning(epochs=1, batch_size=160)
    setting = parse_setting("clustering-k4+quantization-int8-weights")
    notes = ADAPTER.compress(targets[family], setting, one, tmp_path / "a.tflite", seed=0)
    assert notes == (
        "Embeddings stay dense and unclustered: only dense layers are pruned and clustered.",
        "Position embeddings, biases and layer normalisation stay float32.",
    )


@pytest.mark.parametrize(("family", "optimizer", "rate"), of_both(("sgd", 0.1), ("adamw", 1e-3)))
def test_fine_tuning_takes_pytorchs_steps(targets, family, optimizer, rate):
    from compleak.compressors.tflite.runtime import prepare
    from compleak.models.keras_twins import twin_of
    from compleak.models.optimizers import make_optimizer

    target = targets[family]
    finetuning = Finetuning(epochs=3, batch_size=160, learning_rate=rate, weight_decay=0.1, optimizer=optimizer)
    prepare(0)
    twin = twin_of(target.network, target.checkpoint)
    for layer in twin.layers:
        if hasattr(layer, "rate"):
            layer.rate = 0.0
    Finetuner(target, finetuning, 5).run(twin, learning_rate=rate)

    network = load_network(target.network, target.checkpoint)  # in evaluation mode: no dropout
    steps = make_optimizer(network, optimizer, learning_rate=rate, momentum=0.9, weight_decay=0.1)
    for epoch, fraction in enumerate([1, 0.75, 0.25]):  # half a cosine: (1 + cos(pi * i / 3)) / 2
        ((ids, labels),) = epoch_batches(
            target.images,
            target.labels,
            batch_size=160,
            augmentation="none",
            normalization=TOKENS,
            seed=5,
            epoch=epoch,
        )
        for group in steps.param_groups:
            group["lr"] = rate * fraction
        loss = torch.nn.functional.cross_entropy(network(torch.from_numpy(ids)), torch.from_numpy(labels))
        steps.zero_grad()
        loss.backward()
        steps.step()
    before, after = original(target), predict_logits(network, target.images, TOKENS)
    moved = np.abs(after - before).max()
    assert moved > 0.05
    np.testing.assert_allclose(twin(target.images, training=False).numpy(), after, rtol=0, atol=0.01 * moved)


@pytest.mark.parametrize("setting", ["float32", "quantization-int8-static", "quantization-int4-weights"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_texts_logits_do_not_depend_on_its_batch(targets, made, family, setting):
    path, ids = made(family, setting), targets[family].images[:45]
    whole = ADAPTER.predictor(path, TOKENS, batch_size=32)(ids)
    sevens = ADAPTER.predictor(path, TOKENS, batch_size=7)(ids[::-1])[::-1]
    np.testing.assert_allclose(sevens, whole, atol=1e-5)


def test_texts_that_a_file_was_not_made_for_are_refused(made):
    predict = ADAPTER.predictor(made("bert-tiny", "float32"), TOKENS)
    assert predict(np.zeros((0, 12), np.int32)).shape == (0, 3)
    with pytest.raises(ValueError, match=r"made for token ids \[12\], got \[11\]"):
        predict(np.ones((1, 11), np.int32))
    with pytest.raises(ValueError, match="must be 0 to 63, got 1 to 64"):
        predict(np.array([[64] + [1] * 11], np.int32))


@pytest.mark.parametrize("setting", ["quantization-int4-weights", "pruning-magnitude-0.6", slowly("clustering-k8")])
def test_the_same_arguments_give_the_same_bytes(targets, made, tmp_path, setting):
    ADAPTER.compress(targets["gpt2-mini"], parse_setting(setting), FINETUNING, tmp_path / "again", seed=3)
    assert (tmp_path / "again").read_bytes() == made("gpt2-mini", setting).read_bytes()


def test_quantization_aware_training_is_refused_for_text_only(targets, tmp_path):
    setting = parse_setting("quantization-int8-qat")
    for family in FAMILIES:
        assert "cannot simulate int8 in a whole transformer" in ADAPTER.refusal(setting, family)
        with pytest.raises(SettingError, match="give quantization-int8-static"):
            ADAPTER.compress(targets[family], setting, FINETUNING, tmp_path / "x.tflite", seed=0)
    assert ADAPTER.refusal(setting) is None
    assert ADAPTER.refusal(setting, "resnet20") is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("setting", ["quantization-int8-weights", "clustering-k8+quantization-int4-weights"])
def test_weight_only_settings_are_tflites(setting):
    assert ADAPTER.refusal(parse_setting(setting), "bert-tiny") is None
    assert "PyTorch Mobile has no" in make_compressor("pytorch-mobile").refusal(parse_setting(setting))


def test_compressing_text_is_silent(targets, tmp_path, capfd):
    setting = parse_setting("quantization-int4-weights")
    ADAPTER.compress(targets["bert-tiny"], setting, FINETUNING, tmp_path / "a.tflite", seed=0)
    ADAPTER.predictor(tmp_path / "a.tflite", TOKENS)(targets["bert-tiny"].images[:2])
    assert capfd.readouterr() == ("", "")
    assert [p.name for p in tmp_path.iterdir()] == ["a.tflite"]


def test_reading_and_running_a_file_needs_no_tensorflow(made):
    path = made("bert-tiny", "quantization-int4-weights")
    code = (
        "import sys, pathlib, numpy as np\n"
        "from compleak.compressors.tflite.adapter import TfliteCompressor\n"
        "from compleak.models.inputs import Tokens\n"
        f"adapter, path = TfliteCompressor(), pathlib.Path({str(path)!r})\n"
        "logits = adapter.predictor(path, Tokens(vocabulary=64, length=12))(np.ones((2, 12), np.int32))\n"
        "print(logits.shape, len(adapter.weights(path)))\n"
        "print(sorted({'tensorflow', 'tf_keras', 'torch', 'transformers'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["(2, 3) 15", "[]"]
    assert done.stderr == ""


def test_weights_behind_the_flatbuffer_of_a_large_file_are_read_back(tmp_path):
    """ai-edge-quantizer writes constants of 256 KiB and more behind the flatbuffer, not into it."""
    spec = TextSpec(
        name="bert-tiny", layers=1, width=64, heads=2, intermediate=64, vocabulary=5000, length=10, classes=3
    )
    ids = np.random.default_rng(0).integers(3, 5000, (20, 10)).astype(np.int32)
    network = build(spec)
    save_checkpoint(network, tmp_path / "model.safetensors")
    target = Target(spec, tmp_path / "model.safetensors", Tokens(vocabulary=5000, length=10), ids, np.arange(20) % 3)
    ADAPTER.compress(target, parse_setting("quantization-int8-weights"), FINETUNING, tmp_path / "a.tflite", seed=0)
    weights = ADAPTER.weights(tmp_path / "a.tflite")
    check(parse_setting("quantization-int8-weights"), weights)
    (table,) = (w for w in weights if w.values.shape == (5000, 64))
    trained = network.state_dict()["model.bert.embeddings.word_embeddings.weight"].numpy()
    scales = table.scales.reshape([-1 if axis == table.channel_axis else 1 for axis in range(2)])
    np.testing.assert_allclose(table.values * scales, trained, atol=0.51 * scales.max())
