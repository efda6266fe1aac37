"""The parity table: differences are those of the logits, and every framework is in it."""

import numpy as np
import pytest
import torch

from compleak.benchmarks import parity
from compleak.compressors.protocol import Target
from compleak.compressors.registry import COMPRESSORS
from compleak.models.checkpoints import save_checkpoint
from compleak.models.inputs import Normalization, Tokens
from compleak.models.networks import EncoderSpec, NetworkSpec, TextSpec, build


@pytest.mark.tflite
def test_every_form_of_a_network_is_compared_and_none_moves_its_logits(tmp_path, monkeypatch):
    spec = NetworkSpec(name="resnet8", width=4, image=(8, 8, 1), classes=3)
    torch.manual_seed(0)
    save_checkpoint(build(spec).eval(), tmp_path / "m.safetensors")
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1)).astype(np.uint8)
    normalization = Normalization(mean=(0.5,), std=(0.25,))
    target = Target(spec, tmp_path / "m.safetensors", normalization, images, np.arange(40) % 3)
    monkeypatch.setattr(parity, "COMPRESSORS", {"tflite": COMPRESSORS["tflite"]})
    twin_answers = parity._twin_answers
    monkeypatch.setattr(parity, "_twin_answers", lambda *arguments: twin_answers(*arguments) + np.eye(40, 3) * 0.5)
    twin, tflite = parity.compare(target, images, tmp_path)
    assert (twin.form, tflite.form) == ("keras-twin", "tflite")
    assert twin.largest == pytest.approx(0.5, abs=1e-4)
    assert twin.mean == pytest.approx(3 * 0.5 / 120, abs=1e-4)
    assert 0 < tflite.largest < 1e-4 and tflite.agreement == 1
    assert twin.spread == tflite.spread > 0.01


@pytest.mark.tflite
@pytest.mark.parametrize(
    "spec",
    [
        EncoderSpec(name="vit-tiny", width=16, layers=1, image=(8, 8, 1)),
        TextSpec(name="gpt2-mini-lm", layers=1, width=16, heads=2, intermediate=32, vocabulary=40, length=8, classes=2),
    ],
    ids=lambda spec: spec.name,
)
def test_answers_of_every_shape_are_compared_vector_by_vector(spec, tmp_path, monkeypatch):
    torch.manual_seed(0)
    save_checkpoint(build(spec).eval(), tmp_path / "m.safetensors")
    rng = np.random.default_rng(0)
    texts = isinstance(spec, TextSpec)
    inputs = rng.integers(1, 40, (20, 8)).astype(np.int32) if texts else rng.integers(0, 256, (20, 8, 8, 1), np.uint8)
    transform = Tokens(vocabulary=40, length=8) if texts else Normalization(mean=(0.5,), std=(0.25,))
    target = Target(spec, tmp_path / "m.safetensors", transform, inputs, np.zeros(20, np.int64))
    monkeypatch.setattr(parity, "COMPRESSORS", {"pytorch-mobile": COMPRESSORS["pytorch-mobile"]})
    twin_answers = parity._twin_answers
    shift = np.zeros((20, *spec.outputs), np.float32)
    shift[:, 0, -1] = 100  # of one vector of each answer
    monkeypatch.setattr(parity, "_twin_answers", lambda *arguments: twin_answers(*arguments) + shift)
    twin, mobile = parity.compare(target, inputs, tmp_path)
    assert twin.agreement == pytest.approx(1 - 1 / spec.outputs[0], abs=0.03)
    assert mobile.largest < 1e-4 and mobile.agreement == 1
    assert spec.name in parity.BY_NAME


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resnet21"], "no network resnet21; there are resnet8"),
        (["resnet8", "--examples", "1"], "--examples must be 2 or more"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(monkeypatch, capsys, arguments, message):
    monkeypatch.setattr("sys.argv", ["parity", *arguments])
    with pytest.raises(SystemExit) as stopped:
        parity.main()
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
