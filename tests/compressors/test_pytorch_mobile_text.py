"""PyTorch Mobile with text networks: each file shows its setting, and the lite interpreter runs it."""

import zipfile

import numpy as np
import pytest
import torch

from compleak.compressors.measured import check, measure
from compleak.compressors.protocol import Finetuning, Target
from compleak.compressors.pytorch_mobile.adapter import PytorchMobileCompressor
from compleak.compressors.settings import SettingError, parse_setting
from compleak.models.checkpoints import load_network, save_checkpoint
from compleak.models.inputs import Tokens
from compleak.models.networks import TextSpec
from compleak.models.recipe import TrainingRecipe
from compleak.models.training import predict_logits, train

ADAPTER = PytorchMobileCompressor()
FINETUNING = Finetuning(epochs=1, batch_size=16)
TOKENS = Tokens(vocabulary=40, length=10)
NETWORKS = ("bert-tiny", "gpt2-mini")
DENSE = {"bert-tiny": 2 * 6 + 2, "gpt2-mini": 2 * 4 + 1}
TABLES = {"bert-tiny": 3, "gpt2-mini": 2}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    """A trained network of each family: three classes, told by the first token."""
    rng = np.random.default_rng(0)
    ids, labels = rng.integers(3, 40, (60, 10)).astype(np.int32), rng.integers(0, 3, 60)
    ids[:, 0] = labels + 5
    ids[np.arange(10) >= rng.integers(3, 11, (60, 1))] = 0
    recipe = TrainingRecipe(epochs=8, batch_size=12, learning_rate=5e-3, weight_decay=0.01, optimizer="adamw")
    made = {}
    for name in NETWORKS:
        spec = TextSpec(name=name, layers=2, width=16, heads=2, intermediate=32, vocabulary=40, length=10, classes=3)
        path = tmp_path_factory.mktemp(name) / "model.safetensors"
        save_checkpoint(train(spec, recipe, ids, labels.astype(np.int64), TOKENS, seed=0).module, path)
        made[name] = Target(spec, path, TOKENS, ids, labels.astype(np.int64))
    return made


@pytest.fixture(scope="module")
def make(targets, tmp_path_factory):
    """Artifacts by network and setting, each made once."""
    folder = tmp_path_factory.mktemp("artifacts")

    def artifact(network, setting):
        path = folder / f"{network}-{setting}.ptl"
        if not path.exists():
            ADAPTER.compress(targets[network], parse_setting(setting), FINETUNING, path, seed=3)
        return path

    return artifact


def kernels(path):
    weights = ADAPTER.weights(path)
    return [w for w in weights if not w.spared], [w for w in weights if w.spared]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    "setting",
    [
        "float32",
        "pruning-magnitude-0.6",
        "pruning-magnitude-embeddings-0.6",
        "pruning-global-0.7",
        "clustering-k8",
        "quantization-dynamic",
        "quantization-float16",
        "quantization-int8-static",
        "pruning-magnitude-0.5+clustering-k8+quantization-dynamic",
        "pruning-magnitude-embeddings-0.6+quantization-int8-static",
    ],
)
def test_the_file_shows_its_setting_and_still_classifies(network, setting, make, targets):
    path, target = make(network, setting), targets[network]
    weights = ADAPTER.weights(path)
    check(parse_setting(setting), weights)
    dense, tables = kernels(path)
    assert (len(dense), len(tables)) == (DENSE[network], TABLES[network])
    logits = ADAPTER.predictor(path, TOKENS)(target.images)
    assert (logits.argmax(1) == target.labels).mean() > 0.5
    assert measure(path, weights).layers == len(weights)


@pytest.mark.parametrize("network", NETWORKS)
def test_float32_is_the_trained_network_whatever_the_batch(network, make, targets):
    target = targets[network]
    eager = predict_logits(load_network(target.network, target.checkpoint), target.images, TOKENS)
    for size in (1, 7, 60):
        lite = ADAPTER.predictor(make(network, "float32"), TOKENS, batch_size=size)(target.images)
        np.testing.assert_allclose(lite, eager, atol=1e-5)
    assert ADAPTER.predictor(make(network, "float32"), TOKENS)(target.images[:0]).shape == (0, 3)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    "setting", ["quantization-dynamic", "quantization-int8-static", "pruning-magnitude-embeddings-0.6"]
)
def test_a_text_is_answered_alike_whatever_stands_beside_it(network, setting, make, targets):
    texts, path = targets[network].images, make(network, setting)
    order = np.random.default_rng(1).permutation(len(texts))
    whole = ADAPTER.predictor(path, TOKENS, batch_size=60)(texts)
    np.testing.assert_allclose(ADAPTER.predictor(path, TOKENS, batch_size=60)(texts[order]), whole[order], atol=1e-5)
    np.testing.assert_allclose(ADAPTER.predictor(path, TOKENS, batch_size=1)(texts), whole, atol=1e-5)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    ("setting", "dtype"),
    [("quantization-dynamic", "int8"), ("quantization-int8-static", "int8"), ("quantization-float16", "float16")],
)
def test_quantization_reaches_kernels_and_embeddings_and_stays_near(network, setting, dtype, make, targets):
    target = targets[network]
    assert {str(w.values.dtype) for w in ADAPTER.weights(make(network, setting))} == {dtype}
    eager = predict_logits(load_network(target.network, target.checkpoint), target.images, TOKENS)
    lite = ADAPTER.predictor(make(network, setting), TOKENS)(target.images)
    assert not np.array_equal(lite, eager)
    np.testing.assert_allclose(lite, eager, atol=0.3)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("setting", ["quantization-dynamic", "quantization-int8-static", "quantization-float16"])
def test_each_large_tensor_of_a_file_is_stored_once_and_run(network, setting, make, targets, tmp_path):
    """Spoil one after the other: the logits follow each, and the weights read back one of each."""
    path, tampered, texts = make(network, setting), tmp_path / "tampered.ptl", targets[network].images[:8]
    before, logits = ADAPTER.weights(path), ADAPTER.predictor(path, TOKENS)(texts)
    with zipfile.ZipFile(path) as source:
        records = {r: source.read(r) for r in source.namelist()}
    stored = [record for record in records if record.endswith(".storage")]
    tables = [records[r] for r in stored if len(records[r]) >= 40 * 16]
    assert len(tables) == len(set(tables))
    shown = []
    for spoilt in stored:
        with zipfile.ZipFile(tampered, "w") as output:
            for record, content in records.items():
                output.writestr(record, bytes(len(content)) if record == spoilt else content)
        after = ADAPTER.weights(tampered)
        changed = [b.name for b, a in zip(before, after, strict=True) if not np.array_equal(a.values, b.values)]
        assert not changed or not np.array_equal(ADAPTER.predictor(tampered, TOKENS)(texts), logits), spoilt
        shown += changed
    assert sorted(shown) == sorted(w.name for w in before)


@pytest.mark.parametrize("network", NETWORKS)
def test_int8_embeddings_are_the_trained_ones_rounded_row_by_row(network, make, targets):
    target = targets[network]
    state = load_network(target.network, target.checkpoint).state_dict()
    name = "model.wte.weight" if network == "gpt2-mini" else "model.bert.embeddings.word_embeddings.weight"
    table = kernels(make(network, "quantization-dynamic"))[1][0]
    assert (table.values.dtype, table.scales.shape) == (np.int8, (40,))
    widened = table.values * table.scales[:, None]
    assert np.abs(widened - state[name].numpy()).max() <= 0.51 * table.scales.max()


@pytest.mark.parametrize("network", NETWORKS)
def test_embeddings_are_pruned_only_where_that_is_asked_for(network, make):
    for setting, embeddings in (
        ("pruning-magnitude-0.6", False),
        ("pruning-magnitude-embeddings-0.6", True),
        ("pruning-magnitude-embeddings-0.6+clustering-k8", True),  # what trains later must not fill them again
    ):
        dense, tables = kernels(make(network, setting))
        assert all((w.values == 0).mean() >= 0.59 for w in dense)
        assert all((w.values == 0).mean() >= 0.59 for w in tables) == embeddings
    assert not any((w.values == 0).mean() > 0.1 for w in kernels(make(network, "clustering-k8"))[1])


@pytest.mark.parametrize("network", NETWORKS)
def test_the_same_arguments_give_the_same_bytes(network, make, targets, tmp_path):
    setting = "pruning-magnitude-0.5+clustering-k8+quantization-dynamic"
    ADAPTER.compress(targets[network], parse_setting(setting), FINETUNING, tmp_path / "again.ptl", seed=3)
    assert (tmp_path / "again.ptl").read_bytes() == make(network, setting).read_bytes()


@pytest.mark.parametrize(
    ("network", "setting", "reason"),
    [
        ("bert-tiny", "pruning-filter-l1-0.5", "has no convolution"),
        ("gpt2-mini", "quantization-int8-qat", "cannot read a transformer; give quantization-int8-static"),
        ("resnet8", "pruning-magnitude-embeddings-0.5", "has no embeddings"),
        (None, "quantization-int8-weights", "no kernels that widen"),
    ],
)
def test_what_does_not_work_is_refused_with_the_reason(network, setting, reason, targets, tmp_path):
    assert reason in ADAPTER.refusal(parse_setting(setting), network)
    if network in targets:
        with pytest.raises(SettingError, match=reason):
            ADAPTER.compress(targets[network], parse_setting(setting), FINETUNING, tmp_path / "x.ptl", seed=0)
        assert not list(tmp_path.iterdir())


def test_a_setting_that_any_network_takes_is_not_refused():
    for network in (None, "bert-tiny", "resnet8"):
        assert ADAPTER.refusal(parse_setting("pruning-magnitude-0.6+quantization-dynamic"), network) is None


def test_notes_say_what_was_spared_and_what_stays_float(targets, tmp_path):
    def notes(setting):
        return " ".join(
            ADAPTER.compress(targets["bert-tiny"], parse_setting(setting), FINETUNING, tmp_path / "n.ptl", seed=0)
        )

    assert "Embeddings are neither pruned nor clustered" in notes("pruning-magnitude-0.6")
    assert "Embeddings are pruned as well" in notes("pruning-magnitude-embeddings-0.6")
    assert "attention, normalisation and GELU are computed in float32" in notes("quantization-int8-static")
