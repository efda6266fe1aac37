"""ExecuTorch files of BERT and GPT-2: the network's own logits, weights read back, and each setting shown.

Lowering takes seconds a file, so the networks are tiny, artifacts are made once, and the rarer settings are slow.
"""

import subprocess
import sys

import numpy as np
import pytest
import torch

from compleak.compressors.executorch.adapter import ExecutorchCompressor, missing_extra
from compleak.compressors.measured import check, measure
from compleak.compressors.protocol import Finetuning, Target
from compleak.compressors.settings import SettingError, parse_setting
from compleak.models.checkpoints import load_network, save_checkpoint
from compleak.models.inputs import Tokens
from compleak.models.networks import TextSpec, build
from compleak.models.training import predict_logits

ADAPTER = ExecutorchCompressor()
FINETUNING = Finetuning(epochs=2, batch_size=8, optimizer="adamw", clustering_learning_rate=1e-2)
LENGTH, VOCABULARY = 10, 60
TOKENS = Tokens(vocabulary=VOCABULARY, length=LENGTH)

needs_executorch = pytest.mark.skipif(missing_extra() is not None, reason=f"the extra executorch: {missing_extra()}")


def spec_of(name):
    return TextSpec(
        name=name, layers=1, width=16, heads=2, intermediate=32, vocabulary=VOCABULARY, length=LENGTH, classes=3
    )


def texts(n=21):
    """Texts of every length, an empty one first."""
    rng = np.random.default_rng(0)
    ids = rng.integers(1, VOCABULARY, (n, LENGTH)).astype(np.int32)
    for text, length in zip(ids, [0, 1, 2, *rng.integers(1, LENGTH + 1, n - 3)], strict=True):
        text[length:] = 0
    return ids


@pytest.fixture(scope="module")
def target_of(tmp_path_factory):
    """Targets by network, with weights that are large enough to tell logits apart."""
    folder, made = tmp_path_factory.mktemp("targets"), {}

    def target(name):
        if name not in made:
            torch.manual_seed(0)
            network = build(spec_of(name)).eval()
            with torch.no_grad():
                for weight in network.parameters():
                    if weight.ndim == 2:
                        weight.mul_(5)
            save_checkpoint(network, folder / f"{name}.safetensors")
            ids = texts()
            made[name] = Target(spec_of(name), folder / f"{name}.safetensors", TOKENS, ids, np.arange(len(ids)) % 3)
        return made[name]

    return target


@pytest.fixture(scope="module")
def made(target_of, tmp_path_factory):
    """Artifacts by network and setting, each made once."""
    folder = tmp_path_factory.mktemp("artifacts")

    def make(network, setting):
        path = folder / f"{network}-{setting}.pte"
        if not path.exists():
            ADAPTER.compress(target_of(network), parse_setting(setting), FINETUNING, path, seed=3)
        return path

    return make


def eager_of(target):
    return predict_logits(load_network(target.network, target.checkpoint), target.images, TOKENS)


def largest(values):
    return float(np.abs(values).max())


def stored(weight):
    """A weight as the numbers that it stands for."""
    values = weight.values.astype(np.float64)
    return values if weight.scales is None else values * weight.scales.reshape(-1, *[1] * (values.ndim - 1))


def trained_weights(target):
    """Embeddings and dense kernels of the trained network, output channels first."""
    from compleak.models.networks.gpt2 import with_linear_layers

    network = with_linear_layers(load_network(target.network, target.checkpoint))
    kinds = torch.nn.Embedding, torch.nn.Linear
    return [layer.weight.detach().numpy() for layer in network.modules() if isinstance(layer, kinds)]


@needs_executorch
@pytest.mark.parametrize("network", ["bert-tiny", "gpt2-mini", "gpt2-mini-lm"])
def test_float32_is_the_trained_network_and_shows_its_weights(network, made, target_of):
    target, path = target_of(network), made(network, "float32")
    answers = ADAPTER.predictor(path, TOKENS)(target.images)
    assert answers.dtype == np.float32
    assert answers.shape == (21, *target.network.outputs)
    np.testing.assert_allclose(answers, eager_of(target), atol=1e-4)
    found, expected = ADAPTER.weights(path), trained_weights(target)
    assert sum(weight.name.endswith("embedding") for weight in found) == (3 if network == "bert-tiny" else 2)
    assert all(weight.spared == weight.name.endswith("embedding") for weight in found)
    by_sum = lambda w: (w.shape, float(w.sum()))  # noqa: E731
    for one, other in zip(sorted((w.values for w in found), key=by_sum), sorted(expected, key=by_sum), strict=True):
        np.testing.assert_array_equal(one, other)


@needs_executorch
@pytest.mark.parametrize("network", ["gpt2-mini", pytest.param("bert-tiny", marks=pytest.mark.slow)])
def test_dynamic_int8_keeps_the_logits_near_and_the_weights_within_half_a_step(network, made, target_of):
    target, path = target_of(network), made(network, "quantization-dynamic")
    weights, eager = ADAPTER.weights(path), eager_of(target)
    check(parse_setting("quantization-dynamic"), weights)
    assert {str(weight.values.dtype) for weight in weights} == {"int8"}
    answers = ADAPTER.predictor(path, TOKENS)(target.images)
    assert 0 < largest(answers - eager) < 0.2 * eager.std()
    left = trained_weights(target)
    for weight in weights:
        gaps = [largest(stored(weight) - k) if k.shape == weight.values.shape else np.inf for k in left]
        nearest = left.pop(int(np.argmin(gaps)))
        assert (np.abs(stored(weight) - nearest) <= 0.501 * weight.scales[:, None] + 1e-7).all()


@needs_executorch
@pytest.mark.parametrize("network", [pytest.param("gpt2-mini-lm", marks=pytest.mark.slow), "bert-tiny"])
def test_float16_is_stored_as_such_and_stays_near(network, made, target_of):
    target, path = target_of(network), made(network, "quantization-float16")
    check(parse_setting("quantization-float16"), ADAPTER.weights(path))
    eager = eager_of(target)
    assert 0 < largest(ADAPTER.predictor(path, TOKENS)(target.images) - eager) < 0.02 * max(1, largest(eager))


@needs_executorch
@pytest.mark.parametrize("network", ["bert-tiny", "gpt2-mini"])
def test_batches_do_not_change_the_logits(network, made, target_of):
    target, path = target_of(network), made(network, "float32")
    whole = ADAPTER.predictor(path, TOKENS)(target.images)
    for size in (1, 3, 8, 100):
        np.testing.assert_allclose(ADAPTER.predictor(path, TOKENS, batch_size=size)(target.images), whole, atol=1e-6)
    assert ADAPTER.predictor(path, TOKENS)(target.images[:0]).shape == (0, 3)
    with pytest.raises(ValueError, match=r"made for texts \[10\], got \[9\]"):
        ADAPTER.predictor(path, TOKENS)(target.images[:, :9])


@needs_executorch
@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "setting"),
    [
        ("bert-tiny", "pruning-magnitude-0.6"),
        ("bert-tiny", "pruning-magnitude-embeddings-0.6+clustering-k8+quantization-dynamic"),
        ("bert-tiny", "clustering-k8+quantization-float16"),
        ("gpt2-mini", "pruning-global-0.5"),
        ("gpt2-mini-lm", "pruning-magnitude-0.6+quantization-dynamic"),
        ("gpt2-mini-lm", "clustering-k8"),
    ],
)
def test_the_file_shows_its_setting(network, setting, made):
    path, asked = made(network, setting), parse_setting(setting)
    weights = ADAPTER.weights(path)
    check(asked, weights)
    if asked.clustering is not None:
        assert measure(path, weights).distinct_values == asked.clustering.clusters


@needs_executorch
@pytest.mark.parametrize("setting", ["float32", "quantization-dynamic"])
def test_the_weights_read_back_are_those_that_run(setting, made, target_of, tmp_path):
    """Zero the table of tokens in the file: the logits and the weights read back must both follow."""
    path = made("gpt2-mini", setting)
    table = max((w for w in ADAPTER.weights(path) if w.spared), key=lambda w: w.values.size).values.tobytes()
    content = path.read_bytes()
    assert content.count(table) == 1
    tampered = tmp_path / "tampered.pte"
    tampered.write_bytes(content.replace(table, bytes(len(table))))
    assert any(not weight.values.any() for weight in ADAPTER.weights(tampered))
    full = target_of("gpt2-mini").images
    full = np.where(full == 0, 1, full)  # of one length: only the tokens differ
    logits = ADAPTER.predictor(tampered, TOKENS)(full)
    np.testing.assert_allclose(logits, np.broadcast_to(logits[0], logits.shape), atol=1e-6)


@needs_executorch
def test_a_file_is_run_by_a_process_that_made_none(made, target_of, tmp_path):
    """Operators for int8 embeddings must be known wherever a file is run."""
    path = made("gpt2-mini", "quantization-dynamic")
    np.save(tmp_path / "ids.npy", texts())
    program = f"""
import numpy as np
from pathlib import Path
from compleak.compressors.executorch.adapter import ExecutorchCompressor
from compleak.models.inputs import Tokens
predict = ExecutorchCompressor().predictor(Path({str(path)!r}), Tokens(vocabulary={VOCABULARY}, length={LENGTH}))
np.save({str(tmp_path / "logits.npy")!r}, predict(np.load({str(tmp_path / "ids.npy")!r})))
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    own = ADAPTER.predictor(path, TOKENS)(target_of("gpt2-mini").images)
    np.testing.assert_array_equal(np.load(tmp_path / "logits.npy"), own)


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("quantization-int8-static", "PT2E"),
        ("quantization-int8-qat", "exported graph"),
        ("quantization-int8-weights", "no kernels that widen"),
        ("quantization-int4-weights", "no kernels that widen"),
        ("pruning-filter-l1-0.5", "no convolution"),
        ("clustering-k256+quantization-dynamic", "no more than 255 values"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_reason(setting, why, target_of, tmp_path):
    assert why in ADAPTER.refusal(parse_setting(setting), "gpt2-mini")
    with pytest.raises(SettingError, match=why):
        ADAPTER.compress(target_of("gpt2-mini"), parse_setting(setting), FINETUNING, tmp_path / "x.pte", seed=0)
    assert list(tmp_path.iterdir()) == []
