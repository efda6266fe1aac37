"""Compressed language models: each file shows its setting, and foretells every token of a text as its original does."""

import numpy as np
import pytest
import torch

from compleak.compressors.measured import check, measure
from compleak.compressors.protocol import Finetuning, Target
from compleak.compressors.registry import make_compressor
from compleak.compressors.settings import SettingError, parse_setting
from compleak.models.checkpoints import load_network, save_checkpoint
from compleak.models.inputs import Tokens
from compleak.models.likelihood import token_log_likelihoods
from compleak.models.networks import TextSpec
from compleak.models.recipe import TrainingRecipe
from compleak.models.training import predict_logits, train

TOKENS = Tokens(vocabulary=200, length=16)
SPEC = TextSpec(name="gpt2-mini-lm", layers=2, width=32, heads=2, intermediate=64, vocabulary=200, length=16, classes=2)
FINETUNING = Finetuning(epochs=2, batch_size=32, learning_rate=2e-3, optimizer="adamw")
TFLITE = pytest.mark.tflite
DENSE = 2 * 4 + 1  # in each block, and the head
TABLES = {"tflite": 1, "pytorch-mobile": 2}  # TF-Lite's converter has read that of positions


def of_tflite(*arguments):
    return pytest.param(*arguments, marks=TFLITE)


def slowly(*arguments):
    return pytest.param(*arguments, marks=[TFLITE, pytest.mark.slow])


FRAMEWORKS = ["pytorch-mobile", of_tflite("tflite")]


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """A language model of texts in which each token follows from the one before: t to 7 t + 3 among 1 to 199."""
    rng = np.random.default_rng(0)
    ids = np.empty((192, 16), np.int64)
    ids[:, 0] = rng.integers(1, 30, 192)
    for t in range(1, 16):
        ids[:, t] = (7 * ids[:, t - 1] + 3) % 199 + 1
    ids[np.arange(16) >= rng.integers(3, 17, (192, 1))] = 0
    ids = ids.astype(np.int32)
    recipe = TrainingRecipe(epochs=25, batch_size=16, learning_rate=5e-3, weight_decay=0.01, optimizer="adamw")
    path = tmp_path_factory.mktemp("target") / "model.safetensors"
    labels = np.zeros(192, np.int64)
    save_checkpoint(train(SPEC, recipe, ids, labels, TOKENS, seed=0).module, path)
    return Target(SPEC, path, TOKENS, ids, labels)


@pytest.fixture(scope="module")
def make(target, tmp_path_factory):
    """Artifacts by framework and setting, each made once."""
    folder = tmp_path_factory.mktemp("artifacts")

    def artifact(framework, setting):
        path = folder / f"{framework}-{setting}"
        if not path.exists():
            make_compressor(framework).compress(target, parse_setting(setting), FINETUNING, path, seed=3)
        return path

    return artifact


def logits_of(framework, path, target, **keywords):
    return make_compressor(framework).predictor(path, TOKENS, **keywords)(target.images)


def right(logits, ids):
    """Tokens foretold rightly, of those that are not padding."""
    real = ids[:, 1:] != 0
    return (logits[:, :-1].argmax(axis=2) == ids[:, 1:])[real].mean()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_float32_answers_as_the_trained_network_padding_included(framework, make, target):
    path = make(framework, "float32")
    expected = predict_logits(load_network(SPEC, target.checkpoint), target.images, TOKENS)
    assert right(expected, target.images) > 0.9
    for size in (5, 64):
        logits = logits_of(framework, path, target, batch_size=size)
        assert (logits.dtype, logits.shape) == (np.float32, (192, 16, 200))
        np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4)
    assert make_compressor(framework).predictor(path, TOKENS)(target.images[:0]).shape == (0, 16, 200)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_head_and_the_embedding_are_read_back_each_as_it_is(framework, make, target):
    state = load_network(SPEC, target.checkpoint).state_dict()
    weights = make_compressor(framework).weights(make(framework, "float32"))
    assert (sum(not w.spared for w in weights), sum(w.spared for w in weights)) == (DENSE, TABLES[framework])
    (table,) = [w for w in weights if w.spared and w.values.shape == (200, 32)]
    (head,) = [w for w in weights if not w.spared and w.values.shape == (200, 32)]
    np.testing.assert_array_equal(table.values, state["model.wte.weight"].numpy())
    np.testing.assert_array_equal(head.values, state["head.weight"].numpy())
    assert not np.array_equal(head.values, table.values)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_head_that_still_is_the_embedding_is_pruned_and_the_embedding_is_not(framework, target, tmp_path):
    """As in GPT-2 itself, whose two are one: the file must show the head's zeros, and the whole table."""
    network = load_network(SPEC, target.checkpoint)
    network.head.weight = torch.nn.Parameter(network.model.wte.weight.detach().clone())
    save_checkpoint(network, tmp_path / "tied.safetensors")
    tied = Target(SPEC, tmp_path / "tied.safetensors", TOKENS, target.images, target.labels)
    setting, path = parse_setting("pruning-magnitude-0.6"), tmp_path / "artifact"
    for name in ("float32", "pruning-magnitude-0.6"):
        make_compressor(framework).compress(tied, parse_setting(name), FINETUNING, path, seed=0)
        weights = make_compressor(framework).weights(path)
        assert (sum(not w.spared for w in weights), sum(w.spared for w in weights)) == (DENSE, TABLES[framework])
    check(setting, weights)
    (table,) = [w for w in weights if w.spared and w.values.shape == (200, 32)]
    (head,) = [w for w in weights if not w.spared and w.values.shape == (200, 32)]
    assert np.mean(table.values == 0) < 0.01 < 0.6 == pytest.approx(np.mean(head.values == 0), abs=0.001)


@pytest.mark.parametrize(
    ("framework", "setting", "least"),
    [
        ("pytorch-mobile", "quantization-float16", 0.9),
        ("pytorch-mobile", "quantization-dynamic", 0.9),
        ("pytorch-mobile", "quantization-int8-static", 0.8),
        ("pytorch-mobile", "pruning-magnitude-0.4", 0.6),
        ("pytorch-mobile", "pruning-magnitude-embeddings-0.3", 0.5),
        ("pytorch-mobile", "pruning-global-0.4", 0.6),
        ("pytorch-mobile", "clustering-k16", 0.7),
        ("pytorch-mobile", "pruning-magnitude-0.4+clustering-k16+quantization-dynamic", 0.5),
        of_tflite("tflite", "quantization-float16", 0.9),
        of_tflite("tflite", "quantization-dynamic", 0.9),
        of_tflite("tflite", "quantization-int8-static", 0.8),
        of_tflite("tflite", "quantization-int8-weights", 0.9),
        of_tflite("tflite", "quantization-int4-weights", 0.6),
        of_tflite("tflite", "pruning-magnitude-0.4", 0.6),
        slowly("tflite", "clustering-k16", 0.6),
        slowly("tflite", "pruning-magnitude-0.4+clustering-k16+quantization-int8-weights", 0.5),
    ],
)
def test_the_file_shows_its_setting_and_still_foretells(framework, setting, least, make, target):
    path = make(framework, setting)
    weights = make_compressor(framework).weights(path)
    check(parse_setting(setting), weights)
    assert sum(not w.spared for w in weights) == DENSE
    if "clustering" in setting:
        assert measure(path, weights).distinct_values <= 16
    logits = logits_of(framework, path, target)
    assert not np.array_equal(logits, logits_of(framework, make(framework, "float32"), target))
    assert right(logits, target.images) > least  # chance is 1 in 199


@pytest.mark.parametrize(
    ("framework", "setting", "bound"),
    [
        ("pytorch-mobile", "quantization-float16", 0.01),
        ("pytorch-mobile", "quantization-dynamic", 0.2),
        of_tflite("tflite", "quantization-float16", 0.01),
        of_tflite("tflite", "quantization-dynamic", 0.2),
        of_tflite("tflite", "quantization-int8-weights", 0.1),
    ],
)
def test_likelihoods_of_a_quantized_model_stay_near(framework, setting, bound, make, target):
    expected = token_log_likelihoods(logits_of(framework, make(framework, "float32"), target), target.images)
    found = token_log_likelihoods(logits_of(framework, make(framework, setting), target), target.images)
    assert 0 < np.nanmean(np.abs(found - expected)) < bound


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_static_int8_has_256_steps_for_all_logits_and_says_so(framework, make, target, tmp_path):
    logits = logits_of(framework, make(framework, "quantization-int8-static"), target)
    assert len(np.unique(logits)) <= 256
    notes = make_compressor(framework).compress(
        target, parse_setting("quantization-int8-static"), FINETUNING, tmp_path / "x", seed=0
    )
    assert "share one scale of 256 steps" in " ".join(notes)


@pytest.mark.parametrize(
    ("framework", "setting", "reason"),
    [
        ("pytorch-mobile", "quantization-int8-qat", "cannot read a transformer"),
        ("pytorch-mobile", "pruning-filter-l1-0.5", "has no convolution"),
        ("tflite", "quantization-int8-qat", "cannot simulate int8 in a whole transformer"),
    ],
)
def test_what_does_not_work_is_refused_with_the_reason(framework, setting, reason, target, tmp_path):
    adapter = make_compressor(framework)
    assert reason in adapter.refusal(parse_setting(setting), "gpt2-mini-lm")
    with pytest.raises(SettingError, match=reason):
        adapter.compress(target, parse_setting(setting), FINETUNING, tmp_path / "x", seed=0)
    assert not list(tmp_path.iterdir())
