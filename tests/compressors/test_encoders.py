"""Compressed encoders: each file shows its setting, answers with embedding and map, and rounds them apart."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from compleak.compressors.measured import check, measure
from compleak.compressors.protocol import Finetuning, Target
from compleak.compressors.registry import make_compressor
from compleak.compressors.settings import SettingError, parse_setting
from compleak.models.batches import epoch_batches
from compleak.models.checkpoints import load_network, save_checkpoint
from compleak.models.inputs import Normalization
from compleak.models.networks import EncoderSpec, build
from compleak.models.training import as_tensor, predict_logits

NORMALIZATION = Normalization(mean=(0.5,), std=(0.25,))
CONVOLUTIONS = Finetuning(epochs=2, batch_size=32)
ATTENTION = Finetuning(epochs=2, batch_size=32, learning_rate=3e-3, optimizer="adamw")
FINETUNING = {"resnet8-encoder": CONVOLUTIONS, "resnet18-encoder": CONVOLUTIONS, "vit-tiny": ATTENTION}
SPECS = {
    "resnet8-encoder": EncoderSpec(name="resnet8-encoder", width=8, image=(16, 16, 1)),
    "resnet18-encoder": EncoderSpec(name="resnet18-encoder", width=4, image=(16, 16, 1)),
    "vit-tiny": EncoderSpec(name="vit-tiny", width=32, layers=2, image=(16, 16, 1)),
}
KERNELS = {"resnet8-encoder": 9, "resnet18-encoder": 20, "vit-tiny": 1 + 4 * 2}
TFLITE = pytest.mark.tflite


def slowly(*arguments, tflite=False):
    return pytest.param(*arguments, marks=[pytest.mark.slow, *([TFLITE] if tflite else [])])


def of_tflite(*arguments):
    return pytest.param(*arguments, marks=TFLITE)


FRAMEWORKS = ["pytorch-mobile", of_tflite("tflite")]


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    """Encoders whose embeddings a linear layer has learnt to tell three kinds of images by."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 160)
    images = rng.integers(0, 160, (160, 16, 16, 1))
    images[labels == 0, :8] += 90
    images[labels == 1, :, :8] += 90
    images, labels = images.astype(np.uint8), labels.astype(np.int64)
    made = {}

    def make(name):
        if name not in made:
            torch.manual_seed(0)
            network, head = build(SPECS[name]).train(), torch.nn.Linear(SPECS[name].outputs[1], 3)
            optimizer = torch.optim.AdamW([*network.parameters(), *head.parameters()], lr=2e-3)
            for epoch in range(10):
                for batch, truth in epoch_batches(
                    images,
                    labels,
                    batch_size=32,
                    augmentation="none",
                    normalization=NORMALIZATION,
                    seed=0,
                    epoch=epoch,
                ):
                    optimizer.zero_grad()
                    F.cross_entropy(head(network(as_tensor(batch))[:, 0]), torch.from_numpy(truth)).backward()
                    optimizer.step()
            path = tmp_path_factory.mktemp(name) / "model.safetensors"
            save_checkpoint(network, path)
            made[name] = Target(SPECS[name], path, NORMALIZATION, images, np.zeros(160, np.int64))
        return made[name]

    return make


@pytest.fixture(scope="module")
def make(targets, tmp_path_factory):
    """Artifacts by framework, network and setting, each made once."""
    folder = tmp_path_factory.mktemp("artifacts")

    def artifact(framework, network, setting):
        path = folder / f"{framework}-{network}-{setting}"
        if not path.exists():
            adapter = make_compressor(framework)
            adapter.compress(targets(network), parse_setting(setting), FINETUNING[network], path, seed=3)
        return path

    return artifact


def answers_of(framework, path, target, **keywords):
    return make_compressor(framework).predictor(path, NORMALIZATION, **keywords)(target.images)


def original(target):
    return predict_logits(load_network(target.network, target.checkpoint), target.images, NORMALIZATION)


def distance(answers, wanted):
    """Of the embeddings and of the maps, in units of their own variance."""
    gaps = ((answers - wanted) ** 2)[:, :1], ((answers - wanted) ** 2)[:, 1:]
    return gaps[0].mean() / wanted[:, :1].var(), gaps[1].mean() / wanted[:, 1:].var()


@pytest.mark.parametrize("network", SPECS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_float32_answers_as_the_trained_encoder_does(framework, network, make, targets):
    path, target = make(framework, network, "float32"), targets(network)
    expected = original(target)
    for size in (1, 32):
        answers = answers_of(framework, path, target, batch_size=size)
        assert answers.dtype == np.float32
        np.testing.assert_allclose(answers, expected, rtol=0, atol=1e-4)
    none = make_compressor(framework).predictor(path, NORMALIZATION)(target.images[:0])
    assert none.shape == (0, *target.network.outputs)
    assert len(make_compressor(framework).weights(path)) == KERNELS[network]


BOTH = [
    ("pytorch-mobile", "resnet8-encoder", "quantization-float16", 1e-5),
    ("pytorch-mobile", "resnet8-encoder", "quantization-int8-static", 0.01),
    ("pytorch-mobile", "resnet8-encoder", "quantization-int8-qat", 0.05),
    ("pytorch-mobile", "resnet8-encoder", "pruning-magnitude-0.6", 0.3),
    ("pytorch-mobile", "resnet8-encoder", "pruning-global-0.5", 0.3),
    ("pytorch-mobile", "resnet8-encoder", "pruning-filter-l1-0.3", 1.0),
    ("pytorch-mobile", "resnet8-encoder", "clustering-k8", 0.1),
    ("pytorch-mobile", "resnet8-encoder", "pruning-magnitude-0.6+clustering-k8+quantization-int8-qat", 0.3),
    ("pytorch-mobile", "resnet18-encoder", "quantization-float16", 1e-5),
    ("pytorch-mobile", "resnet18-encoder", "quantization-int8-static", 0.02),
    slowly("pytorch-mobile", "resnet18-encoder", "quantization-int8-qat", 0.2),
    slowly("pytorch-mobile", "resnet18-encoder", "pruning-magnitude-0.6+clustering-k16", 0.5),
    ("pytorch-mobile", "vit-tiny", "quantization-float16", 1e-5),
    ("pytorch-mobile", "vit-tiny", "quantization-dynamic", 0.01),
    ("pytorch-mobile", "vit-tiny", "quantization-int8-static", 0.01),
    ("pytorch-mobile", "vit-tiny", "pruning-magnitude-0.6", 0.3),
    ("pytorch-mobile", "vit-tiny", "clustering-k8+quantization-int8-static", 0.2),
    of_tflite("tflite", "resnet8-encoder", "quantization-float16", 1e-5),
    of_tflite("tflite", "resnet8-encoder", "quantization-dynamic", 0.01),
    of_tflite("tflite", "resnet8-encoder", "quantization-int8-static", 0.01),
    slowly("tflite", "resnet8-encoder", "quantization-int8-qat", 0.05, tflite=True),
    of_tflite("tflite", "resnet8-encoder", "quantization-int8-weights", 0.01),
    of_tflite("tflite", "resnet8-encoder", "quantization-int4-weights", 0.2),
    of_tflite("tflite", "resnet8-encoder", "pruning-magnitude-0.6", 0.3),
    of_tflite("tflite", "resnet8-encoder", "clustering-k8", 0.1),
    slowly(
        "tflite",
        "resnet8-encoder",
        "pruning-magnitude-0.6+clustering-k8+quantization-int8-qat",
        0.3,
        tflite=True,
    ),
    of_tflite("tflite", "resnet18-encoder", "quantization-int8-static", 0.02),
    slowly("tflite", "resnet18-encoder", "quantization-int8-qat", 0.2, tflite=True),
    slowly("tflite", "resnet18-encoder", "pruning-magnitude-0.6+clustering-k16", 0.5, tflite=True),
    of_tflite("tflite", "vit-tiny", "quantization-float16", 1e-5),
    of_tflite("tflite", "vit-tiny", "quantization-dynamic", 0.01),
    of_tflite("tflite", "vit-tiny", "quantization-int8-static", 0.01),
    of_tflite("tflite", "vit-tiny", "quantization-int4-weights", 0.2),
    slowly("tflite", "vit-tiny", "pruning-magnitude-0.6", 0.4, tflite=True),
    slowly("tflite", "vit-tiny", "clustering-k8+quantization-int8-static", 0.2, tflite=True),
]


@pytest.mark.parametrize(("framework", "network", "setting", "bound"), BOTH)
def test_the_file_shows_its_setting_and_stays_near_the_original(framework, network, setting, bound, make, targets):
    path, target = make(framework, network, setting), targets(network)
    weights = make_compressor(framework).weights(path)
    check(parse_setting(setting), weights)
    assert len(weights) == KERNELS[network]
    found = measure(path, weights)
    if "magnitude-0.6" in setting:
        assert found.sparsity >= 0.6 - 0.01
    if "clustering" in setting:
        assert found.distinct_values <= (8 if "k8" in setting else 16)
    answers = answers_of(framework, path, target)
    assert answers.shape == (160, *target.network.outputs)
    embedding, positions = distance(answers, original(target))
    assert 0 < embedding < bound and 0 < positions < bound


@pytest.mark.parametrize("setting", ["quantization-int8-static", "quantization-int8-qat"])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_an_int8_embedding_is_the_mean_of_its_map_and_not_rounded_once_more(framework, setting, make, targets):
    answers = answers_of(framework, make(framework, "resnet8-encoder", setting), targets("resnet8-encoder"))
    np.testing.assert_allclose(answers[:, 0], answers[:, 1:].mean(axis=1), rtol=1e-5, atol=1e-6)
    positions, embeddings = (np.unique(np.round(a, 5)) for a in (answers[:, 1:], answers[:, 0]))
    assert len(positions) <= 256 < len(embeddings)


@pytest.mark.tflite
def test_int8_normalisation_would_spoil_a_vision_transformer(make, targets, tmp_path, monkeypatch):
    from compleak.compressors.tflite import convert

    target, setting = targets("vit-tiny"), "quantization-int8-static"
    mixed = distance(answers_of("tflite", make("tflite", "vit-tiny", setting), target), original(target))
    monkeypatch.setattr(convert, "float_operators", lambda model: [])
    make_compressor("tflite").compress(target, parse_setting(setting), ATTENTION, tmp_path / "whole", seed=3)
    whole = distance(answers_of("tflite", tmp_path / "whole", target), original(target))
    assert whole[0] > 100 * mixed[0] and whole[1] > 100 * mixed[1]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_same_arguments_give_the_same_bytes_and_labels_do_not_matter(framework, make, targets, tmp_path):
    target, setting = targets("resnet8-encoder"), "pruning-magnitude-0.6"
    other = Target(target.network, target.checkpoint, NORMALIZATION, target.images, np.arange(160) % 7)
    make_compressor(framework).compress(other, parse_setting(setting), CONVOLUTIONS, tmp_path / "again", seed=3)
    assert (tmp_path / "again").read_bytes() == make(framework, "resnet8-encoder", setting).read_bytes()


@pytest.mark.parametrize(
    ("framework", "network", "setting", "reason"),
    [
        (
            "pytorch-mobile",
            "resnet8-encoder",
            "quantization-dynamic",
            "resnet8-encoder has none; give quantization-int8",
        ),
        ("pytorch-mobile", "resnet18-encoder", "pruning-magnitude-embeddings-0.5", "has no embeddings"),
        ("pytorch-mobile", "vit-tiny", "quantization-int8-qat", "cannot read a transformer"),
        ("pytorch-mobile", "vit-tiny", "pruning-filter-l2-0.5", "has no convolution whose filters"),
        ("pytorch-mobile", "vit-tiny", "pruning-magnitude-embeddings-0.5", "has no embeddings"),
        ("tflite", "vit-tiny", "quantization-int8-qat", "cannot simulate int8 in a whole transformer"),
    ],
)
def test_what_does_not_work_is_refused_with_the_reason(framework, network, setting, reason, targets, tmp_path):
    adapter = make_compressor(framework)
    assert reason in adapter.refusal(parse_setting(setting), network)
    with pytest.raises(SettingError, match=reason):
        adapter.compress(targets(network), parse_setting(setting), CONVOLUTIONS, tmp_path / "x", seed=0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("network", "mobile", "tflite"),
    [
        ("resnet8-encoder", "The mean is taken of the dequantized", "The mean is taken of the dequantized"),
        ("vit-tiny", "The patches' convolution and dense layers compute", "Layer normalisation, additions and scaling"),
    ],
)
def test_notes_say_what_int8_leaves_float(network, mobile, tflite):
    from compleak.compressors.pytorch_mobile.adapter import _notes
    from compleak.compressors.tflite.pipeline import _notes as notes_of_tflite

    int8, plain = parse_setting("quantization-int8-static"), parse_setting("float32")
    assert mobile in " ".join(_notes(int8, network))
    assert tflite in " ".join(notes_of_tflite(SPECS[network], int8, 0))
    assert _notes(plain, network) == notes_of_tflite(SPECS[network], plain, 0) == ()
