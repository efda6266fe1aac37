"""The parity table: differences are those of the logits, and every framework is in it."""

import numpy as np
import pytest
import torch

from compleak.benchmarks import parity
from compleak.compressors.protocol import Target
from compleak.compressors.registry import COMPRESSORS
from compleak.models.checkpoints import save_checkpoint
from compleak.models.inputs import Normalization
from compleak.models.networks import NetworkSpec, build


@pytest.mark.tflite
def test_every_form_of_a_network_is_compared_and_none_moves_its_logits(tmp_path, monkeypatch):
    spec = NetworkSpec(name="resnet8", width=4, image=(8, 8, 1), classes=3)
    torch.manual_seed(0)
    save_checkpoint(build(spec).eval(), tmp_path / "m.safetensors")
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1)).astype(np.uint8)
    normalization = Normalization(mean=(0.5,), std=(0.25,))
    target = Target(spec, tmp_path / "m.safetensors", normalization, images, np.arange(40) % 3)
    monkeypatch.setattr(parity, "COMPRESSORS", {"tflite": COMPRESSORS["tflite"]})
    twin_logits = parity._twin_logits
    monkeypatch.setattr(parity, "_twin_logits", lambda *arguments: twin_logits(*arguments) + np.eye(40, 3) * 0.5)
    twin, tflite = parity.compare(target, images, tmp_path)
    assert (twin.form, tflite.form) == ("keras-twin", "tflite")
    assert twin.largest == pytest.approx(0.5, abs=1e-4)
    assert twin.mean == pytest.approx(3 * 0.5 / 120, abs=1e-4)
    assert 0 < tflite.largest < 1e-4 and tflite.agreement == 1
    assert twin.spread == tflite.spread > 0.01


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
